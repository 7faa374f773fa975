"""One trial of the frozen encoder: logistic regression on the features of an arm's images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from idhray.chance import seed_for
from idhray.classify.aggregate import patient_scores, prediction_rows
from idhray.classify.encoders import encode_images, encoder_network
from idhray.classify.frozen import (
    FrozenHead,
    arm_weights,
    fit_frozen,
    inner_folds,
    repeat_weights,
)
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import ClassifierSettings
from idhray.classify.trial_models import head_tensors
from idhray.experiment.arms import parse_arm
from idhray.experiment.images import ArmImages
from idhray.experiment.trials import Trial
from idhray.stages.experiment.data import ExperimentData, added_images, arm_rows_of
from idhray.stages.experiment.features import EncodedImages, ExperimentFeatures


def frozen_trial(
    trial: Trial,
    generators: tuple[str, ...],
    data: ExperimentData,
    settings: ClassifierSettings,
) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Tensor]]:
    """Rows of the predictions, what the table of trials says of the training, and its weights."""
    features = data.features
    assert features is not None
    rows = arm_rows_of(data, trial)
    fold = data.folds[trial.fold]
    real = data.real.view(rows.real)
    added = added_features(trial, rows, generators, data, settings)
    weights = arm_weights(
        repeat_weights(real.patients, seed_for(data.seed, "experiment", trial.fold, trial.repeat)),
        len(added),
        total=fold.n_real,
    )
    head = fit_frozen(
        np.concatenate([features.real[rows.real], added]),
        np.concatenate([real.labels, rows.added_labels]),
        weights=weights,
        penalty=features.penalties[trial.fold],
        n_scale=len(real),
    )
    predictions, scores = _predicted(trial, data, features, head)
    predictions += inner_predictions(trial, rows, added, weights, data)
    values = {
        "real_images": len(real),
        "added_images": len(added),
        "steps": None,
        "images_shown": None,
        "added_shown": None,
        "epoch_chosen": None,
        **scores,
    }
    return predictions, values, head_tensors(head)


def inner_predictions(
    trial: Trial,
    rows: ArmImages,
    added: EncodedImages,
    weights: NDArray[np.float64],
    data: ExperimentData,
) -> list[dict[str, Any]]:
    """PREDICTIONS rows (split `inner`) of the training patients, by models that never saw them.

    The fusion with age is fitted on these. There are none for an arm with synthetic images, whose
    generators saw all training patients, nor where a class has fewer than two patients.

    Args:
        trial: The trial.
        rows: Its rows, from `arm_rows_of`.
        added: (n, D) features of the added images.
        weights: (N + n,) weights of the real, then of the added images.
        data: All images.
    """
    features, real = data.features, data.real.view(rows.real)
    assert features is not None
    classes = [np.unique(real.patients[real.labels == label]) for label in (0, 1)]
    if rows.source == "synthetic" or min(map(len, classes)) < 2:
        return []
    every = np.concatenate([features.real[rows.real], added])
    labels = np.concatenate([real.labels, rows.added_labels])
    patients = np.concatenate([real.patients, data.real.patients[rows.added]])
    p = np.zeros(len(real))
    for held_out in inner_folds(
        real.labels, real.patients, seed=seed_for(data.seed, "experiment", "inner", trial.fold)
    ):
        used = ~np.isin(patients, held_out)
        tested = ~used[: len(real)]
        head = fit_frozen(
            every[used],
            labels[used],
            weights=weights[used],
            penalty=features.penalties[trial.fold],
            n_scale=int(used[: len(real)].sum()),
        )
        p[tested] = head.mutant_probabilities(every[: len(real)][tested])
    return prediction_rows(
        real, p, split="inner", model=features.encoder, n_synthetic=0, repeat=trial.repeat
    )


def added_features(
    trial: Trial,
    rows: ArmImages,
    generators: tuple[str, ...],
    data: ExperimentData,
    settings: ClassifierSettings,
) -> EncodedImages:
    """Features of the added images, (n, D)."""
    features = data.features
    assert features is not None
    if rows.source == "synthetic":
        return features.synthetic[generators][rows.added]
    if rows.source == "classic":
        images = added_images(trial, rows, generators, data, settings)
        assert images is not None
        return encode_images(images, encoder_network(data.encoder, settings.channels))
    return features.real[rows.added]


def _predicted(
    trial: Trial, data: ExperimentData, features: ExperimentFeatures, head: FrozenHead
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    arm, fold = parse_arm(trial.arm), data.folds[trial.fold]
    rows: list[dict[str, Any]] = []
    scores: dict[str, Any] = {}
    for split, numbers in (("val", fold.val), ("test", fold.test)):
        images: ImageRows = data.real.view(numbers)
        p: NDArray[np.float64] = head.mutant_probabilities(features.real[numbers])
        scores = scores or patient_scores(images, p)
        rows += prediction_rows(
            images,
            p,
            split=split,
            model=features.encoder,
            n_synthetic=arm.count if arm.kind == "synthetic" else 0,
            repeat=trial.repeat,
        )
    return rows, scores
