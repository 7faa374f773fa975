"""What an age model can achieve: against R, the published ages of Liu 2020, and simulation."""

import numpy as np
import pytest

from benchmarks.papers.age_expected import expected_performance, share_called_mutant
from idhray.stats.probabilities.age import AgeModel
from idhray.stats.roc.area import auc
from idhray.stats.sample import Scored

TCGA, LOCAL = (44.2, 12.7, 55.5, 13.3), (45.9, 9.0, 53.3, 14.7)
BOTH = (44.65, 11.82565, 54.99231, 13.60871)  # pooled from the two


def model(mean_mutant, sd_mutant, mean_wildtype, sd_wildtype, prior=0.5):
    """An age model from published means and SDs."""
    return AgeModel(
        mean_mutant=mean_mutant,
        sd_mutant=sd_mutant,
        n_mutant=100,
        mean_wildtype=mean_wildtype,
        sd_wildtype=sd_wildtype,
        n_wildtype=100,
        prior_mutant=prior,
        shared_variance=sd_mutant == sd_wildtype,
        missing=0,
    )


def test_the_area_of_age_is_that_of_r(reference):
    """pnorm of the distance of the means."""
    for case in reference("gda")[1]["cases"]:
        gaussians = (case["mean_mut"], case["sd_mut"], case["mean_wild"], case["sd_wild"])
        found = expected_performance(model(*gaussians))

        assert found.auc_by_age == pytest.approx(case["auc_monotone"], abs=1e-6)


@pytest.mark.parametrize(
    ("made", "expected_rates", "expected_areas"),
    [
        pytest.param(model(*TCGA), (0.688, 0.649, 0.669), (0.731, 0.731), id="TCGA"),
        pytest.param(model(*LOCAL), (0.817, 0.501, 0.668), (0.666, 0.702), id="local"),
        pytest.param(model(*BOTH), (0.721, 0.599, 0.664), (0.717, 0.717), id="combined"),
        pytest.param(
            model(*BOTH, 136 / 266), (0.740, 0.580, 0.665), (0.717, 0.717), id="as frequent"
        ),
    ],
)
def test_the_ages_of_liu_2020_allow_no_more(made, expected_rates, expected_areas):
    """Tables 5 and 6 for 18 mutant and 16 wildtype patients; accuracies .62 and .74 are printed."""
    found = expected_performance(made)

    rates = (found.sensitivity, found.specificity, found.accuracy)
    assert rates == pytest.approx(expected_rates, abs=6e-4)
    areas = (found.auc_by_age, found.auc_by_posterior)
    assert areas == pytest.approx(expected_areas, abs=5e-4)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(model(*LOCAL), id="second root"),
        pytest.param(model(40, 15, 52, 8, 0.3), id="mutants wider"),
        pytest.param(model(60, 8, 50, 12), id="mutants older"),
        pytest.param(model(50, 6, 50, 15), id="equal means"),
        pytest.param(model(45, 10, 55, 10, 0.2), id="one variance"),
        pytest.param(model(60, 10, 55, 10), id="one variance, older"),
    ],
)
def test_expectations_agree_with_a_simulation(made):
    """100,000 patients a class: standard errors below .0016."""
    rng = np.random.default_rng(0)
    mutant = made.p_mutant(rng.normal(made.mean_mutant, made.sd_mutant, 100_000))
    wildtype = made.p_mutant(rng.normal(made.mean_wildtype, made.sd_wildtype, 100_000))
    found = expected_performance(made)

    assert found.sensitivity == pytest.approx((mutant >= 0.5).mean(), abs=0.007)
    assert found.specificity == pytest.approx((wildtype < 0.5).mean(), abs=0.007)
    assert found.accuracy == pytest.approx((18 * found.sensitivity + 16 * found.specificity) / 34)
    area = auc(Scored([1] * 100_000 + [0] * 100_000, np.concatenate([mutant, wildtype])))
    assert found.auc_by_posterior == pytest.approx(area, abs=0.006)


def test_the_share_below_an_age_is_that_of_the_gaussian():
    """All under the threshold are called mutant, so a lower limit leaves the normal integral."""
    made = model(45, 10, 55, 10)

    assert made.threshold() == pytest.approx(50)
    assert share_called_mutant(made, 45, 10, 40) == pytest.approx(0.3085375387)  # Phi(-1/2)
    assert share_called_mutant(made, 45, 10) == pytest.approx(0.6914624613)  # Phi(1/2)


def test_without_a_turn_both_areas_are_one():
    """Phi of the distance of the means over the root of both variances."""
    found = expected_performance(model(45, 10, 55, 10))

    assert found.auc_by_age == pytest.approx(0.7602499)
    assert found.auc_by_posterior == pytest.approx(found.auc_by_age, abs=1e-9)


def test_ages_that_say_nothing_give_one_half():
    """Equal Gaussians; every patient is called mutant at odds of exactly 1."""
    found = expected_performance(model(50, 10, 50, 10))

    assert (found.auc_by_age, found.auc_by_posterior) == pytest.approx((0.5, 0.5))
    assert (found.sensitivity, found.specificity) == pytest.approx((1, 0))
