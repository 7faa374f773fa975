"""A pilot's variance components against the model that made its predictions."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from idhray.errors import ConfigError
from idhray.planning.experiment.errors import ScoreModel
from idhray.planning.experiment.pilot import pilot_of
from idhray.stats.arms.columns import prediction_rows

MODEL = ScoreModel(auc=0.8, correlation=0.7, training_correlation=0.85, training_sd=0.3)


def predictions(patients: int, folds: int, repeats: int, seed: int = 0) -> pd.DataFrame:
    """Two arms without a difference, whose scores are those of `MODEL`."""
    rng = np.random.default_rng(seed)
    labels = np.arange(patients) % 2
    fold = np.arange(patients) // 2 % folds
    shared = MODEL.correlation**0.5 * rng.normal(size=patients)
    distance = special.ndtri(MODEL.auc) * (2 + MODEL.training_sd**2) ** 0.5
    tables = []
    for arm in ("real", "synthetic:600"):
        of_arm = (MODEL.training_correlation - MODEL.correlation) ** 0.5 * rng.normal(size=patients)
        for repeat in range(repeats):
            luck = MODEL.training_sd * rng.normal(size=folds)
            scores = shared + of_arm + (distance + luck[fold]) * labels
            scores += (1 - MODEL.training_correlation) ** 0.5 * rng.normal(size=patients)
            tables.append(
                pd.DataFrame(
                    {
                        "patient": [f"P{number:05d}" for number in range(patients)],
                        "label": labels,
                        "fold": fold + 1,
                        "repeat": repeat + 1,
                        "arm": arm,
                        "p_mutant": special.expit(scores),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def test_a_large_pilot_gives_back_the_model():
    """2000 patients in 5 folds, 20 repeats: its components are the model's, and so is the fit."""
    pilot = pilot_of(prediction_rows(predictions(2000, 5, 20)))
    errors, model = MODEL.errors(), pilot.model()

    assert pilot.errors.training.luck == pytest.approx(errors.training.luck, rel=0.25)
    assert pilot.errors.training.single == pytest.approx(errors.training.single, rel=0.08)
    assert pilot.errors.between.single == pytest.approx(errors.between.single, rel=0.15)
    assert model.auc == pytest.approx(0.8, abs=0.02)
    assert model.correlation == pytest.approx(0.7, abs=0.03)
    assert model.training_correlation == pytest.approx(0.85, abs=0.03)
    assert model.training_sd == pytest.approx(0.3, rel=0.2)


def test_the_fitted_model_has_the_variances_of_the_pilot():
    """A small pilot too: what was estimated is what is planned with."""
    pilot = pilot_of(prediction_rows(predictions(60, 3, 4, seed=1)))
    errors = pilot.model().errors()

    assert errors.training.luck == pytest.approx(pilot.errors.training.luck, abs=1e-5)
    assert errors.training.single == pytest.approx(pilot.errors.training.single, rel=1e-3)
    assert errors.between.single == pytest.approx(pilot.errors.between.single, rel=1e-2, abs=1e-4)


def test_a_single_repeat_says_nothing_of_trainings():
    """Two repeats are the fewest."""
    with pytest.raises(
        ConfigError, match="1 complete repeats of synthetic:600 and real; 2 or more"
    ):
        pilot_of(prediction_rows(predictions(40, 2, 1)))
