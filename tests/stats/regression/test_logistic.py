"""Logistic regression: against R's glm, published tables, closed forms, and statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from idhray.stats.regression.design import Covariate, Factor
from idhray.stats.regression.logistic import ML, fit_logistic
from idhray.stats.sample import SampleError
from tests.stats.park_models import assert_close, cases, factor, r_model

FINDING = Factor(name="finding", levels=("no", "yes"))
AGE = Covariate(name="age")


def two_by_two(wild, mutant):
    """Patients without and with a finding, (no, yes) counts per class."""
    finding = np.repeat(["no", "yes", "no", "yes"], [*wild, *mutant])
    labels = np.repeat([0, 1], [sum(wild), sum(mutant)])
    return pd.DataFrame({"finding": finding}), labels


def made_up(n=60, seed=0):
    """Patients whose age and finding both bear on the mutation."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(50, 12, n).round(),
            "finding": rng.choice(["no", "yes"], n),
            "place": rng.choice(["other", "frontal", "thalamus"], n),
        }
    )
    logit = 0.8 * (frame["finding"] == "yes") - 0.06 * (frame["age"] - 50)
    return frame, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)


def test_every_figure_is_that_of_r_glm(reference, reference_data):
    """20 models: estimates, both intervals, both tests per term and per factor, all R2."""
    levels = reference("manifest")["levels"]
    for case in reference("logistic"):
        data = reference_data(case["data"].removesuffix(".csv"))
        fit = fit_logistic(*r_model(case, data, levels))
        factors = [fit.factor_tests[one.name] for one in fit.predictors]
        found = {
            "coef": [term.beta for term in fit.terms],
            "se": [term.se for term in fit.terms],
            "p": [term.wald_p for term in fit.terms],
            "or": [term.odds_ratio for term in fit.terms],
            "ci_wald": [(term.wald_low, term.wald_high) for term in fit.terms],
            "ci_profile_exact": [(term.profile_low, term.profile_high) for term in fit.terms],
            "loglik": fit.log_likelihood,
            "null_deviance": -2 * fit.null_log_likelihood,
            "aic": fit.aic,
            "bic": fit.bic,
            "lr_chi2": fit.lr.statistic,
            "lr_df": fit.lr.df,
            "lr_p": fit.lr.p,
            "r2_coxsnell": fit.r2_cox_snell,
            "r2_nagelkerke": fit.r2_nagelkerke,
            "r2_mcfadden": fit.r2_mcfadden,
            "drop1_LR": [lr.statistic for lr, _ in factors],
            "drop1_p": [lr.p for lr, _ in factors],
            "wald_term": [(wald.statistic, wald.df, wald.p) for _, wald in factors],
        }

        assert fit.method == ML
        assert fit.n == case["n"]
        for name, value in found.items():
            assert_close(value, case[name], f"{case['id']}: {name}")


@pytest.mark.parametrize(
    ("row", "beta", "se", "wald_p"),
    [
        ((1, "location", "other", "frontal"), 1.2867, 0.4453, 0.00386),
        ((1, "location", "thalamus", "frontal"), 0.9502, 0.7204, 0.18716),
        ((1, "necrosis", "", "no"), 1.7698, 0.4990, 0.00039),
        ((1, "enhancement", "", "nodular"), -0.3471, 0.4844, 0.47369),
        ((1, "enhancement", "", "patch"), 1.6942, 0.6040, 0.00503),
        ((1, "surrounding", "", "edema"), -1.4214, 0.4432, 0.00134),
        ((1, "margin", "", "clear"), 3.0498, 0.6072, 5e-7),
        ((2, "location", "other", "frontal"), 1.1043, 0.4262, 0.00956),
        ((2, "location", "thalamus", "frontal"), 2.0488, 1.0888, 0.05989),
        ((2, "necrosis", "", "no"), 2.1972, 0.4941, 9e-6),
        ((2, "enhancement", "", "nodular"), -0.0698, 0.6067, 0.90835),
        ((2, "enhancement", "", "patch"), 3.2215, 0.6116, 1e-7),
        ((2, "surrounding", "", "edema"), -1.9253, 0.4987, 0.00011),
        ((2, "margin", "", "clear"), 3.8424, 0.6254, 8e-10),
        ((3, "location", "other", "frontal"), 1.1914, 0.3518, 0.00071),
        ((3, "location", "thalamus", "frontal"), 1.3557, 0.6447, 0.03548),
        ((3, "necrosis", "", "no"), 1.9859, 0.4383, 6e-6),
        ((3, "enhancement", "", "nodular"), -0.2493, 0.4119, 0.54496),
        ((3, "enhancement", "", "patch"), 2.4639, 0.5344, 4e-6),
        ((3, "surrounding", "", "edema"), -1.6541, 0.3659, 6e-6),
        ((3, "margin", "", "clear"), 3.4273, 0.5647, 1e-9),
    ],
)
def test_betas_are_those_of_park_2021_table_2(row, beta, se, wald_p):
    """Counts of table 1 give the univariable betas; R's glm gave the further digits and the SE."""
    model, finding, reference_level, level = row
    frame, labels = cases(finding, model)
    fit = fit_logistic(frame, labels, [factor(finding, reference_level)])
    term = next(one for one in fit.terms if one.level == level)

    assert term.reference == (reference_level or fit.predictors[0].levels[0])
    assert (term.beta, term.se) == pytest.approx((beta, se), abs=6e-5)
    digits = {"rel": 0.5} if wald_p < 1e-4 else {"abs": 6e-6}
    assert term.wald_p == pytest.approx(wald_p, **digits)


