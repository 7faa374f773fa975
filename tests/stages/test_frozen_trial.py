"""Inner folds of one trial of the frozen encoder, on made-up features."""

import numpy as np
import pytest

from idhray.chance import seed_for
from idhray.classify.frozen import fit_frozen, inner_folds
from idhray.classify.image_set import ImageSet
from idhray.experiment.arms import parse_arm
from idhray.experiment.images import CohortImages, arm_images, fold_images
from idhray.experiment.trials import Trial
from idhray.stages.experiment.data import ExperimentData
from idhray.stages.experiment.features import ExperimentFeatures
from idhray.stages.experiment.frozen_trial import inner_predictions

PATIENTS = np.repeat([f"P{n:02d}" for n in range(16)], 3)
LABELS = np.repeat(np.arange(16) % 2, 3).astype(np.int8)
TRAINING = {f"P{n:02d}": "train" if n < 10 else "val" if n < 12 else "test" for n in range(16)}


@pytest.fixture
def data():
    """Three images of 16 patients; ten of them train."""
    ranks = np.tile(np.arange(1, 4), 16).astype(np.int64)
    images = CohortImages(
        patients=PATIENTS, labels=LABELS, ranks=ranks, identities=np.arange(48).astype(np.str_)
    )
    fold = fold_images(images, TRAINING, train_per_class=None, eval_per_patient=None)
    features = np.random.default_rng(0).normal(LABELS[:, None], 1.5, (48, 4))
    return ExperimentData(
        real=ImageSet(
            pixels=np.zeros((48, 4, 4), np.uint8), labels=LABELS, patients=PATIENTS, ranks=ranks
        ),
        synthetic={},
        features=ExperimentFeatures(
            encoder="made-up",
            real=features,
            synthetic={},
            penalties={1: 1.0},
            bag_penalties={1: 1.0},
        ),
        images=images,
        folds={1: fold},
        seed=0,
    )


def rows_of(data, arm):
    rows = arm_images(parse_arm(arm), data.images, data.folds[1], seed=0, fold_number=1, repeat=1)
    added = data.features.real[rows.added] if rows.source == "real" else np.zeros((0, 4))
    weights = np.ones(len(rows.real) + len(rows.added))
    trial = Trial(fold=1, repeat=1, arm=arm, classifier="frozen")
    return rows, inner_predictions(trial, rows, added, weights, data)


def test_no_image_of_a_held_out_patient_is_in_its_inner_model(data):
    """A duplicate of its image would be: the fusion would trust the image too much."""
    rows, predictions = rows_of(data, "duplicate:10")
    by_patient = {row["patient"]: row["p_mutant"] for row in predictions}
    seed = seed_for(data.seed, "experiment", "inner", 1)
    held_out = inner_folds(LABELS[rows.real], PATIENTS[rows.real], seed=seed)[0]
    every = np.concatenate([rows.real, rows.added])
    used = every[~np.isin(PATIENTS[every], held_out)]
    head = fit_frozen(
        data.features.real[used],
        LABELS[used],
        weights=np.ones(len(used)),
        penalty=1.0,
        n_scale=int((~np.isin(PATIENTS[rows.real], held_out)).sum()),
    )

    assert set(by_patient) == {name for name, role in TRAINING.items() if role == "train"}
    assert {row["split"] for row in predictions} == {"inner"}
    for name in held_out:
        p = head.mutant_probabilities(data.features.real[name == PATIENTS])
        assert by_patient[name] == pytest.approx(p.mean(), abs=1e-6)


def test_an_arm_whose_generators_saw_all_training_patients_has_no_inner_predictions(data):
    """Its images may show the patient who is held out."""
    assert rows_of(data, "synthetic:4")[1] == []
