"""Betas, standard errors, P and intervals of 2 x 2 counts: against R and closed forms."""

from math import exp, inf, isnan, log, sqrt

import numpy as np
import pandas as pd
import pytest

from idhray.stats.audit.contrasts import (
    CONDITIONAL,
    EXACT,
    FIRTH,
    FIRTH_WALD,
    MAXIMUM,
    PENALIZED,
    PROFILE,
    WALD,
    beta_intervals,
    betas,
    contrast_p_values,
    firth_p_values,
    likelihood_root,
    log_odds_ratio,
    profile_interval,
    standard_error,
    wald_forms,
    wald_p,
)
from idhray.stats.audit.reading import read_reported
from idhray.stats.hypothesis.contingency import g_test
from idhray.stats.regression.design import Factor
from idhray.stats.regression.logistic import fit_logistic
from tests.stats.audit.conftest import PUBLISHED

SEPARATED = ((0, 6), (33, 5))  # Park 2021, validation, margin


def test_univariable_betas_of_park_2021_are_those_of_r(reference):
    """glm of Table 1's counts, 18 contrasts as the table names them; three are named wrongly."""
    expected = {
        (row["published_beta"], row["model"]): row
        for row in reference("published_park")["table2_univariate"]
        if "thalamus" not in row["contrast"]
    }
    rows = read_reported(str(PUBLISHED / "park2021_table2.csv")).rows
    compared = 0
    for row in (one for one in rows if one.contrast):
        model = int(row.row[-1])
        case = expected.get((row.estimate.text, model))
        if case is None:
            continue
        compared += 1
        beta, se = log_odds_ratio(row.contrast), standard_error(row.contrast)
        low, high = beta_intervals(row.contrast)[WALD]

        assert beta == pytest.approx(case["beta"], abs=1e-6)
        assert se == pytest.approx(case["se"], abs=1e-6)
        assert wald_p(row.contrast) == pytest.approx(case["wald_P"], rel=1e-6)
        assert (exp(low), exp(high)) == pytest.approx(case["or_ci"], rel=1e-6)
    assert compared == 18


def test_frontal_against_other_of_park_2021():
    """29/25 and 42/10: 1.2867 (.4453), P .00386, by hand."""
    counts = ((29, 25), (42, 10))

    assert log_odds_ratio(counts) == pytest.approx(log(25 * 42 / (29 * 10)))
    assert log_odds_ratio(counts) == pytest.approx(1.2867, abs=5e-5)
    assert standard_error(counts) == pytest.approx(sqrt(1 / 29 + 1 / 25 + 1 / 42 + 1 / 10))
    assert wald_p(counts) == pytest.approx(0.00386, abs=5e-6)


def test_firth_adds_a_half_to_every_cell():
    """brglm2 (AS_mean) gives 4.371746704 for the separated margin of Park 2021."""
    assert betas(SEPARATED)[FIRTH] == pytest.approx(4.37174670, abs=1e-7)
    assert MAXIMUM not in betas(SEPARATED)
    assert log_odds_ratio(SEPARATED) == inf
    assert isnan(wald_p(SEPARATED))
    assert WALD not in contrast_p_values(SEPARATED)
    assert {WALD, PROFILE}.isdisjoint(beta_intervals(SEPARATED))


def test_the_separated_margin_has_the_penalized_interval_and_p_of_r():
    """brglm2 with penalized profiles: 2.033 to 9.296, P 2.9e-5."""
    assert beta_intervals(SEPARATED)[PENALIZED] == pytest.approx((2.033, 9.296), abs=5e-4)
    assert firth_p_values(SEPARATED)[PENALIZED] == pytest.approx(2.9e-5, abs=5e-7)


