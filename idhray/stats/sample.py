"""What every statistic needs before it starts: 0/1 labels of both classes, and finite scores."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idhray.errors import IdhrayError

Labels = NDArray[np.int64]  # (patients,), wildtype 0, mutant 1
Scores = NDArray[np.float64]  # (patients,), or (repeats, patients) for several trainings


class SampleError(IdhrayError):
    """A set of patients on which a statistic does not exist: one class only, NaN, no spread."""


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
