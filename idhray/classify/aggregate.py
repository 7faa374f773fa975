"""From images to patients: probabilities, loss, AUC and PREDICTIONS rows."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from idhray.classify.dataset import IDH_OF_LABEL, UNLABELED, ImageSet
from idhray.errors import TableError

MIN_PROBABILITY = 1e-7  # of a probability whose logarithm is taken


def mutant_probabilities(
    network: nn.Module,
    pixels: NDArray[np.uint8],
    *,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> NDArray[np.float64]:
    """The probability of IDH mutation of each image, (N, H, W) uint8 -> (N,)."""
    network.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            batch = torch.from_numpy(pixels[start : start + batch_size])[:, None].to(device)
            found.append(network(batch).double().softmax(dim=1)[:, 1].cpu().numpy())
    return np.concatenate(found) if found else np.empty(0)


def patient_means(
    patients: NDArray[np.str_], p_mutant: NDArray[np.float64]
) -> tuple[NDArray[np.str_], NDArray[np.float64], NDArray[np.int64]]:
    """Patients in sorted order, the mean probability of each one's images, and their number.

    Source: Liu et al. 2020, Methods, "ResNet50 for image classification": class probabilities
    "aggregated" over a patient's patches; that it is the mean is ours.
    """
    names, which, counts = np.unique(patients, return_inverse=True, return_counts=True)
    return names, np.bincount(which, weights=p_mutant, minlength=len(names)) / counts, counts


def patient_labels(images: ImageSet) -> NDArray[np.int8]:
    """The label of each patient, in the order of `patient_means`.

    Raises:
        TableError: the images of a patient have two labels.
    """
    names, first, which = np.unique(images.patients, return_index=True, return_inverse=True)
    labels = images.labels[first]
    if len(torn := np.flatnonzero(labels[which] != images.labels)):
        raise TableError(f"patient {names[which[torn[0]]]}: images of two labels")
    return labels


def prediction_rows(
    images: ImageSet,
    p_mutant: NDArray[np.float64],
    *,
    split: str,
    model: str,
    n_synthetic: int,
    repeat: int = 0,
    fold: int = 0,
) -> list[dict[str, Any]]:
    """PREDICTIONS rows, one a patient, sorted by patient; idh is empty where it is unknown.

    Args:
        images: All images of the split.
        p_mutant: What `mutant_probabilities` gave for them.
    """
    of_run = {"split": split, "model": model, "n_synthetic": n_synthetic}
    means = zip(*patient_means(images.patients, p_mutant), patient_labels(images), strict=True)
    return [
        {
            "patient": str(patient),
            "idh": IDH_OF_LABEL[int(label)],
            **of_run,
            "repeat": repeat,
            "fold": fold,
            "p_mutant": float(p),
            "n_images": int(count),
        }
        for patient, p, count, label in means
    ]


def patient_scores(images: ImageSet, p_mutant: NDArray[np.float64]) -> dict[str, float | None]:
    """Mean log loss over labeled patients, and their AUC (none where one class is missing)."""
    labels = patient_labels(images)
    _, p, _ = patient_means(images.patients, p_mutant)
    known = labels != UNLABELED
    p, labels = p[known].clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY), labels[known]
    loss = -np.where(labels == 1, np.log(p), np.log1p(-p)).mean()
    return {"val_loss": float(loss), "val_auc": concordance(labels, p)}


def concordance(labels: NDArray[np.int8], p: NDArray[np.float64]) -> float | None:
    """The share of (mutant, wildtype) pairs that `p` ranks rightly, ties counted half."""
    ahead = p[labels == 1][:, None] - p[labels == 0][None, :]
    return float(np.mean(np.sign(ahead) / 2 + 0.5)) if ahead.size else None
