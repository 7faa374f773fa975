"""Images of each training of the experiment, as rows of the cohort's image table.

Every list is balanced over patients: rank 1 of all patients comes first, then rank 2, and so on;
the order of the patients within a rank depends on their names only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from idhray.chance import generator, seed_for
from idhray.errors import TableError
from idhray.experiment.arms import Arm
from idhray.image_ranks import TIES_SEED, balanced_order

ImageNumbers = NDArray[np.intp]
ImageSource = Literal["real", "classic", "synthetic"]
CLASSES = ("wildtype", "mutant")  # labels 0 and 1
MIN_TESTED = 2
"""Fewest test patients of a class in a fold; DeLong's covariance of an area needs as many."""


@dataclass(frozen=True, kw_only=True)
class CohortImages:
    """Patient, label and rank of each image of the cohort's table; M images."""

    patients: NDArray[np.str_]
    """(M,)"""
    labels: NDArray[np.int8]
    """(M,), wildtype 0, mutant 1, unknown -1."""
    ranks: NDArray[np.int64]
    """(M,), from 1 within each patient."""
    identities: NDArray[np.str_]
    """(M,), digest of pixels, patient and label; the same in a table with other rows."""


@dataclass(frozen=True, kw_only=True)
class FoldImages:
    """Rows of the images of one fold."""

    train: tuple[ImageNumbers, ImageNumbers]
    """Training images of wildtypes and of mutants, in balanced order."""
    reserve: tuple[ImageNumbers, ImageNumbers]
    """Further images of the training patients, in balanced order."""
    val: ImageNumbers
    test: ImageNumbers

    @property
    def n_real(self) -> int:
        """Number of training images."""
        return sum(map(len, self.train))


@dataclass(frozen=True, kw_only=True)
class ArmImages:
    """Images of one training: rows of the real images, and of the images that are added."""

    real: ImageNumbers
    source: ImageSource | None
    """Image set that `added` refers to; None if nothing is added."""
    added: ImageNumbers
    """(n,); classes alternate, wildtype first. Rows of `real` or of its `classic` versions; for
    `synthetic`, places in the alternating list of the generators' images."""
    added_labels: NDArray[np.int8]
    """(n,) labels that the classifier is told."""


def fold_images(
    images: CohortImages,
    roles: Mapping[str, str],
    *,
    train_per_class: int | None,
    eval_per_patient: int | None,
) -> FoldImages:
    """Rows of a fold's training, reserve, validation and test images.

    Args:
        images: All images of the cohort.
        roles: Role of each patient in the fold: train, val or test. Others are left out.
        train_per_class: Training images of each class; None for all.
        eval_per_patient: Images of each held-out patient, the first by rank; None for all.

    Raises:
        TableError: a class has no image among the training or validation patients, or fewer than
            two test patients with images.
    """
    role_of = np.array([roles.get(str(p), "") for p in images.patients])
    order = balanced_order(images.patients.tolist(), images.ranks, TIES_SEED)
    labeled = images.labels >= 0
    by_class = [
        order[(role_of == "train")[order] & (images.labels == label)[order]] for label in (0, 1)
    ]
    held_out = labeled if eval_per_patient is None else labeled & (images.ranks <= eval_per_patient)
    val, test = (np.flatnonzero((role_of == role) & held_out) for role in ("val", "test"))
    _require_both_classes("val", images, val, 1)
    _require_both_classes("test", images, test, MIN_TESTED)
    _require_both_classes("train", images, np.concatenate(by_class), 1)
    cut = [len(rows) if train_per_class is None else train_per_class for rows in by_class]
    return FoldImages(
        train=(by_class[0][: cut[0]], by_class[1][: cut[1]]),
        reserve=(by_class[0][cut[0] :], by_class[1][cut[1] :]),
        val=val,
        test=test,
    )


def _require_both_classes(role: str, images: CohortImages, rows: ImageNumbers, least: int) -> None:
    for label, name in enumerate(CLASSES):
        count = len(np.unique(images.patients[rows][images.labels[rows] == label]))
        if count < least:
            raise TableError(
                f"role {role}: {count} {name} patients with images, {least} or more are needed; "
                "draw fewer folds with `idhray split-cohort`"
            )


def missing_images(arm: Arm, fold: FoldImages) -> str:
    """Reason why a fold has too few images for an arm; empty if it has enough."""
    if arm.kind != "more-real":
        return ""
    half = arm.count // 2
    short = [
        f"{len(rows)} of {half} further {name} images"
        for name, rows in zip(CLASSES, fold.reserve, strict=True)
        if len(rows) < half
    ]
    return f"the training patients have {' and '.join(short)}" if short else ""


def arm_images(
    arm: Arm, images: CohortImages, fold: FoldImages, *, seed: int, fold_number: int, repeat: int
) -> ArmImages:
    """Images of the training of one arm.

    Args:
        arm: The arm.
        images: All images of the cohort.
        fold: Rows of the fold, from `fold_images`.
        seed: Seed of the experiment.
        fold_number: Number of the fold, for the draws.
        repeat: Number of the repeat, for the draws.
    """
    real = np.concatenate(fold.train)
    if arm.kind == "fewer-patients":
        kept_patients = _patient_share(images, real, arm.share, seed, fold_number)
        real = real[np.isin(images.patients[real], kept_patients)]
    if not arm.count:
        nothing = np.empty(0, np.intp)
        return ArmImages(
            real=real, source=None, added=nothing, added_labels=nothing.astype(np.int8)
        )
    half = arm.count // 2
    labels = np.tile(np.array([0, 1], np.int8), half)
    if arm.kind in ("synthetic", "shuffled"):
        if arm.kind == "shuffled":
            labels = generator(seed, "shuffled", fold_number, repeat).permutation(labels)
        rows: ImageNumbers = np.arange(arm.count)
        return ArmImages(real=real, source="synthetic", added=rows, added_labels=labels)
    lists = fold.reserve if arm.kind == "more-real" else fold.train
    rows = np.stack([np.resize(rows, half) for rows in lists], axis=1).ravel()
    source: ImageSource = "classic" if arm.kind == "classic" else "real"
    return ArmImages(real=real, source=source, added=rows, added_labels=labels)


def _patient_share(
    images: CohortImages, rows: ImageNumbers, share: float, seed: int, fold_number: int
) -> NDArray[np.str_]:
    """Patients of a share of each class, at least one; a smaller share is part of a larger one."""
    chosen: list[str] = []
    for label in (0, 1):
        names = sorted(set(images.patients[rows][images.labels[rows] == label].tolist()))
        names.sort(key=lambda name: seed_for(seed, "fewer patients", fold_number, name))
        chosen += names[: max(1, round(share * len(names)))]
    return np.array(chosen, dtype=np.str_)
