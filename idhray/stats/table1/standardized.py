"""Standardized differences of two groups, in units that do not depend on the number of patients.

A P value depends on the sample size as well. A standardized difference above 0.1 is commonly no
longer called negligible (Austin 2009).
"""

import numpy as np
from numpy.typing import ArrayLike

from idhray.stats.hypothesis.compare import values_of
from idhray.stats.hypothesis.contingency import counts_of
from idhray.stats.sample import SampleError

_ROUNDING = 1e-9


def standardized_difference(x: ArrayLike, y: ArrayLike) -> float:
    """Mean of `x` minus mean of `y`, over the root of their mean variance (ddof 1).

    NaN if it does not exist: a single value in a group, or no spread and yet different means. Two
    groups of one and the same value differ by 0.

    Raises:
        SampleError: an empty group, or a missing value.

    Source: Yang and Dalton 2012 (SAS Global Forum, paper 335).
    """
    first = values_of(x, "standardized difference, x")
    second = values_of(y, "standardized difference, y")
    if min(len(first), len(second)) < 2:
        return float("nan")
    difference = float(first.mean() - second.mean())
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return 0.0 if first[0] == second[0] else float("nan")
    return difference / float(np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2))


def standardized_difference_of_counts(table: ArrayLike) -> float:
    """Mahalanobis distance between the shares of two groups; for 2 levels, |p1 - p2| over the SD.

    Args:
        table: (levels, 2) counts; levels without a case change nothing.

    Returns:
        0 or more. NaN if it does not exist: a group without cases, or groups that no level, and no
        chain of levels, connects (the distance would be infinite).

    Raises:
        SampleError: not a table of counts, or not two groups.

    Source: Yang and Dalton 2012 (SAS Global Forum, paper 335).
    """
    counts = counts_of(table)
    if counts.shape[1] != 2:
        raise SampleError(f"a standardized difference needs two groups, got {counts.shape[1]}")
    if not counts.sum(axis=0).all():
        return float("nan")
    shares = (counts / counts.sum(axis=0)).T  # (2, levels)
    covariance = sum(np.diag(p) - np.outer(p, p) for p in shares) / 2
    gap = shares[0] - shares[1]
    inverse = np.linalg.pinv(covariance, rcond=_ROUNDING, hermitian=True)
    if not np.allclose(covariance @ inverse @ gap, gap, atol=_ROUNDING):
        return float("nan")  # the shares differ along a line on which neither group varies
    return float(np.sqrt(max(gap @ inverse @ gap, 0.0)))
