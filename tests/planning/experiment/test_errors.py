"""Variances of areas against quadrature, published figures and simulated experiments."""

import numpy as np
import pytest
from scipy import special, stats

from idhray.errors import ConfigError
from idhray.planning.experiment.design import ExperimentDesign
from idhray.planning.experiment.errors import ScoreModel, area_sd, distance_sd
from idhray.planning.experiment.simulation import simulated_contrasts
from idhray.stats.arms.detectable import detectable_gain, detectable_margin


@pytest.mark.parametrize(("auc", "sd"), [(0.8, 0.25), (0.9, 0.5), (0.6, 0.1)])
def test_luck_of_d_prime_becomes_luck_of_an_area(auc, sd):
    """The closed form is the variance of Phi((d' + u) / sqrt 2) by quadrature over u."""
    points = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    distance = special.ndtri(auc) * np.sqrt(2 + sd**2)
    areas = special.ndtr((distance + sd * points) / np.sqrt(2))

    assert areas.mean() == pytest.approx(auc, abs=1e-4)
    assert area_sd(auc, sd) == pytest.approx(areas.std(), rel=1e-3)
    assert distance_sd(auc, area_sd(auc, sd)) == pytest.approx(sd, rel=1e-5)


@pytest.mark.parametrize(
    ("classes", "auc", "correlation", "margin", "gain"),
    [
        ((18, 16), 0.8, 0.9, 0.12, 0.11),
        ((18, 16), 0.9, 0.9, 0.085, 0.08),
        ((31, 31), 0.8, 0.9, 0.083, 0.08),
        ((31, 31), 0.9, 0.9, 0.06, 0.058),
        ((18, 16), 0.8, 0.97, 0.07, 0.067),
        ((18, 16), 0.9, 0.97, 0.052, 0.05),
        ((136, 130), 0.8, 0.9, 0.040, 0.038),
        ((136, 130), 0.9, 0.9, 0.027, 0.026),
        ((400, 400), 0.8, 0.9, 0.022, 0.021),
        ((400, 400), 0.9, 0.9, 0.0155, 0.015),
    ],
)
def test_figures_of_a_paired_delong_test(classes, auc, correlation, margin, gain):
    """Simulated elsewhere for trainings without luck, to two digits; 80% power."""
    design = ExperimentDesign(
        n_mutant=classes[0], n_wildtype=classes[1], folds=1, repeats=5, generators="one"
    )
    variance = design.variance(ScoreModel(auc=auc, correlation=correlation).errors())

    assert detectable_margin(variance) == pytest.approx(margin, rel=0.05)
    assert detectable_gain(variance) == pytest.approx(gain, rel=0.05)


@pytest.mark.parametrize("generators", ["per fold and repeat", "per fold", "one"])
@pytest.mark.parametrize(("folds", "repeats"), [(1, 5), (5, 3)])
def test_variance_is_that_of_simulated_experiments(generators, folds, repeats):
    """SD of 3000 simulated estimates, whose error is 1.3 %, with luck of every kind and a gain."""
    if generators == "per fold" and folds == 1:
        pytest.skip("with one fold this is one generator in all")
    model = ScoreModel(
        auc=0.8,
        correlation=0.7,
        training_correlation=0.85,
        training_sd=0.3,
        generator_sd=0.25,
    )
    design = ExperimentDesign(
        n_mutant=40, n_wildtype=30, folds=folds, repeats=repeats, generators=generators
    )
    [simulated] = simulated_contrasts(model, design, [0.05], studies=3000)
    variance = design.variance(model.errors(0.05, generators))

    assert (variance.trainings + variance.patients) ** 0.5 == pytest.approx(
        simulated.difference[:, 0].std(), rel=0.05
    )
    assert simulated.difference[:, 0].mean() == pytest.approx(0.05, abs=0.004)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"auc": 0.4}, "between 0.5 and 1"),
        ({"correlation": 1.0}, "below 1"),
        ({"training_correlation": 0.5}, "from 0.9 to 1"),
        ({"training_sd": -0.1}, "0 or more"),
        ({"generator_sd": float("nan")}, "0 or more"),
    ],
)
def test_nonsense_is_refused(change, message):
    """One line that names the value."""
    with pytest.raises(ConfigError, match=message):
        ScoreModel(**{"auc": 0.8, "correlation": 0.9, **change})


def test_an_area_cannot_vary_more_than_its_mean_allows():
    """An AUC of .9 has an SD of .3 at most, where it is 0 or 1."""
    with pytest.raises(ConfigError, match=r"SD of an AUC of 0.9 must be from 0 to 0\.\d+, got 0.4"):
        distance_sd(0.9, 0.4)
