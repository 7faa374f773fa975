"""Simulated experiments: the verdict's own formulas, and its closed form for many patients."""

import numpy as np
import pytest

from idhray.planning.experiment import simulation
from idhray.planning.experiment.design import ExperimentDesign, power_of_all
from idhray.planning.experiment.errors import ScoreModel
from idhray.planning.experiment.simulation import simulated_contrasts
from idhray.stats.arms.contrasts import fold_means_contrast
from idhray.stats.arms.detectable import gain_power
from idhray.stats.mrmc.split_plot import contrast_of_components


@pytest.mark.parametrize(
    ("folds", "repeats", "generators"),
    [(1, 5, "per fold and repeat"), (5, 3, "per fold and repeat"), (5, 3, "per fold")],
)
def test_each_experiment_is_judged_as_the_verdict_judges_it(folds, repeats, generators):
    """The contrast of every single experiment by `stats.mrmc` and `stats.arms`."""
    rng = np.random.default_rng(3)
    design = ExperimentDesign(
        n_mutant=5 * folds,
        n_wildtype=7 * folds,
        folds=folds,
        repeats=repeats,
        generators=generators,
    )
    parts = [
        (rng.normal(size=(4, 3, repeats, 5)), rng.normal(size=(4, 3, repeats, 7)))
        for _ in range(folds)
    ]
    shifted = [
        (m, w - w.mean(axis=-1, keepdims=True) + m.mean(axis=-1, keepdims=True)) for m, w in parts
    ]  # the means of both sides are the same area
    difference, se, df = simulation._combined(
        [simulation._moments(*part) for part in shifted], design
    )

    for study in range(4):
        for arm in range(3):
            of_arm = [(m[study, arm], w[study, arm]) for m, w in shifted]
            expected = contrast_of_components(of_arm)
            if generators == "per fold":
                expected = fold_means_contrast(np.array([m.mean(axis=1) for m, _ in of_arm]))
            assert difference[study, arm] == pytest.approx(expected.difference, rel=1e-10)
            assert se[study, arm] == pytest.approx(expected.se, rel=1e-10)
            assert df[study, arm] == pytest.approx(expected.df, rel=1e-10)


@pytest.mark.parametrize(("training_sd", "generator_sd"), [(0.0, 0.0), (0.3, 0.2)])
def test_closed_form_and_simulation_agree_where_patients_are_many(training_sd, generator_sd):
    """3 points of power; 1500 experiments err by 1.2."""
    model = ScoreModel(
        auc=0.82,
        correlation=0.8,
        training_correlation=0.85,
        training_sd=training_sd,
        generator_sd=generator_sd,
    )
    design = ExperimentDesign(n_mutant=150, n_wildtype=150, folds=5, repeats=3)
    gain = 0.04
    [simulated] = simulated_contrasts(model, design, [gain], studies=1500)
    errors = model.errors(gain)

    assert simulated.power() == pytest.approx(gain_power(design.variance(errors), gain), abs=0.03)
    assert simulated.power_of_all() == pytest.approx(power_of_all(errors, design, gain), abs=0.045)


def test_the_same_numbers_serve_all_gains():
    """A larger gain is then never found less often by chance."""
    model = ScoreModel(auc=0.8, correlation=0.8, training_correlation=0.9, training_sd=0.2)
    design = ExperimentDesign(n_mutant=20, n_wildtype=20, folds=5, repeats=3)
    together = simulated_contrasts(model, design, [0.0, 0.05, 0.1], studies=200)
    [alone] = simulated_contrasts(model, design, [0.1], studies=200)

    np.testing.assert_array_equal(together[2].difference, alone.difference)
    assert together[0].power() <= together[1].power() <= together[2].power()