@pytest.mark.parametrize(
    ("finding", "nagelkerke"),
    [
        ("enhancement", (0.125, 0.437, 0.273)),
        ("location", (0.106, 0.114, 0.114)),
        ("necrosis", (0.150, 0.240, 0.199)),
        ("surrounding", (0.130, 0.204, 0.181)),
        ("margin", (0.358, 0.546, 0.451)),
    ],
)
def test_nagelkerke_of_park_2021_by_r(finding, nagelkerke):
    """Park et al. announce it and never print it; rms::lrm gave these from the counts."""
    fits = [fit_logistic(*cases(finding, model), [factor(finding)]) for model in (1, 2, 3)]

    assert [fit.r2_nagelkerke for fit in fits] == pytest.approx(nagelkerke, abs=5.1e-4)


def test_a_two_by_two_table_has_closed_forms():
    """beta is the log odds ratio, its variance the sum of the reciprocals, LR the G statistic."""
    wild, mutant = (72, 8), (23, 15)  # necrosis yes and no, Park 2021, table 1
    fit = fit_logistic(*two_by_two(wild, mutant), [FINDING])
    term = fit.terms[1]
    g = stats.chi2_contingency([wild, mutant], correction=False, lambda_="log-likelihood")

    assert term.beta == pytest.approx(np.log(72 * 15 / (8 * 23)))
    assert term.se == pytest.approx(np.sqrt(1 / 72 + 1 / 8 + 1 / 23 + 1 / 15))
    assert term.odds_ratio == pytest.approx(72 * 15 / (8 * 23))
    assert (term.lr_p, fit.lr.p) == pytest.approx((g.pvalue, g.pvalue))
    null = 38 * np.log(38 / 118) + 80 * np.log(80 / 118)
    assert fit.r2_cox_snell == pytest.approx(1 - np.exp(-g.statistic / 118))
    assert fit.r2_nagelkerke == pytest.approx(fit.r2_cox_snell / (1 - np.exp(2 * null / 118)))
    assert fit.r2_mcfadden == pytest.approx(g.statistic / (-2 * null))
    # R 4.2.2: the ends at which anova(test="LRT") gives .05 exactly, found by uniroot.
    expected = (0.81575089050787, 2.79128222895394)
    assert (term.profile_low, term.profile_high) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_estimates_are_those_of_statsmodels(seed):
    """Logit, Newton's method: another implementation, on numbers and factors together."""
    frame, labels = made_up(seed=seed)
    place = Factor(name="place", levels=("other", "frontal", "thalamus"))
    fit = fit_logistic(frame, labels, [AGE, FINDING, place])
    columns = [
        frame["age"],
        frame["finding"] == "yes",
        frame["place"] == "frontal",
        frame["place"] == "thalamus",
    ]
    logit = sm.Logit(labels, sm.add_constant(np.column_stack(columns).astype(float))).fit(disp=0)

    assert fit.beta == pytest.approx(logit.params, abs=1e-8)
    assert [term.se for term in fit.terms] == pytest.approx(logit.bse, abs=1e-8)
    assert [term.wald_p for term in fit.terms] == pytest.approx(logit.pvalues, abs=1e-8)
    assert fit.log_likelihood == pytest.approx(logit.llf)
    assert (fit.aic, fit.bic) == pytest.approx((logit.aic, logit.bic))
    assert fit.r2_mcfadden == pytest.approx(logit.prsquared)