@pytest.mark.parametrize("counts", [SEPARATED, ((29, 25), (42, 10)), ((4, 20), (76, 18))])
def test_cells_with_a_half_are_the_penalized_likelihood_of_patients(counts):
    """A closed form against the maximizer that goes through the patients one by one."""
    levels = [("level", counts[0]), ("reference", counts[1])]
    names = [name for name, (w, m) in levels for _ in range(w + m)]
    truth = [label for _, (w, m) in levels for label in [0] * w + [1] * m]
    factor = Factor(name="margin", levels=("reference", "level"))
    fit = fit_logistic(pd.DataFrame({"margin": names}), truth, [factor], method="firth")
    term = fit.terms[1]

    assert beta_intervals(counts)[PENALIZED] == pytest.approx(
        (term.profile_low, term.profile_high), abs=1e-6
    )
    assert wald_forms(counts)[FIRTH_WALD] == pytest.approx((term.beta, term.se), abs=1e-6)
    ratio, wald = fit.factor_tests["margin"]
    assert firth_p_values(counts) == pytest.approx(
        {PENALIZED: ratio.p, FIRTH_WALD: wald.p}, rel=1e-6
    )


def test_the_root_of_the_likelihood_ratio_is_the_g_test():
    """Of no effect: 29/25 and 42/10."""
    counts = ((29, 25), (42, 10))

    assert likelihood_root(counts, 0.0) < 0 < likelihood_root(counts[::-1], 0.0)
    assert likelihood_root(counts, 0.0) ** 2 == pytest.approx(g_test(counts).statistic)
    assert likelihood_root(counts, -inf) == -inf


def test_profile_intervals_are_those_of_r(reference):
    """Levels of a three-level factor against its reference: other levels change nothing."""
    (fit,) = (one for one in reference("logistic") if one["id"] == "park M1 uni enhancement")
    for term, counts in ((1, ((28, 8), (47, 19))), (2, ((5, 11), (47, 19)))):
        assert profile_interval(counts) == pytest.approx(fit["ci_profile_exact"][term], abs=1e-6)
        assert betas(counts)[MAXIMUM] == pytest.approx(fit["coef"][term], abs=1e-6)


def test_the_likelihood_drops_by_192_at_both_ends_of_a_profile_interval():
    """Park 2021, model 2, frontal against thalamus: 0.28 to 5.00. A slow plain version."""
    counts = ((29, 25), (9, 1))
    low, high = profile_interval(counts)
    grid = np.linspace(-8, 8, 100_001)

    def best_likelihood(beta):
        ones, zeros = grid + beta, grid  # log odds of the level, of the reference
        terms = [
            m * log_odds - (w + m) * np.logaddexp(0, log_odds)
            for (w, m), log_odds in zip(counts, (ones, zeros), strict=True)
        ]
        return float(np.sum(terms, axis=0).max())

    drop = best_likelihood(log_odds_ratio(counts)) - 3.841459 / 2
    assert best_likelihood(low) == pytest.approx(drop, abs=1e-6)
    assert best_likelihood(high) == pytest.approx(drop, abs=1e-6)
    assert (low, high) == pytest.approx((0.28, 5.00), abs=5e-3)


def test_conditional_estimates_are_those_of_fishers_test():
    """R's fisher.test of 3/1, 1/3 (the tea tasting), whose roots are good to .7%."""
    counts = ((1, 3), (3, 1))  # mutants second

    assert exp(betas(counts)[CONDITIONAL]) == pytest.approx(6.408309, rel=1e-4)
    low, high = beta_intervals(counts)[EXACT]
    assert (exp(low), exp(high)) == pytest.approx((0.2117329, 621.9337505), rel=1e-2)


def test_empty_margins_have_no_estimate():
    """Nobody at that level: only Firth's prior speaks."""
    assert set(betas(((0, 0), (3, 4)))) == {FIRTH}
    assert firth_p_values(((0, 0), (3, 4))) == {}
    assert set(beta_intervals(((0, 0), (3, 4)))) == {FIRTH}
    assert isnan(log_odds_ratio(((0, 0), (3, 4))))
