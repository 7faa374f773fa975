"""Firth's penalized likelihood: against R, closed forms, firthmodels, and by brute force."""

import warnings

import numpy as np
import pandas as pd
import pytest
from firthmodels import FirthLogisticRegression
from scipy import optimize

from idhray.stats.regression.design import Covariate, Factor
from idhray.stats.regression.likelihood import Likelihood, NoMaximumError
from idhray.stats.regression.logistic import FIRTH, ML, fit_logistic
from idhray.stats.regression.profile import profile_interval
from idhray.stats.sample import SampleError
from tests.stats.park_models import assert_close, r_model

MARGIN = Factor(name="margin", levels=("indistinct", "clear"))


def margins(wild, mutant):
    """Patients with an indistinct and a clear margin, counts per class."""
    margin = np.repeat(["indistinct", "clear"] * 2, [*wild, *mutant])
    return pd.DataFrame({"margin": margin}), np.repeat([0, 1], [sum(wild), sum(mutant)])


def sparse(seed, n=30, columns=3):
    """Numbers and findings, and few mutants."""
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([np.ones(n), rng.normal(size=(n, columns))])
    matrix[:, 2] = matrix[:, 2] > 0.5
    return matrix, rng.permutation([1] * 5 + [0] * (n - 5))


def penalized_value(beta, matrix, labels):
    """Firth 1993, written out: log-likelihood plus half the log determinant of X'WX."""
    p = 1 / (1 + np.exp(-matrix @ beta))
    information = sum(w * np.outer(x, x) for w, x in zip(p * (1 - p), matrix, strict=True))
    plain = sum(np.log(p if y else 1 - p) for p, y in zip(p, labels, strict=True))
    return plain + 0.5 * np.log(np.linalg.det(information))


def test_every_figure_is_that_of_r(reference, reference_data):
    """brglm2 (AS_mean) and brglm for estimates and SE; penalized-likelihood CI and P by uniroot."""
    levels = reference("manifest")["levels"]
    for case in reference("firth"):
        data = reference_data(case["data"].removesuffix(".csv"))
        fit = fit_logistic(*r_model(case, data, levels), method="firth")
        found = {
            "firth_coef": [term.beta for term in fit.terms],
            "brglm2_AS_mean_coef": [term.beta for term in fit.terms],
            "firth_se": [term.se for term in fit.terms],
            "firth_wald_p": [term.wald_p for term in fit.terms],
            "firth_penalized_loglik": fit.penalized_log_likelihood,
            "firth_pl_ci": [(term.profile_low, term.profile_high) for term in fit.terms],
            "firth_plr_p": [term.lr_p for term in fit.terms],
        }

        assert fit.method == FIRTH
        for name, value in found.items():
            assert_close(value, case[name], f"{case['id']}: {name}")


def test_separated_patients_are_fitted_by_firth_and_that_is_said():
    """Margin in Park 2021, table 1, validation: clear in 6 of 11 mutants and 0 of 33 wildtypes."""
    fit = fit_logistic(*margins((33, 0), (5, 6)), [MARGIN])
    term = fit.terms[1]

    # R 4.2.2: brglm2 0.9 for the estimate, uniroot on the penalized likelihood for the rest.
    expected = (4.37174670403564, 1.65228922281094, 2.03345675306414, 9.29631252007638)
    found = (term.beta, term.se, term.profile_low, term.profile_high)
    assert found == pytest.approx(expected, abs=1e-6)
    assert term.lr_p == pytest.approx(2.91840916286361e-05, rel=1e-6)
    assert fit.method == FIRTH
    assert fit.separated == ("margin: clear, not indistinct",)
    assert "Quasi-complete separation by margin: clear, not indistinct" in fit.notes[0]
    assert "margin: all 6 patients with clear are mutant." in fit.notes


def test_maximum_likelihood_of_separated_patients_is_refused():
    """R's glm converges here, with a standard error of 2,663."""
    with pytest.raises(SampleError, match=r"margin: clear.*method firth") as caught:
        fit_logistic(*margins((33, 0), (5, 6)), [MARGIN], method="ml")

    assert "\n" not in str(caught.value)


def test_auto_keeps_maximum_likelihood_where_it_exists():
    """One wildtype patient with a clear margin is enough."""
    fit = fit_logistic(*margins((32, 1), (5, 6)), [MARGIN])

    assert (fit.method, fit.separated, fit.penalized_log_likelihood) == (ML, (), None)


