"""The age model: against MASS, and by hand."""

import numpy as np
import pytest

from idhray.stats.probabilities.age import AgeModel, fit_age_model
from idhray.stats.roc.area import auc
from idhray.stats.sample import SampleError, Scored

AGES = [30, 40, 50, 44, 60, 70, 50, 56]
TRUTH = [1, 1, 1, 1, 0, 0, 0, 0]


def model(mean_mutant, sd_mutant, mean_wildtype, sd_wildtype):
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
    )


@pytest.mark.parametrize(("shared", "name"), [(False, "qda_post1"), (True, "lda_post1")])
@pytest.mark.parametrize("priors", ["equal", "empirical"])
def test_posteriors_are_those_of_mass(reference, shared, name, priors):
    """MASS::qda and lda at their defaults."""
    case = reference("gda")[0]
    fitted = fit_age_model(case["x"], case["cls"], shared_variance=shared, priors=priors)

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


def test_the_odds_turn_outside_the_means():
    """However the standard deviations differ, so that a side of the turn has both."""
    rng = np.random.default_rng(0)
    for mean_m, mean_w, sd_m, sd_w in rng.uniform([30, 30, 5, 5], [70, 70, 20, 20], (200, 4)):
        turn = model(mean_m, sd_m, mean_w, sd_w).turning_point()

        assert not min(mean_m, mean_w) < turn < max(mean_m, mean_w)


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
