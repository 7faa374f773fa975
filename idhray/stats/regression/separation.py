"""Separation of the classes by predictors, which leaves coefficients without finite estimate.

Complete: some combination of the predictors puts every mutant on one side and every wildtype on
the other. Quasi-complete: some patients lie on the border, as when all patients with one finding
are mutant. R's glm then prints a coefficient of 20 with a standard error of 2,000 and no warning.

Source: Albert and Anderson 1984 (Biometrika 71:1); the linear program is Konis 2007, as
firthmodels solves it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from firthmodels import detect_separation
from numpy.typing import NDArray
from scipy.optimize import linprog

from idhray.stats.regression.design import Design, DesignMatrix, Factor, Predictor
from idhray.stats.sample import Labels

_SMALLEST_RESIDUAL = 1e-6  # of a fit that proves overlap
_BALANCED = 1e-11  # share of a sum of sizes that counts as a sum of 0


@dataclass(frozen=True, kw_only=True)
class Separation:
    """Kind of separation and the columns of the design that cause it."""

    kind: Literal["complete", "quasi-complete"]
    columns: tuple[str, ...]
    """Labels of the columns that cause it, `margin: clear, not indistinct`."""
    notes: tuple[str, ...]
    """Facts that a reader can check: `margin: all 6 patients with clear are mutant.`"""


def separation(design: Design, labels: Labels) -> Separation | None:
    """The separation of the classes, or None if every coefficient has a finite estimate.

    Predictors that separate by themselves (completely, if all together do) are named alone,
    although they may make the estimates of others infinite as well. If none does, all columns
    with infinite estimates are named.
    """
    infinite = infinite_estimates(design.matrix, labels)
    if not infinite.any():
        return None
    complete = _complete(design.matrix, labels)
    alone = {
        label
        for predictor in design.predictors
        for label in _alone(design, predictor, labels, complete)
    }
    together = set(_labels(design, infinite))
    columns = tuple(column for column in design.columns if column.label in (alone or together))
    separating = {column.predictor for column in columns}
    notes = [
        note
        for predictor in design.predictors
        if isinstance(predictor, Factor) and predictor.name in separating
        for note in _one_class_levels(design, predictor, labels)
    ]
    return Separation(
        kind="complete" if complete else "quasi-complete",
        columns=tuple(column.label for column in columns),
        notes=tuple(notes),
    )


def is_separated(matrix: DesignMatrix, labels: Labels) -> bool:
    """True if some coefficient has no finite estimate; `separation` names them, more slowly.

    Args:
        matrix: Design with the intercept's column first.
    """
    return bool(infinite_estimates(matrix, labels).any())


def separates_alone(design: Design, labels: Labels) -> bool:
    """True if all patients with some level of a factor are of one class; False proves nothing."""
    factors = [predictor for predictor in design.predictors if isinstance(predictor, Factor)]
    for factor in factors:
        members = design.matrix[:, design.column_indices(factor.name)]
        members = np.column_stack([members, 1 - members.sum(axis=1)])
        mutants, counts = labels @ members, members.sum(axis=0)
        if ((mutants == 0) | (mutants == counts)).any():
            return True
    return False


def overlap(matrix: DesignMatrix, labels: Labels, residuals: NDArray[np.float64]) -> bool:
    """True if a fit proves that every coefficient has a finite estimate; False proves nothing.

    A direction that separates the classes has a product of one sign, and not always 0, with the
    patients' signed columns. Residuals of the right sign, none of which is 0, with a product of 0
    with every column exclude it.

    Args:
        matrix: (N, K) design.
        labels: (N,) classes.
        residuals: (N,) labels minus fitted probabilities.

    Source: Stiemke 1915 (Math Ann 76:340); Albert and Anderson 1984.
    """
    sizes = residuals * np.where(labels == 1, 1.0, -1.0)
    if not sizes.min() > _SMALLEST_RESIDUAL:
        return False
    balance = np.abs(residuals @ matrix)
    return bool((balance <= _BALANCED * (sizes @ np.abs(matrix))).all())


def _alone(design: Design, predictor: Predictor, labels: Labels, complete: bool) -> list[str]:
    """Labels of the columns by which one predictor separates the classes by itself."""
    single = design.subset([predictor.name])
    infinite = infinite_estimates(single.matrix, labels)
    if not infinite.any() or (complete and not _complete(single.matrix, labels)):
        return []
    return _labels(single, infinite)


def _labels(design: Design, selected: NDArray[np.bool_]) -> list[str]:
    return [column.label for column, use in zip(design.columns, selected, strict=True) if use]


def infinite_estimates(matrix: DesignMatrix, labels: Labels) -> NDArray[np.bool_]:
    """True where a slope has no finite maximum-likelihood estimate, (K,); the intercept's is False.

    The columns are standardized first: the linear program ignores a direction below 1e-4, so a
    column of numbers in the thousands would hide the classes that it separates.
    """
    slopes = matrix[:, 1:]
    if not slopes.shape[1]:
        return np.zeros(1, dtype=bool)
    standard = (slopes - slopes.mean(axis=0)) / slopes.std(axis=0)
    estimates = detect_separation(standard, labels)
    return np.append(False, ~np.asarray(estimates.is_finite)[:-1])


def _complete(matrix: DesignMatrix, labels: Labels) -> bool:
    """True if some combination of the columns has the sign of the class in every patient."""
    scaled = matrix / np.abs(matrix).max(axis=0)
    signed = np.where(labels == 1, 1.0, -1.0)[:, None] * scaled
    solution = linprog(
        np.zeros(matrix.shape[1]),
        A_ub=-signed,
        b_ub=-np.ones(len(labels)),
        bounds=(None, None),
        method="highs",
    )
    return bool(solution.status == 0)


def _one_class_levels(design: Design, factor: Factor, labels: Labels) -> list[str]:
    """A sentence for each level, the reference included, whose patients are all of one class."""
    dummies = design.matrix[:, design.column_indices(factor.name)] > 0
    members = dict(zip(factor.levels[1:], dummies.T, strict=True))
    members = {factor.levels[0]: ~dummies.any(axis=1)} | members
    notes = []
    for level, rows in members.items():
        mutant, count = int(labels[rows].sum()), int(rows.sum())
        if mutant in (0, count):
            side = "mutant" if mutant else "wildtype"
            notes.append(f"{factor.name}: all {count} patients with {level} are {side}.")
    return notes
