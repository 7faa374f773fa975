"""Trials of the classifiers that see a patient's images together: attention and mean pooling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.chance import seed_for
from idhray.classify.aggregate import patient_scores, prediction_rows
from idhray.classify.attention import MilSettings, fit_attention, patient_probability
from idhray.classify.bags import Bags, bag_means
from idhray.classify.frozen import fit_frozen, repeat_weights
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import ClassifierSettings
from idhray.classify.trial_models import head_tensors
from idhray.experiment.arms import parse_arm
from idhray.experiment.classifiers import head_name
from idhray.experiment.images import ArmImages
from idhray.experiment.settings import Budget
from idhray.experiment.trials import Trial
from idhray.stages.experiment.data import ExperimentData, arm_rows_of
from idhray.stages.experiment.features import EncodedImages
from idhray.stages.experiment.frozen_trial import added_features

PatientRows = list[dict[str, Any]]


@dataclass(frozen=True)
class _ArmBags:
    """Training images of one arm with their features."""

    rows: ArmImages
    bags: Bags
    real: EncodedImages
    added: EncodedImages


def _arm_bags(
    trial: Trial,
    generators: tuple[str, ...],
    data: ExperimentData,
    settings: ClassifierSettings,
) -> _ArmBags:
    assert data.features is not None
    rows, fold = arm_rows_of(data, trial), data.folds[trial.fold]
    real = data.real.view(rows.real)
    bags = Bags(
        real.patients,
        real.labels,
        rows.added_labels,
        (len(fold.train[0]), len(fold.train[1])),
        seed_for(data.seed, "experiment", trial.fold, trial.repeat),
    )
    added = added_features(trial, rows, generators, data, settings)
    return _ArmBags(rows, bags, data.features.real[rows.real], added)


def mean_pool_trial(
    trial: Trial,
    generators: tuple[str, ...],
    data: ExperimentData,
    settings: ClassifierSettings,
) -> tuple[PatientRows, dict[str, Any], dict[str, Tensor]]:
    """Rows of the predictions, what the table of trials says of the training, and its weights.

    The scale of the features is that of the arm `real`, so that arms differ in their bags alone.
    """
    features = data.features
    assert features is not None
    arm = _arm_bags(trial, generators, data, settings)
    fold = np.concatenate(data.folds[trial.fold].train)
    whole = data.real.view(fold)
    unaltered = Bags(
        whole.patients, whole.labels, whole.labels[:0], arm.bags.class_images, arm.bags.seed
    )
    head = fit_frozen(
        bag_means(arm.bags, arm.real, arm.added, repeat_weights(arm.bags.patients, arm.bags.seed)),
        arm.bags.bag_labels,
        weights=np.ones(len(arm.bags.names)),
        penalty=features.bag_penalties[trial.fold],
        scale_of=bag_means(unaltered, features.real[fold], features.real[:0]),
    )

    def probability(of_patient: EncodedImages) -> float:
        return float(head.mutant_probabilities(of_patient.mean(axis=0, keepdims=True))[0])

    rows, scores = _predicted(trial, data, probability)
    values = {**_counts(arm), "steps": None, "epoch_chosen": None, **scores}
    return rows, values, head_tensors(head)


def abmil_trial(
    trial: Trial,
    generators: tuple[str, ...],
    data: ExperimentData,
    settings: ClassifierSettings,
    *,
    mil: MilSettings,
    budget: Budget,
) -> tuple[PatientRows, dict[str, Any], dict[str, Tensor]]:
    """Rows of the predictions, what the table of trials says of the training, and its weights.

    Args:
        trial: The trial.
        generators: SYNTHETIC folders of the trial.
        data: All images and features.
        settings: Preparation of the images.
        mil: Settings of the attention pooling.
        budget: With equal steps every arm sees as many bags.
    """
    assert data.features is not None
    arm = _arm_bags(trial, generators, data, settings)
    fold = data.folds[trial.fold]
    patients = len(np.unique(data.real.patients[np.concatenate(fold.train)]))
    more = parse_arm(trial.arm).count if budget == "epochs" else 0
    val = data.real.view(fold.val).labeled()
    fitted = fit_attention(
        arm.bags,
        arm.real,
        arm.added,
        [(int(rows.labels[0]), data.features.real[rows.rows]) for rows in _by_patient(val)],
        mil,
        bags_per_epoch=round(patients * (fold.n_real + more) / fold.n_real),
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    rows, _ = _predicted(trial, data, lambda images: patient_probability(fitted.head, images))
    values = {
        **_counts(arm),
        "steps": fitted.steps,
        "epoch_chosen": fitted.epoch,
        "val_loss": fitted.val_loss,
        "val_auc": fitted.val_auc,
        "attention_added": fitted.attention_added,
        "slots_added": fitted.slots_added,
    }
    return rows, values, {name: t.cpu() for name, t in fitted.head.state_dict().items()}


def _counts(arm: _ArmBags) -> dict[str, Any]:
    return {
        "real_images": len(arm.real),
        "added_images": len(arm.added),
        "images_shown": None,
        "added_shown": None,
    }


def _by_patient(images: ImageRows) -> Sequence[ImageRows]:
    """Images of each patient, the patients sorted."""
    names = np.unique(images.patients)
    return [images.take(np.flatnonzero(images.patients == name)) for name in names]


def _predicted(trial: Trial, data: ExperimentData, probability: Any) -> tuple[PatientRows, Any]:
    """PREDICTIONS rows of the fold's held-out patients, and the scores on validation."""
    assert data.features is not None
    arm, fold = parse_arm(trial.arm), data.folds[trial.fold]
    rows: PatientRows = []
    scores: dict[str, Any] = {}
    for split, numbers in (("val", fold.val), ("test", fold.test)):
        images = data.real.view(numbers)
        p: NDArray[np.float64] = np.zeros(len(images))
        for name in np.unique(images.patients):
            of_patient = images.patients == name
            p[of_patient] = probability(data.features.real[numbers[of_patient]])
        scores = scores or patient_scores(images, p)
        rows += prediction_rows(
            images,
            p,
            split=split,
            model=head_name(trial.classifier, data.features.encoder),
            n_synthetic=arm.count if arm.kind == "synthetic" else 0,
            repeat=trial.repeat,
        )
    return rows, scores
