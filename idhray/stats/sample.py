"""Labels and scores of patients, validated once; the confidence of all intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from idhray.errors import IdhrayError

Labels = NDArray[np.int64]  # (patients,), wildtype 0, mutant 1
Scores = NDArray[np.float64]  # (patients,), or (repeats, patients) for several trainings

CONFIDENCE = 0.95
"""Confidence of every interval."""


class SampleError(IdhrayError):
    """A set of patients on which a statistic does not exist: one class only, NaN, no spread."""


@dataclass(frozen=True, init=False)
class Scored:
    """0/1 labels of both classes and finite scores of the same patients.

    The constructor validates; functions that take a `Scored` trust it.
    """

    labels: Labels
    scores: Scores
    """(repeats, patients) float64; one row of scores is one repeat."""

    def __init__(self, truth: ArrayLike, scores: ArrayLike) -> None:
        """Validate both arrays.

        Raises:
            SampleError: one class only, NaN scores, or unequal lengths.
        """
        labels = labels_of(truth)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "scores", scores_of(scores, labels))

    def single_training(self) -> Scores:
        """Scores of the only training, (patients,), for figures that need exactly one.

        Raises:
            SampleError: there are several repeats.
        """
        if (repeats := len(self.scores)) > 1:
            raise SampleError(
                f"scores of one training are needed, got {repeats}; average them first"
            )
        return self.scores.ravel()


def labels_of(truth: ArrayLike) -> Labels:
    """0/1 labels as an array.

    Raises:
        SampleError: another value occurs, or one of the classes does not.
    """
    labels = np.asarray(truth)
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise SampleError(f"labels must be one row of 0 (wildtype) and 1 (mutant), got {labels!r}")
    mutant = int(labels.sum())
    if mutant in (0, len(labels)):
        raise SampleError(
            f"{mutant} mutant and {len(labels) - mutant} wildtype patients: "
            "both classes are needed; check the split and the idh column"
        )
    return labels.astype(np.int64)


def scores_of(scores: ArrayLike, labels: Labels) -> Scores:
    """Scores as (repeats, patients) float64; one row of scores is one repeat.

    Raises:
        SampleError: their number is not that of the labels, or a score is NaN or infinite.
    """
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if rows.ndim != 2 or len(rows) == 0 or rows.shape[1] != len(labels):
        raise SampleError(f"{len(labels)} labels, but scores of shape {np.shape(scores)}")
    if bad := int((~np.isfinite(rows)).sum()):
        raise SampleError(f"{bad} of {rows.size} scores are NaN or infinite; a score is needed")
    return rows


def z_of(confidence: float) -> float:
    """Normal quantile of a two-sided interval: 1.96 for 0.95.

    Raises:
        SampleError: the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise SampleError(f"confidence must lie between 0 and 1, such as 0.95; got {confidence}")
    return float(stats.norm.ppf(0.5 + confidence / 2))
