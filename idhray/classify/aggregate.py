"""Aggregation of images to patients: probabilities, loss, AUC and PREDICTIONS rows."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from idhray.classify.backbones import network_input
from idhray.classify.image_set import IDH_OF_LABEL, UNLABELED, ImageRows
from idhray.errors import TableError

MIN_PROBABILITY = 1e-7  # smaller probabilities are raised to this before the logarithm
BATCH_SIZE = 64  # images predicted at once


def mutant_probabilities(
    network: nn.Module, images: ImageRows, *, device: torch.device | str = "cpu"
) -> NDArray[np.float64]:
    """Probability of IDH mutation of each image, (N,)."""
    network.eval()
    probabilities = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH_SIZE):
            batch = network_input(images.pixels(slice(start, start + BATCH_SIZE))).to(device)
            probabilities.append(network(batch).double().softmax(dim=1)[:, 1].cpu().numpy())
    return np.concatenate(probabilities) if probabilities else np.empty(0)


def patient_means(
    patients: NDArray[np.str_], p_mutant: NDArray[np.float64]
) -> tuple[NDArray[np.str_], NDArray[np.float64], NDArray[np.int64]]:
    """Patients in sorted order, the mean probability of each patient's images, and their number.

    Source: Liu et al. 2020, Methods, "ResNet50 for image classification": class probabilities
    "aggregated" over a patient's patches; the mean is our choice.
    """
    names, patient_of_image, counts = np.unique(patients, return_inverse=True, return_counts=True)
    sums = np.bincount(patient_of_image, weights=p_mutant, minlength=len(names))
    return names, sums / counts, counts


def patient_labels(images: ImageRows) -> NDArray[np.int8]:
    """Label of each patient, in the order of `patient_means`.

    Raises:
        TableError: The images of a patient have two labels.
    """
    names, first, patient_of_image = np.unique(
        images.patients, return_index=True, return_inverse=True
    )
    labels = images.labels[first]
    if len(conflicts := np.flatnonzero(labels[patient_of_image] != images.labels)):
        raise TableError(f"patient {names[patient_of_image[conflicts[0]]]}: images of two labels")
    return labels


def prediction_rows(
    images: ImageRows,
    p_mutant: NDArray[np.float64],
    *,
    split: str,
    model: str,
    n_synthetic: int,
    repeat: int = 0,
) -> list[dict[str, Any]]:
    """PREDICTIONS rows, one per patient, sorted by patient; unknown idh is empty.

    Args:
        images: All images of the split.
        p_mutant: Probabilities of these images, from `mutant_probabilities`.
        split: Split of the images.
        model: Name of the classifier.
        n_synthetic: Synthetic images in its training.
        repeat: Number of the repeated training.
    """
    run_columns = {"split": split, "model": model, "n_synthetic": n_synthetic}
    patients = zip(*patient_means(images.patients, p_mutant), patient_labels(images), strict=True)
    return [
        {
            "patient": str(patient),
            "idh": IDH_OF_LABEL[int(label)],
            **run_columns,
            "repeat": repeat,
            "fold": 0,
            "p_mutant": float(p),
            "n_images": int(count),
        }
        for patient, p, count, label in patients
    ]


def patient_scores(images: ImageRows, p_mutant: NDArray[np.float64]) -> dict[str, float | None]:
    """Mean log loss over labeled patients, and their AUC (None if a class is missing)."""
    labels = patient_labels(images)
    _, p, _ = patient_means(images.patients, p_mutant)
    labeled = labels != UNLABELED
    p, labels = p[labeled].clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY), labels[labeled]
    loss = -np.where(labels == 1, np.log(p), np.log1p(-p)).mean()
    return {"val_loss": float(loss), "val_auc": concordance(labels, p)}


def concordance(labels: NDArray[np.int8], p: NDArray[np.float64]) -> float | None:
    """Share of (mutant, wildtype) pairs that `p` ranks correctly (AUC); ties count half."""
    ahead = p[labels == 1][:, None] - p[labels == 0][None, :]
    return float(np.mean(np.sign(ahead) / 2 + 0.5)) if ahead.size else None