def test_the_ends_of_a_profile_interval_are_just_rejected():
    """By definition: with the coefficient fixed there, LR is the chi-square quantile."""
    frame, labels = made_up()
    fit = fit_logistic(frame, labels, [AGE, FINDING])
    other = sm.add_constant((frame["finding"] == "yes").astype(float))
    for end in (fit.terms[1].profile_low, fit.terms[1].profile_high):
        fixed = sm.GLM(labels, other, family=sm.families.Binomial(), offset=end * frame["age"])
        lost = 2 * (fit.log_likelihood - fixed.fit(tol=1e-12).llf)

        assert lost == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-7)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_of_a_number_changes_nothing_but_its_beta(scale):
    """Age in microyears: P stays, the coefficient and its intervals scale."""
    frame, labels = made_up()
    years, other = (
        fit_logistic(frame.assign(age=frame["age"] * by), labels, [AGE]) for by in (1, scale)
    )
    one, two = years.terms[1], other.terms[1]

    assert (two.lr_p, two.wald_p) == pytest.approx((one.lr_p, one.wald_p), rel=1e-6)
    assert two.profile_low * scale == pytest.approx(one.profile_low, rel=1e-6)
    assert other.terms[0].profile_low == pytest.approx(years.terms[0].profile_low, rel=1e-6)


def test_the_reference_changes_no_prediction():
    """It only changes which difference is printed, and every output names it."""
    frame, labels = cases("location", 1)
    fits = [
        fit_logistic(frame, labels, [factor("location", level)])
        for level in ("other", "frontal", "thalamus")
    ]

    assert [fit.terms[1].label for fit in fits] == [
        "location: frontal, not other",
        "location: other, not frontal",
        "location: other, not thalamus",
    ]
    assert fits[1].terms[1].beta == pytest.approx(-fits[0].terms[1].beta)
    for fit in fits[1:]:
        assert fit.p_mutant(frame) == pytest.approx(fits[0].p_mutant(frame))
        assert fit.lr.statistic == pytest.approx(fits[0].lr.statistic)


def test_a_saturated_model_predicts_the_observed_shares():
    """With one factor every level's probability is its share of mutants."""
    fit = fit_logistic(*two_by_two((72, 8), (23, 15)), [FINDING])
    probe = pd.DataFrame({"finding": ["no", "yes"]})

    assert fit.p_mutant(probe) == pytest.approx([23 / 95, 15 / 23])
    assert fit.linear_predictor(probe) == pytest.approx(np.log([23 / 72, 15 / 8]))


def test_no_predictor_leaves_the_share_of_mutants():
    """What a stepwise choice ends with when it removes all; there is nothing to test then."""
    frame, labels = made_up()
    fit = fit_logistic(frame, labels, [])

    assert fit.p_mutant(frame[:1]) == pytest.approx([labels.mean()])
    assert (fit.r2_nagelkerke, fit.lr.df) == (0, 0)
    assert np.isnan(fit.lr.p)
    assert fit.lr.notes == ("There is no coefficient to test.",)


def test_few_events_per_parameter_are_said():
    """Park et al. have 38 mutants for 7 coefficients."""
    labels = np.array([1] * 38 + [0] * 80)
    rng = np.random.default_rng(0)
    names = [f"x{number}" for number in range(7)]
    frame = pd.DataFrame(rng.normal(size=(118, 7)), columns=names)
    many = fit_logistic(frame, labels, [Covariate(name=name) for name in names])
    few = fit_logistic(frame, labels, [Covariate(name=name) for name in names[:3]])

    assert many.notes[0].startswith("38 patients in the smaller class for 7 coefficients: 5.4 each")
    assert few.notes == ()


def test_a_level_that_nobody_had_is_noted_and_not_predicted():
    """It has no coefficient, so a patient who has it has no probability."""
    frame, labels = two_by_two((72, 8), (23, 15))
    fit = fit_logistic(frame, labels, [Factor(name="finding", levels=("no", "yes", "unsure"))])

    assert len(fit.terms) == 2
    assert "unsure occurs in no patient" in fit.notes[0]
    with pytest.raises(SampleError, match="finding: unsure is no level"):
        fit.p_mutant(pd.DataFrame({"finding": ["unsure"]}))


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        pytest.param([1] * 60, "60 mutant and 0 wildtype", id="mutants only"),
        pytest.param([0, 1], "2 labels, but 60 rows", id="unequal lengths"),
        pytest.param([0, 1, 2] * 20, "labels must be", id="third class"),
    ],
)
def test_what_cannot_be_fitted_is_refused(truth, message):
    """An estimate for such patients would be made up."""
    with pytest.raises(SampleError, match=message):
        fit_logistic(made_up()[0], truth, [AGE])


def test_too_few_patients_for_the_parameters_are_refused():
    """Three patients, three parameters: any outcome would be fitted."""
    frame = pd.DataFrame({"age": [60.0, 41.0, 55.0], "weight": [70.0, 82.0, 64.0]})

    with pytest.raises(SampleError, match="3 patients for 3 parameters"):
        fit_logistic(frame, [0, 1, 0], [AGE, Covariate(name="weight")])
