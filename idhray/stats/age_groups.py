"""Errors of any predictor by age group.

Source: Liu et al. 2020, table 4: patients under 55 years and the others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idhray.stats.accuracy import Proportion, proportion
from idhray.stats.sample import SampleError, labels_of, scores_of

UNKNOWN = "age unknown"


@dataclass(frozen=True, kw_only=True)
class AgeGroup:
    """How often a threshold is wrong in one age group, which may be of one class."""

    name: str
    """`< 55`, `>= 55` or `age unknown`."""
    n_mutant: int
    n_wildtype: int
    errors_mutant: int
    """Called wildtype."""
    errors_wildtype: int
    accuracy: Proportion | None
    """None where the group is empty."""


def age_groups(age: ArrayLike, split_years: float = 55.0) -> dict[str, NDArray[np.bool_]]:
    """Who is under `split_years` and who is not, (patients,) each; who has no age, if anyone.

    Every patient is in one group.

    Raises:
        SampleError: the ages are not one row of numbers.
    """
    years = np.asarray(age, dtype=np.float64)
    if years.ndim != 1:
        raise SampleError(f"ages must be one row of numbers, got shape {years.shape}")
    groups = {
        f"< {split_years:g}": years < split_years,
        f">= {split_years:g}": years >= split_years,
    }
    return groups | ({UNKNOWN: np.isnan(years)} if np.isnan(years).any() else {})


def errors_by_age(
    truth: ArrayLike,
    scores: ArrayLike,
    age: ArrayLike,
    *,
    threshold: float = 0.5,
    split_years: float = 55.0,
    confidence: float = 0.95,
) -> tuple[AgeGroup, ...]:
    """Errors per class and accuracy in each age group; mutant is called at `threshold` or above.

    Raises:
        SampleError: one class only, NaN scores, scores of several repeats, or unequal lengths.
    """
    labels = labels_of(truth)
    rows = scores_of(scores, labels)
    groups = age_groups(age, split_years)
    if len(rows) > 1:
        raise SampleError(f"{len(rows)} rows of scores; average the repeats by patient")
    if len(next(iter(groups.values()))) != len(labels):
        raise SampleError(f"{len(labels)} labels, but {np.size(age)} ages")
    mutant = labels == 1
    wrong = (rows[0] >= threshold) != mutant
    return tuple(
        AgeGroup(
            name=name,
            n_mutant=int((own & mutant).sum()),
            n_wildtype=int((own & ~mutant).sum()),
            errors_mutant=int((own & mutant & wrong).sum()),
            errors_wildtype=int((own & ~mutant & wrong).sum()),
            accuracy=(
                proportion(int((own & ~wrong).sum()), int(own.sum()), confidence)
                if own.any()
                else None
            ),
        )
        for name, own in groups.items()
    )
