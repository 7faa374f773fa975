"""Objective of a search: inner patients of the training part only, and no patient in both."""

from dataclasses import replace

import numpy as np
import pytest

from idhray.classify.attention import MilSettings
from idhray.classify.image_set import ImageSet
from idhray.errors import LeakageError, TableError
from idhray.stages.experiment.settings import ExperimentSettings, changed_settings
from idhray.stages.tuning.inner_data import InnerData, inner_patients
from idhray.stages.tuning.objective import evaluate
from tests.classify.made_up import TINY, dots

PATIENTS = np.repeat([f"P{n:02d}" for n in range(12)], 4)
LABELS = np.repeat(np.arange(12) % 2, 4).astype(np.int8)
SETTINGS = ExperimentSettings(
    classifier=replace(TINY, epochs=4, batch_size=8),
    mil=MilSettings(embedding=8, attention=4, slots=4, epochs=8, learning_rate=0.01),
)


def data(shift=2.0, pixels=False):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(48, 5)).astype(np.float32)
    features[:, 0] += shift * LABELS
    images = [dots(label, n) for n, label in enumerate(LABELS)] if pixels else np.zeros((48, 0, 0))
    return InnerData(
        fold=2,
        images=ImageSet(
            np.asarray(images, np.uint8), LABELS, PATIENTS, np.tile(np.arange(1, 5), 12)
        ),
        features=features,
        inner=inner_patients(LABELS, PATIENTS, count=3, seed=1),
        seed=3,
    )


def scores_of(settings, kind, of):
    scores = []
    evaluate(settings, kind, of, scores.append)
    return scores


@pytest.mark.parametrize("kind", ["frozen", "mean-pool", "abmil"])
def test_a_signal_is_found_and_noise_is_not(kind):
    """AUC on patients that the inner trainings never saw; one report for each inner fold."""
    settings = changed_settings(SETTINGS, kind, {} if kind == "abmil" else {"penalty": 10.0})
    signal, noise = (scores_of(settings, kind, data(shift))[-1] for shift in (3.0, 0.0))

    assert [score.resource for score in scores_of(settings, kind, data())] == [4, 8, 12]
    assert signal.auc > 0.9
    assert signal.log_loss < noise.log_loss
    assert signal.objective == pytest.approx(signal.auc, abs=1e-4)


def test_a_network_reports_after_each_quarter_of_an_inner_fold():
    """The scheduler may stop it there."""
    scores = scores_of(SETTINGS, "network", data(pixels=True))

    assert [score.resource for score in scores] == list(range(1, 13))
    assert all(0 <= score.auc <= 1 for score in scores)


def test_each_patient_is_held_out_once_and_never_trained_on_then():
    """Both classes are in every inner fold."""
    of = data()
    held_out = np.concatenate(of.inner)
    for number in range(3):
        train, val = of.rows(number)
        assert not set(PATIENTS[train]) & set(PATIENTS[val])
        assert set(LABELS[val]) == {0, 1}

    assert sorted(held_out) == sorted(set(PATIENTS))
    with pytest.raises(TableError, match="13 inner folds need 13 or more training patients"):
        inner_patients(LABELS, PATIENTS, count=13, seed=1)


def test_an_inner_validation_patient_in_the_inner_training_is_refused():
    """A planted leak: the search would choose what remembers the patient."""
    of = data()
    train, val = of.rows(0)

    with pytest.raises(LeakageError, match="inner fold 1 of fold 2"):
        of.assert_apart(np.append(train, val[:1]), val, 0)