@pytest.mark.parametrize(
    ("wild", "mutant"),
    [((33, 0), (5, 6)), ((10, 0), (0, 7)), ((72, 8), (23, 15)), ((1, 1), (1, 1))],
)
def test_a_two_by_two_table_gets_half_a_patient_more_in_each_cell(wild, mutant):
    """The closed form of Firth's estimate for a saturated model (Haldane's correction)."""
    fit = fit_logistic(*margins(wild, mutant), [MARGIN], method="firth")
    a, b, c, d = np.array([*wild, *mutant]) + 0.5

    assert fit.terms[1].beta == pytest.approx(np.log(a * d / (b * c)), abs=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_the_estimate_is_the_highest_point_found_by_brute_force(seed):
    """scipy's simplex search on the formula as Firth wrote it, without any derivative."""
    matrix, labels = sparse(seed, columns=2)
    best = Likelihood(matrix=matrix, labels=labels, penalized=True).maximum()
    searched = optimize.minimize(
        lambda beta: -penalized_value(beta, matrix, labels),
        np.zeros(3),
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 4000},
    )

    assert best.value == pytest.approx(-searched.fun, abs=1e-9)
    assert best.beta == pytest.approx(searched.x, abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_derivatives_are_those_of_the_value(seed):
    """Score and curvature by central differences, away from the maximum."""
    matrix, labels = sparse(seed)
    model = Likelihood(matrix=matrix, labels=labels, penalized=True)
    beta = np.random.default_rng(seed).normal(size=4)
    steps = 1e-5 * np.eye(4)
    slopes = [(model.at(beta + h).value - model.at(beta - h).value) / 2e-5 for h in steps]
    bends = [(model.at(beta - h).score - model.at(beta + h).score) / 2e-5 for h in steps]

    assert model.at(beta).score == pytest.approx(np.array(slopes), abs=1e-6)
    assert model.at(beta).curvature == pytest.approx(np.array(bends), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_estimates_intervals_and_p_are_those_of_firthmodels(seed):
    """Another implementation; its tolerance has to be loose, as tight ones leave P values NaN."""
    matrix, labels = sparse(seed)
    names = ["a", "b", "c"]
    frame = pd.DataFrame(matrix[:, 1:], columns=names)
    fit = fit_logistic(frame, labels, [Covariate(name=name) for name in names], method="firth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other = FirthLogisticRegression(max_iter=200, gtol=1e-6, xtol=1e-6).fit(frame, labels)
        interval = other.conf_int(method="pl", tol=1e-6, max_iter=200)
        other.lrt()

    assert fit.beta[1:] == pytest.approx(other.coef_, abs=1e-5)
    assert fit.penalized_log_likelihood == pytest.approx(other.loglik_, abs=1e-8)
    for place, term in enumerate(fit.terms[1:]):
        assert term.lr_p == pytest.approx(other.lrt_pvalues_[place], abs=1e-6)
        ends = (term.profile_low, term.profile_high)
        assert ends == pytest.approx(tuple(interval[place]), abs=1e-5)


def many_findings(seed):
    """Five rare findings and four mutants: the penalized likelihood has several local maxima."""
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([np.ones(24), rng.random((24, 5)) < 0.3]).astype(float)
    return matrix, rng.permutation([1] * 4 + [0] * 20)


def test_of_several_local_maxima_the_highest_is_the_estimate():
    """With this seed the maximum that Newton's method finds from zero is .006 lower."""
    matrix, labels = many_findings(370)
    model = Likelihood(matrix=matrix, labels=labels, penalized=True)
    best = model.maximum()
    starts = 4 * np.random.default_rng(0).normal(size=(20, 6))

    assert best.value > model.climb().value + 0.005
    assert best.value >= max(model.climb(start).value for start in starts) - 1e-9


def test_of_several_local_maxima_the_highest_bounds_the_interval():
    """With this seed the nearest maximum would end three intervals too early."""
    matrix, labels = many_findings(31)
    rng = np.random.default_rng(0)
    model = Likelihood(matrix=matrix, labels=labels, penalized=True)
    best = model.maximum()
    for place in range(1, 6):
        held = np.arange(6) == place
        for end in profile_interval(model, best, place):
            starts = 4 * rng.normal(size=(10, 6))
            starts[:, place] = end
            highest = max(model.climb(start, held).value for start in starts)

            assert 2 * (best.value - highest) > 3.8414588 - 1e-4


def test_the_whole_factor_is_tested_within_the_full_penalty():
    """Held at 0, not left out: R's logistf does the same, and the penalty keeps all columns."""
    frame = pd.DataFrame({"place": ["other", "frontal", "thalamus"] * 8})
    labels = np.array([1, 0, 0] * 6 + [0, 1, 0] * 2)
    place = Factor(name="place", levels=("other", "frontal", "thalamus"))
    fit = fit_logistic(frame, labels, [place])
    matrix = np.column_stack([np.ones(24), *(frame["place"] == one for one in place.levels[1:])])
    held = optimize.minimize_scalar(
        lambda b: -penalized_value(np.array([b, 0, 0]), matrix.astype(float), labels)
    )
    statistic = fit.factor_tests["place"][0].statistic

    assert fit.method == FIRTH
    assert statistic == pytest.approx(2 * (fit.penalized_log_likelihood + held.fun), abs=1e-7)
    assert fit.lr.statistic == pytest.approx(statistic)


def test_aic_and_r2_take_the_likelihood_without_the_penalty():
    """The penalty depends on the columns, so it cannot be compared between models."""
    frame, labels = margins((33, 0), (5, 6))
    fit = fit_logistic(frame, labels, [MARGIN])
    p = fit.p_mutant(frame)
    plain = np.log(np.where(labels == 1, p, 1 - p)).sum()

    assert fit.log_likelihood == pytest.approx(plain)
    assert fit.aic == pytest.approx(4 - 2 * plain)
    assert "AIC, BIC and R2 take the likelihood without the penalty." in fit.notes


def test_the_plain_likelihood_of_separated_classes_has_no_maximum():
    """Whoever asks the maximizer itself is told too, and not given a far point."""
    matrix = np.column_stack([np.ones(44), [1] * 6 + [0] * 38])

    with pytest.raises(NoMaximumError, match="separate the classes"):
        Likelihood(matrix=matrix, labels=np.array([1] * 11 + [0] * 33)).maximum()
