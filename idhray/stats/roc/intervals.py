"""Intervals of an area under a ROC curve from the area and the numbers of patients alone.

Software differs in the interval that it prints: pROC prints DeLong's (`auc_with_ci`), MedCalc the
exact binomial one, older papers Hanley and McNeil's. The last two need no scores.
"""

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from idhray.stats.sample import CONFIDENCE, SampleError, z_of


def exact_auc_interval(area: float, patients: int) -> tuple[float, float]:
    """MedCalc's interval: Clopper and Pearson's for `area * patients` successes of `patients`.

    Not a theory of areas, but never a single point: 1 of 8 patients gives .631 to 1.

    Raises:
        SampleError: the area is not in 0..1, or there are no patients.
    """
    _check(area, patients)
    low, high = proportion_confint(area * patients, patients, 1 - CONFIDENCE, method="beta")
    return (0.0 if np.isnan(low) else float(low)), (1.0 if np.isnan(high) else float(high))


def exact_difference_interval(
    new: tuple[float, int], old: tuple[float, int]
) -> tuple[float, float]:
    """Interval of the difference of two (area, patients), from their exact binomial ones.

    It takes the areas as uncorrelated: for areas of the same patients it is too wide.

    Source: Zou and Donner 2008, equation 4.
    """
    new_low, new_high = exact_auc_interval(*new)
    old_low, old_high = exact_auc_interval(*old)
    difference = new[0] - old[0]
    low = difference - np.hypot(new[0] - new_low, old_high - old[0])
    high = difference + np.hypot(new_high - new[0], old[0] - old_low)
    return float(low), float(high)


def hanley_mcneil_se(area: float, n_mutant: int, n_wildtype: int) -> float:
    """Standard error of an area from the area and the class sizes alone.

    Exact for two exponential distributions of scores, an approximation for others.

    Raises:
        SampleError: the area is not in 0..1, or a class is empty.

    Source: Hanley and McNeil 1982 (Radiology 143:29-36), equations 1 and 2.
    """
    _check(area, n_mutant, n_wildtype)
    two_mutants = area / (2 - area) - area**2  # both above one wildtype, beyond chance
    two_wildtypes = 2 * area**2 / (1 + area) - area**2  # both below one mutant
    variance = area * (1 - area) + (n_mutant - 1) * two_mutants + (n_wildtype - 1) * two_wildtypes
    return float(np.sqrt(max(variance, 0.0) / (n_mutant * n_wildtype)))


def hanley_mcneil_interval(area: float, n_mutant: int, n_wildtype: int) -> tuple[float, float]:
    """The area and z standard errors to both sides. It may pass 1: published tables cut it there.

    Raises:
        SampleError: the area is not in 0..1, or a class is empty.
    """
    half = z_of(CONFIDENCE) * hanley_mcneil_se(area, n_mutant, n_wildtype)
    return area - half, area + half


def auc_se_bounds(area: float, n_mutant: int, n_wildtype: int) -> tuple[float, float]:
    """Smallest and largest standard error that any scores of these patients can have.

    They hold for DeLong's and the bootstrap's standard errors of one ranking, ties included. The
    placements of the mutants (x, share 1 / m of their variance) and of the wildtypes (y) sum to no
    more than the variance of single pairs: (m - 1) x + (w - 1) y <= A (1 - A). The smallest sum
    has some mutants above all wildtypes, some wildtypes below all mutants, and all others tied.
    The largest is infinite with one patient in a class.

    Raises:
        SampleError: the area is not in 0..1, or a class is empty.

    Source: the upper bound is that of Birnbaum and Klose 1957 (Ann Math Stat 28:933) for
        DeLong's divisors; the lower one is ours, without a proof; the tests try random rankings.
    """
    _check(area, n_mutant, n_wildtype)
    fewest = min(n_mutant, n_wildtype) - 1
    largest = np.sqrt(area * (1 - area) / fewest) if fewest else np.inf
    tied = 2 * min(area, 1 - area)  # share of pairs in the tied block
    if tied == 0:
        return 0.0, float(largest)
    mutants = np.geomspace(tied, 1, 257)  # shares in the tied block
    wildtypes = tied / mutants
    variance = (
        mutants * (1 - mutants) * wildtypes**2 / n_mutant
        + wildtypes * (1 - wildtypes) * mutants**2 / n_wildtype
    ) / 4
    return float(np.sqrt(max(variance.min(), 0.0))), float(largest)


def _check(area: float, *patients: int) -> None:
    if not 0 <= area <= 1:
        raise SampleError(f"an area under a ROC curve lies in 0..1; got {area}")
    if min(patients) < 1:
        raise SampleError(f"class sizes must be 1 or more; got {patients}")
