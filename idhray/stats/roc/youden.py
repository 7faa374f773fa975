"""Thresholds of a score by Youden's index, with all tied optima.

A threshold that was chosen on the patients it is judged by looks too good. Choose it on one set
and judge it on another: `accuracy_at(test, youden_optimum(validation).threshold)`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idhray.stats.sample import Scored


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold (score >= threshold is called mutant) and the four counts that it gives."""

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


def operating_points(sample: Scored) -> tuple[OperatingPoint, ...]:
    """Every division of the patients that a threshold can make, by rising threshold.

    Raises:
        SampleError: several repeats.
    """
    labels, row = sample.labels, sample.single_training()
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


def youden_optima(sample: Scored) -> tuple[OperatingPoint, ...]:
    """All points with the best sensitivity + specificity, by rising threshold.

    Ties are compared in whole numbers of patients. Compared as floating-point sums, as in pROC's
    coords, a tied optimum can be lost.

    Raises:
        SampleError: several repeats.

    Source: Youden 1950.
    """
    points = operating_points(sample)
    best = min(_youden_loss(point) for point in points)
    return tuple(point for point in points if _youden_loss(point) == best)


def youden_optimum(sample: Scored) -> OperatingPoint:
    """The point with the best Youden index, whose threshold is to be judged on other patients.

    Of tied optima it is the one nearest to the corner of the ROC plot: their sensitivity +
    specificity being equal, the one whose two error rates are most alike. If two are as near, the
    one with the higher specificity: a wildtype called mutant is promised too good a prognosis.

    Raises:
        SampleError: several repeats.
    """
    return min(youden_optima(sample), key=lambda point: (_corner_loss(point), point.fp))


def _youden_loss(point: OperatingPoint) -> int:
    """1 - J, times mutants and wildtypes: a whole number, so ties are exact."""
    mutants, wildtypes = point.tp + point.fn, point.fp + point.tn
    return point.fn * wildtypes + point.fp * mutants


def _corner_loss(point: OperatingPoint) -> int:
    """Squared distance to the corner, times the squares of both class sizes."""
    mutants, wildtypes = point.tp + point.fn, point.fp + point.tn
    return (point.fn * wildtypes) ** 2 + (point.fp * mutants) ** 2
