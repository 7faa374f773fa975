"""Search for a higher maximum of Firth's penalized likelihood, from many starts at the same time.

The climbs are those of `Likelihood.climb`, a step of all of them being a few products of matrices.

Letters: S starts, N patients, K columns, F free ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.linalg.lapack import dposv
from scipy.special import expit

from idhray.stats.regression.design import DesignMatrix
from idhray.stats.sample import Labels

Stacked = NDArray[np.float64]  # (S, ...)
Vector = NDArray[np.float64]  # (K,) or (N,)
FreeColumns = NDArray[np.intp]
LONGEST_STEP = 5.0
"""Change of a linear predictor; a longer step is cut to this."""
FLATTEST = 0.01
"""Smallest curvature, as a share of the bound, that a step uses."""
_NEAR = 0.3  # change of a linear predictor: a climb so near the first maximum ends there
_SETTLED = 1e-3  # a step that moves no linear predictor by more: a maximum is near
_MAX_STEPS = 100
_MAX_HALVINGS = 40


@dataclass(frozen=True, kw_only=True)
class _Points:
    """Coefficients of S climbs, (S, K), and the penalized likelihood there."""

    beta: Stacked
    value: Stacked
    score: Stacked
    curvature: Stacked
    bound: Stacked

    def at(self, chosen: NDArray[np.bool_]) -> "_Points":
        """The chosen climbs alone."""
        return _Points(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def replaced(self, chosen: NDArray[np.bool_], points: "_Points") -> "_Points":
        """The same climbs, the chosen ones at other points."""
        merged = {}
        for field in fields(self):
            merged[field.name] = getattr(self, field.name).copy()
            merged[field.name][chosen] = getattr(points, field.name)
        return _Points(**merged)


def other_maxima(
    evaluate: "Evaluation", matrix: DesignMatrix, center: Vector, starts: Stacked, free: FreeColumns
) -> Stacked:
    """Coefficients near maxima other than `center` that climbs from `starts` come to, (M, K).

    A climb that does not end is left out.

    Args:
        evaluate: The function that `evaluation` makes.
        matrix: (N, K) design.
        center: (K,) the maximum that is known.
        starts: (S, K) coefficients; those that are not free keep their values.
        free: (F,) indices of the free columns.
    """
    points = evaluate(starts)
    maxima = []
    for _ in range(_MAX_STEPS):
        steps = _steps(points, free)
        reach = np.abs(steps @ matrix.T).max(axis=1)
        maxima.append(points.beta[reach < _SETTLED])
        moving = reach >= _SETTLED  # False for NaN as well
        steps, reach, points = steps[moving], reach[moving], points.at(moving)
        if not len(reach):
            break
        points, moved = _along(
            evaluate, points, steps * np.minimum(1, LONGEST_STEP / reach)[:, None]
        )
        distance = np.abs((points.beta - center) @ matrix.T).max(axis=1)
        points = points.at(moved & (distance >= _NEAR))
        if not len(points.beta):
            break
    return np.concatenate(maxima)


def newton_step(score: Vector, curvature: Vector, bound: Vector) -> Vector:
    """Newton's step, also where the value is not concave.

    There the curvature along each axis (relative to the bound) is taken without its sign, so that
    the step leads away from a saddle and not back to it.

    Raises:
        LinAlgError: the bound is not positive definite.
    """
    _, step, failure = dposv(curvature, score)
    if not failure:
        return np.asarray(step)
    bends, axes = eigh(curvature, bound)
    return np.asarray(axes @ ((axes.T @ score) / np.maximum(np.abs(bends), FLATTEST)))


def _steps(points: _Points, free: FreeColumns) -> Stacked:
    """Newton's step of each climb, (S, K); NaN where there is none."""
    steps = np.zeros_like(points.beta)
    scores = points.score[:, free]
    curvatures, bounds = (
        block[:, free[:, None], free] for block in (points.curvature, points.bound)
    )
    for number, pieces in enumerate(zip(scores, curvatures, bounds, strict=True)):
        try:
            steps[number, free] = newton_step(*pieces)
        except (np.linalg.LinAlgError, ValueError):
            steps[number] = np.nan
    return steps


def _along(
    evaluate: "Evaluation", points: _Points, steps: Stacked
) -> tuple[_Points, NDArray[np.bool_]]:
    """Points after a step, halved until the value does not fall; False if none is as high."""
    lowest = points.value - 1e-13 * np.abs(points.value)
    ahead = evaluate(points.beta + steps)
    low = ~(ahead.value >= lowest)
    for halving in range(1, _MAX_HALVINGS):
        if not low.any():
            break
        shorter = evaluate(points.beta[low] + steps[low] * 0.5**halving)
        ahead = ahead.replaced(low, shorter)
        low = ~(ahead.value >= lowest)
    return ahead, ~low


Evaluation = Callable[[Stacked], _Points]


def evaluation(matrix: DesignMatrix, labels: Labels) -> Evaluation:
    """The penalized likelihood and its derivatives as a function of (S, K) coefficients.

    Patients with equal columns are one row of sums, so N is the number of patterns below. The
    second derivative of the penalty is that of `Likelihood`, with the sums over patients taken
    before the product with the inverse information.
    """
    rows, patients, mutants = _patterns(matrix, labels)
    count = rows.shape[1]
    pairs = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)  # (N, K * K)
    triples = (pairs[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)  # (N, K ** 3)

    def squares(weights: Stacked) -> Stacked:
        return (weights @ pairs).reshape(-1, count, count)

    def evaluate(beta: Stacked) -> _Points:
        eta = beta @ rows.T
        p, q = expit(eta), expit(-eta)
        weight, off = patients * p * q, 0.5 - p
        information = squares(weight)
        plain = np.log(p) @ patients - eta @ (patients - mutants)
        sign, logdet = np.linalg.slogdet(information)
        regular = (sign > 0) & np.isfinite(logdet)
        information[~regular] = np.eye(count)
        inverse = np.linalg.inv(information)
        leverage = weight * (inverse.reshape(len(beta), -1) @ pairs.T)
        bound = squares(weight + weight * leverage / patients)
        thirds = ((off * weight) @ triples).reshape(-1, count, count, count)
        turned = inverse[:, None] @ thirds @ inverse[:, None]
        flat = (len(beta), count, -1)
        twist = turned.reshape(flat) @ thirds.reshape(flat).transpose(0, 2, 1)
        residual = mutants * q - (patients - mutants) * p
        return _Points(
            beta=beta,
            value=np.where(regular, plain + 0.5 * logdet, -np.inf),
            score=(residual + leverage * off) @ rows,
            curvature=bound - squares(2 * leverage * off**2) + 2 * twist,
            bound=bound,
        )

    return evaluate


def _patterns(matrix: DesignMatrix, labels: Labels) -> tuple[DesignMatrix, Vector, Vector]:
    """Distinct rows of a design, and the numbers of patients and of mutants with each."""
    order = np.lexsort(matrix.T)
    ordered = matrix[order]
    first = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)))
    patients = np.diff(np.append(first, len(matrix))).astype(np.float64)
    mutants = np.add.reduceat(labels[order], first).astype(np.float64)
    return ordered[first], patients, mutants
