"""The age model and its fusion with the image: against MASS and glm, and by hand."""

import numpy as np
import pytest

from idhray.stats.age import AgeModel, fit_age_model, fit_fusion
from idhray.stats.sample import SampleError

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
    ],
)
def test_too_few_ages_are_refused(ages, message):
    """A Gaussian of one age has no width."""
    with pytest.raises(SampleError, match=message):
        fit_age_model(ages, TRUTH)


def test_fusion_without_a_penalty_is_rs_glm(reference):
    """glm(y ~ qlogis(p_img) + qlogis(p_age), binomial)."""
    case = reference("gda")[2]
    fitted = fit_fusion(case["p_img"], case["p_age"], case["y"], penalty_c=np.inf)
    fused = fitted.p_mutant(case["new_p_img"], case["new_p_age"])

    found = (fitted.intercept, fitted.image, fitted.age)
    assert found == pytest.approx(case["glm_logit"]["coef"], abs=1e-6)
    assert fused == pytest.approx(case["glm_logit"]["new"], abs=1e-6)


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
