"""Whether predictors separate the classes, so that some coefficient has no finite estimate.

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

from idhray.stats.regression.design import Design, Factor, Matrix, Predictor
from idhray.stats.sample import Labels


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How the classes are separated and by which columns of the design."""

    kind: Literal["complete", "quasi-complete"]
    columns: tuple[str, ...]
    """Labels of the columns to blame, `margin: clear, not indistinct`."""
    notes: tuple[str, ...]
    """What a reader can check: `margin: all 6 patients with clear are mutant.`"""


def separation(design: Design, labels: Labels) -> Separation | None:
    """What separates the classes, or None if every coefficient has a finite estimate.

    Predictors that separate by themselves (completely, where all together do) are blamed alone,
    though they may make the estimates of others infinite as well. Where none does, it takes all
    the columns with infinite estimates together.
    """
    infinite = infinite_estimates(design.matrix, labels)
    if not infinite.any():
        return None
    complete = _complete(design.matrix, labels)
    alone = {name for one in design.predictors for name in _alone(design, one, labels, complete)}
    together = {one.label for one, gone in zip(design.columns, infinite, strict=True) if gone}
    columns = tuple(one for one in design.columns if one.label in (alone or together))
    blamed = {one.predictor for one in columns}
    notes = [
        note
        for one in design.predictors
        if isinstance(one, Factor) and one.name in blamed
        for note in _one_class_levels(design, one, labels)
    ]
    return Separation(
        kind="complete" if complete else "quasi-complete",
        columns=tuple(one.label for one in columns),
        notes=tuple(notes),
    )


def is_separated(matrix: Matrix, labels: Labels) -> bool:
    """Whether some coefficient has no finite estimate; `separation` says which, more slowly.

    Args:
        matrix: With the intercept's column first.
    """
    return bool(infinite_estimates(matrix, labels).any())


def _alone(design: Design, predictor: Predictor, labels: Labels, complete: bool) -> list[str]:
    """Labels of the columns by which one predictor separates the classes by itself."""
    own = design.subset([predictor.name])
    infinite = infinite_estimates(own.matrix, labels)
    if not infinite.any() or (complete and not _complete(own.matrix, labels)):
        return []
    return [one.label for one, gone in zip(own.columns, infinite, strict=True) if gone]


def infinite_estimates(matrix: Matrix, labels: Labels) -> NDArray[np.bool_]:
    """True where a slope has no finite maximum-likelihood estimate, (K,); the intercept's is False.

    The columns are standardized first: the linear program calls a direction below 1e-4 none, so a
    number in the thousands would hide what it separates.
    """
    slopes = matrix[:, 1:]
    if not slopes.shape[1]:
        return np.zeros(1, dtype=bool)
    standard = (slopes - slopes.mean(axis=0)) / slopes.std(axis=0)
    found = detect_separation(standard, labels)
    return np.append(False, ~np.asarray(found.is_finite)[:-1])


def _complete(matrix: Matrix, labels: Labels) -> bool:
    """Some combination of the columns has the sign of the class in every patient, never 0."""
    scaled = matrix / np.abs(matrix).max(axis=0)
    signed = np.where(labels == 1, 1.0, -1.0)[:, None] * scaled
    found = linprog(
        np.zeros(matrix.shape[1]),
        A_ub=-signed,
        b_ub=-np.ones(len(labels)),
        bounds=(None, None),
        method="highs",
    )
    return bool(found.status == 0)


def _one_class_levels(design: Design, factor: Factor, labels: Labels) -> list[str]:
    """A sentence for each level, the reference included, whose patients are all of one class."""
    own = design.matrix[:, design.places(factor.name)] > 0
    members = dict(zip(factor.levels[1:], own.T, strict=True))
    members = {factor.levels[0]: ~own.any(axis=1)} | members
    notes = []
    for level, chosen in members.items():
        mutant, count = int(labels[chosen].sum()), int(chosen.sum())
        if mutant in (0, count):
            side = "mutant" if mutant else "wildtype"
            notes.append(f"{factor.name}: all {count} patients with {level} are {side}.")
    return notes
