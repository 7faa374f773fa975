"""The age model and its fusion with the image: against MASS and glm, and by hand."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from idhray.stats.probabilities.age import AgeModel, fit_age_model, fit_fusion
from idhray.stats.roc.area import auc
from idhray.stats.sample import SampleError, Scored
from tests.stats.conftest import BESIDE_REPOSITORY

AGES = [30, 40, 50, 44, 60, 70, 50, 56]
TRUTH = [1, 1, 1, 1, 0, 0, 0, 0]


def model(mean_mutant, sd_mutant, mean_wildtype, sd_wildtype, *, monotone=False):
    """An age model from published means and SDs, equal priors."""
    return AgeModel(
        mean_mutant=mean_mutant,
        sd_mutant=sd_mutant,
        n_mutant=2,
        mean_wildtype=mean_wildtype,
        sd_wildtype=sd_wildtype,
        n_wildtype=2,
        prior_mutant=0.5,
        shared_variance=False,
        missing=0,
        monotone=monotone,
    )


@pytest.mark.parametrize(
    ("shared", "variance", "name"),
    [
        (False, "sample", "qda_post1"),
        (True, "sample", "lda_post1"),
        (False, "maximum likelihood", "qda_mle_post1"),
        (True, "maximum likelihood", "lda_mle_post1"),
    ],
)
@pytest.mark.parametrize("priors", ["equal", "empirical"])
def test_posteriors_are_those_of_mass(reference, shared, variance, name, priors):
    """MASS::qda and lda at their defaults, and with method "mle"."""
    case = reference("gda")[0]
    fitted = fit_age_model(
        case["x"], case["cls"], shared_variance=shared, priors=priors, variance=variance
    )

    assert (fitted.mean_wildtype, fitted.mean_mutant) == pytest.approx(case["means"])
    assert fitted.p_mutant(case["newx"]) == pytest.approx(case[priors][name], abs=1e-6)
    assert 1 - fitted.prior_mutant == pytest.approx(case[priors]["prior"][0])
    if name == "qda_post1":
        assert (fitted.sd_wildtype, fitted.sd_mutant) == pytest.approx(case["sds"])
        assert auc(Scored(case["newy"], fitted.p_mutant(case["newx"]))) == pytest.approx(
            case["auc_qda"]
        )


def test_published_gaussians_give_rs_thresholds(reference):
    """Liu 2020, tables 5 and 6."""
    for case in reference("gda")[1]["cases"]:
        found = model(case["mean_mut"], case["sd_mut"], case["mean_wild"], case["sd_wild"])

        assert found.p_mutant(case["ages"]) == pytest.approx(case["post_mut_equal"], abs=1e-6)
        assert found.threshold() == pytest.approx(case["threshold_equal"], abs=1e-6)


def test_both_roots_of_the_local_cohort_are_reported():
    """Liu 2020, table 6: wildtype is likelier above 54.9 years, and again below 28.1."""
    local = model(45.9, 9.0, 53.3, 14.7)

    assert local.roots() == pytest.approx((28.06, 54.87), abs=0.01)
    assert local.threshold() == pytest.approx(54.87, abs=0.01)
    assert local.p_mutant(local.roots()) == pytest.approx(0.5)
    assert local.p_mutant([20, 45, 70]).round() == pytest.approx([0, 1, 0])


def test_maximum_likelihood_divides_by_n():
    """Squared distances from the mean over 4 ages, not over 3; shared, over all 8."""
    fitted = fit_age_model(AGES, TRUTH, variance="maximum likelihood")
    shared = fit_age_model(AGES, TRUTH, variance="maximum likelihood", shared_variance=True)

    assert fitted.sd_mutant == pytest.approx(np.std([30, 40, 50, 44]))
    assert shared.sd_mutant**2 == pytest.approx(
        (np.var([30, 40, 50, 44]) + np.var([60, 70, 50, 56])) / 2
    )
    assert fitted.variance == "maximum likelihood"


def test_a_monotone_model_never_calls_the_very_young_wildtype():
    """Liu 2020, table 6: held at the turning point, 41.5 years, and the same above it."""
    local, kept = model(45.9, 9.0, 53.3, 14.7), model(45.9, 9.0, 53.3, 14.7, monotone=True)
    ages = np.arange(0, 100.0)

    assert kept.roots() == (local.threshold(),)
    assert kept.turning_point() == local.turning_point() == pytest.approx(41.463, abs=1e-3)
    assert (np.diff(kept.p_mutant(ages)) <= 0).all()
    assert (np.diff(local.p_mutant(ages)) > 0).any()
    assert kept.p_mutant([45, 60]) == pytest.approx(local.p_mutant([45, 60]))
    assert kept.p_mutant([10, 30]) == pytest.approx(local.p_mutant([local.turning_point()] * 2))
    assert np.isnan(kept.p_mutant([np.nan])).all()
    assert kept.notes() == ("Below 41.5 years the odds are held at those of that age.",)
    assert local.notes()[0].startswith("Between 28.1 and 54.9 years mutant is likelier")


def test_a_monotone_model_of_wider_mutants_holds_the_old():
    """The mirror: mutants vary more, so the odds would turn up again at high ages."""
    wide, kept = model(40, 15, 60, 9), model(40, 15, 60, 9, monotone=True)

    assert wide.turning_point() > 60
    assert kept.notes()[0].startswith("Above")
    assert (np.diff(kept.p_mutant(np.arange(0, 120))) <= 0).all()
    assert (np.diff(wide.p_mutant(np.arange(0, 120))) > 0).any()


def test_the_odds_turn_outside_the_means():
    """However the standard deviations differ, so that a side of the turn has both."""
    rng = np.random.default_rng(0)
    for mean_m, mean_w, sd_m, sd_w in rng.uniform([30, 30, 5, 5], [70, 70, 20, 20], (200, 4)):
        turn = model(mean_m, sd_m, mean_w, sd_w).turning_point()

        assert not min(mean_m, mean_w) < turn < max(mean_m, mean_w)


def test_a_prior_that_decides_every_age_is_noted():
    """99 wildtypes to a mutant, hardly different in age."""
    ages = np.concatenate([[50, 60], np.tile([50.0, 60, 70], 66)])
    fitted = fit_age_model(ages, [1, 1] + [0] * 198, priors="empirical", shared_variance=True)

    assert "Every age is called wildtype." in fitted.notes()


@pytest.mark.parametrize(
    ("gaussians", "mutants", "wildtypes", "expected"),
    [
        pytest.param((44.2, 12.7, 55.5, 13.3), 100, 100, (50.4, 50.4, 49.9, 49.9), id="TCGA"),
        pytest.param((45.9, 9.0, 53.3, 14.7), 36, 30, (54.9, 56.5, 49.6, 53.1), id="local"),
        pytest.param(
            (44.65, 11.82565, 54.99231, 13.60871),
            136,
            130,
            (51.6, 52.2, 49.8, 50.5),
            id="combined",
        ),
    ],
)
def test_thresholds_of_liu_2020(gaussians, mutants, wildtypes, expected):
    """Tables 5 and 6: own variances with equal and empirical priors, then one variance.

    The ages are made up to have the published means and standard deviations.
    """
    rng = np.random.default_rng(0)

    def ages(mean, sd, n):
        drawn = rng.normal(size=n)
        return mean + sd * (drawn - drawn.mean()) / drawn.std(ddof=1)

    years = np.concatenate([ages(*gaussians[:2], mutants), ages(*gaussians[2:], wildtypes)])
    truth = [1] * mutants + [0] * wildtypes
    found = [
        fit_age_model(years, truth, shared_variance=shared, priors=priors).threshold()
        for shared in (False, True)
        for priors in ("equal", "empirical")
    ]

    assert found == pytest.approx(expected, abs=0.06)


def test_a_shared_variance_has_one_root_midway():
    """With equal priors the threshold is the middle of the two means."""
    fitted = fit_age_model(AGES, TRUTH, shared_variance=True)

    assert fitted.roots() == pytest.approx(((41 + 59) / 2,))
    assert fitted.sd_mutant == fitted.sd_wildtype


def test_equal_means_and_variances_have_no_threshold():
    """Age says nothing then, and no age is invented."""
    same = model(50, 10, 50, 10)

    assert same.roots() == ()
    assert np.isnan(same.threshold())
    assert same.p_mutant(90) == 0.5


def test_missing_ages_are_left_out_and_counted():
    """They are not replaced by a mean."""
    fitted = fit_age_model([*AGES, np.nan, np.nan], [*TRUTH, 0, 1])

    assert (fitted.missing, fitted.n_mutant, fitted.n_wildtype) == (2, 4, 4)
    assert fitted.mean_mutant == fit_age_model(AGES, TRUTH).mean_mutant
    assert np.isnan(fitted.p_mutant([np.nan])).all()


@pytest.mark.parametrize(
    ("ages", "message"),
    [
        pytest.param([30, np.nan, np.nan, np.nan, 60, 70, 50, 56], "1 mutant and 4", id="one age"),
        pytest.param([40] * 4 + [60, 70, 50, 56], "equal", id="no spread"),
        pytest.param([30, 60], "8 labels, but 2 ages", id="lengths"),
        pytest.param([np.inf, *AGES[1:]], "1 of 8 ages are infinite", id="infinite"),
    ],
)
def test_too_few_ages_are_refused(ages, message):
    """A Gaussian of one age has no width."""
    with pytest.raises(SampleError, match=message):
        fit_age_model(ages, TRUTH)


def test_equal_means_have_no_monotone_model():
    """The odds are symmetric around them: neither side is the young one."""
    with pytest.raises(SampleError, match="both mean ages are 50"):
        fit_age_model([40, 60, 45, 55], [1, 1, 0, 0], monotone=True)


def test_fusion_without_a_penalty_is_rs_glm(reference):
    """glm(y ~ qlogis(p_img) + qlogis(p_age), binomial)."""
    case = reference("gda")[2]
    fitted = fit_fusion(case["p_img"], case["p_age"], case["y"], penalty_c=np.inf)
    fused = fitted.p_mutant(case["new_p_img"], case["new_p_age"])

    found = (fitted.intercept, fitted.image, fitted.age)
    assert found == pytest.approx(case["glm_logit"]["coef"], abs=1e-6)
    assert fused == pytest.approx(case["glm_logit"]["new"], abs=1e-6)


def test_fusion_of_bare_probabilities_is_rs_glm(reference):
    """glm(y ~ p_img + p_age), fitted on training and on validation patients."""
    case = reference("gda")[2]
    fitted = fit_fusion(
        case["p_img"], case["p_age"], case["y"], penalty_c=np.inf, scale="probability"
    )
    again = fit_fusion(
        case["new_p_img"],
        case["new_p_age"],
        case["newy"],
        penalty_c=np.inf,
        scale="probability",
    )

    found = (fitted.intercept, fitted.image, fitted.age)
    assert found == pytest.approx(case["glm_prob"]["coef"], abs=1e-6)
    fused = fitted.p_mutant(case["new_p_img"], case["new_p_age"])
    assert fused == pytest.approx(case["glm_prob"]["new"], abs=1e-6)
    assert auc(Scored(case["newy"], fused)) == pytest.approx(case["glm_prob"]["auc"], abs=1e-6)
    found = (again.intercept, again.image, again.age)
    assert found == pytest.approx(case["glm_fit_on_validation"]["coef"], abs=1e-6)


def test_fusion_of_lius_rows_is_rs_glm(reference):
    """34 made-up validation patients with the counts of table 3; an age that adds nothing."""
    folder = Path(os.environ.get("IDHRAY_REFERENCE", BESIDE_REPOSITORY))
    (case,) = [one for one in reference("logistic") if one["id"].startswith("liu rows fuse")]
    rows = pd.read_csv(folder / "stats" / "data" / case["data"])
    fitted = fit_fusion(
        rows["T1_val_Inception_V3"],
        rows["T3_val_Age"],
        rows["y"],
        penalty_c=np.inf,
        scale="probability",
    )

    found = (fitted.intercept, fitted.age, fitted.image)
    assert found == pytest.approx(case["coef"], abs=1e-6)


def test_fusion_solves_the_score_equations():
    """At the maximum, labels and fused probabilities agree on the average of each column."""
    rng = np.random.default_rng(0)
    image, age, truth = rng.random(60), rng.random(60), rng.integers(0, 2, 60)
    fused = fit_fusion(image, age, truth, penalty_c=np.inf).p_mutant(image, age)

    for column in (np.ones(60), logit(image), logit(age)):
        assert (truth - fused) @ column == pytest.approx(0, abs=1e-7)


def test_separated_patients_get_finite_weights():
    """Eight patients that the image separates perfectly, at probabilities of 0 and 1."""
    fitted = fit_fusion([1, 1, 1, 1, 0, 0, 0, 0], [0.6, 0.5, 0.7, 0.4] * 2, TRUTH)

    assert 0 < fitted.image < 2
    assert abs(fitted.age) < 2
    assert (fitted.p_mutant([1, 0], [0.5, 0.5]).round() == [1, 0]).all()


def test_fusion_refuses_missing_probabilities():
    """A patient without an age belongs in neither the fit nor its n."""
    with pytest.raises(SampleError, match="got 7"):
        fit_fusion([0.5] * 8, [np.nan] + [0.5] * 7, TRUTH)


def test_fusion_refuses_what_is_no_probability():
    """Clipped to 0.9999 it would pass as certainty."""
    with pytest.raises(SampleError, match="1 of 16 probabilities lie outside"):
        fit_fusion([0.5] * 8, [1.2] + [0.5] * 7, TRUTH)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        pytest.param([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1], "separate the classes", id="apart"),
        pytest.param([0.5] * 8, "the same of all patients", id="constant"),
    ],
)
def test_unpenalized_weights_that_do_not_exist_are_refused(image, message):
    """glm would print a coefficient in the tens, and no warning."""
    with pytest.raises(SampleError, match=message):
        fit_fusion(image, [0.3, 0.6, 0.4, 0.5, 0.5, 0.4, 0.6, 0.3], TRUTH, penalty_c=np.inf)
