"""Where to cut a score: Youden's index with all tied optima, and the corner of the ROC curve.

A threshold that was picked on some patients flatters them. Pick it on one set and judge it on
another: `accuracy_at(test_truth, test_scores, youden_threshold(val_truth, val_scores))`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idhray.stats.roc.delong import one_training
from idhray.stats.sample import SampleError, labels_of


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold (score >= threshold is called mutant) and how the patients then divide."""

    threshold: float
    """Half-way between two scores, as in pROC; -inf calls all mutant, inf none."""
    tp: int
    fn: int
    fp: int
    tn: int

    @property
    def sensitivity(self) -> float:
        """Share of the mutants that are called mutant."""
        return self.tp / (self.tp + self.fn)

    @property
    def specificity(self) -> float:
        """Share of the wildtypes that are called wildtype."""
        return self.tn / (self.tn + self.fp)

    @property
    def accuracy(self) -> float:
        """Share of all patients that are called right."""
        return (self.tp + self.tn) / (self.tp + self.fn + self.fp + self.tn)

    @property
    def youden(self) -> float:
        """Sensitivity + specificity - 1."""
        return self.sensitivity + self.specificity - 1

    @property
    def corner_distance(self) -> float:
        """From the corner of the ROC plot where both are 1."""
        return float(np.hypot(1 - self.sensitivity, 1 - self.specificity))


@dataclass(frozen=True, kw_only=True)
class Optima:
    """All thresholds that share the best value of a criterion, and the one to use."""

    criterion: str
    tied: tuple[OperatingPoint, ...]
    """By rising threshold."""
    chosen: OperatingPoint
    """Of the tied: the nearest to the corner of the ROC plot, then the highest specificity."""
    notes: tuple[str, ...] = ()


def operating_points(truth: ArrayLike, scores: ArrayLike) -> tuple[OperatingPoint, ...]:
    """Every way in which a threshold can divide the patients, by rising threshold.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or several repeats.
    """
    labels = labels_of(truth)
    row = one_training(scores, labels)
    levels, level = np.unique(row, return_inverse=True)
    below = np.concatenate([[0], np.cumsum(np.bincount(level))])
    mutants_below = np.concatenate(
        [[0], np.cumsum(np.bincount(level, weights=labels)).astype(np.int64)]
    )
    m, w = int(labels.sum()), int((1 - labels).sum())
    return tuple(
        OperatingPoint(threshold=float(cut), tp=m - fn, fn=fn, fp=w - tn, tn=tn)
        for cut, fn, tn in zip(
            _midpoints(levels),
            mutants_below.tolist(),
            (below - mutants_below).tolist(),
            strict=True,
        )
    )


def _midpoints(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = levels[:-1] / 2 + levels[1:] / 2
    # Between neighboring floating-point numbers there is no middle; the upper one cuts as well.
    middle = np.where(middle > levels[:-1], middle, levels[1:])
    return np.concatenate([[-np.inf], middle, [np.inf]])


def youden_optima(
    truth: ArrayLike,
    scores: ArrayLike,
    criterion: Literal["youden", "closest to corner"] = "youden",
) -> Optima:
    """All thresholds with the best sensitivity + specificity, or the shortest way to the corner.

    Ties are found in whole numbers of patients. Compared as floating-point sums, as in pROC's
    coords, a tied optimum can be lost.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or several repeats.

    Source: Youden 1950; the corner: Perkins and Schisterman 2006.
    """
    if criterion not in ("youden", "closest to corner"):
        raise SampleError(f"no criterion {criterion!r}; use youden or closest to corner")
    loss = _youden_loss if criterion == "youden" else _corner_loss
    points = operating_points(truth, scores)
    best = min(loss(point) for point in points)
    tied = tuple(point for point in points if loss(point) == best)
    chosen = min(tied, key=lambda point: (_corner_loss(point), point.fp))
    return Optima(criterion=criterion, tied=tied, chosen=chosen, notes=_notes(tied, chosen))


def youden_threshold(truth: ArrayLike, scores: ArrayLike) -> float:
    """The threshold with the best Youden index, to be judged on other patients.

    Of tied optima it is the one nearest to the corner of the ROC plot: their sensitivity +
    specificity being equal, the one whose two error rates are most alike. If two are as near, the
    one with the higher specificity: a wildtype called mutant is promised too good a prognosis.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or several repeats.
    """
    return youden_optima(truth, scores).chosen.threshold


def _youden_loss(point: OperatingPoint) -> int:
    """1 - J, times mutants and wildtypes: a whole number, so ties are exact."""
    mutants, wildtypes = point.tp + point.fn, point.fp + point.tn
    return point.fn * wildtypes + point.fp * mutants


def _corner_loss(point: OperatingPoint) -> int:
    """The squared distance to the corner, times the squares of both class sizes."""
    mutants, wildtypes = point.tp + point.fn, point.fp + point.tn
    return (point.fn * wildtypes) ** 2 + (point.fp * mutants) ** 2


def _notes(tied: tuple[OperatingPoint, ...], chosen: OperatingPoint) -> tuple[str, ...]:
    notes = []
    if len(tied) > 1:
        cuts = ", ".join(f"{point.threshold:g}" for point in tied)
        notes.append(f"{len(tied)} thresholds are equally good: {cuts}.")
    if np.isinf(chosen.threshold):
        notes.append("No threshold does better than to call all patients alike.")
    return tuple(notes)
