"""Tests of a number in two groups: Shapiro-Wilk, Mann-Whitney and Welch's t test."""

import warnings
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.sample import SampleError

SHAPIRO = "Shapiro-Wilk"
WELCH = "Welch t test"
MANN_WHITNEY = "Mann-Whitney, normal approximation without continuity correction"
MANN_WHITNEY_CONTINUITY = "Mann-Whitney, normal approximation with continuity correction"
MANN_WHITNEY_EXACT = "Mann-Whitney, exact permutation distribution"
MOST_STEPS = 2_000_000_000  # steps to sum the exact distribution; they take a few seconds
_APPROXIMATE = 8  # values per group; with fewer, a normal approximation is a guess
_MOST_SHAPIRO = 5000  # values; Royston 1995 fitted the P value up to this number

SampleValues = NDArray[np.float64]  # (n,), finite


def values_of(values: ArrayLike, name: str) -> SampleValues:
    """A row of numbers as (n,) float64.

    Raises:
        SampleError: `values` is not one row of numbers, it is empty, or a number is missing or
            infinite.
    """
    try:
        row = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SampleError(f"{name}: not a row of numbers ({error}); convert or correct the column")
    if row.ndim != 1 or len(row) == 0:
        raise SampleError(f"{name}: needs one row of numbers, got shape {row.shape}")
    if bad := int((~np.isfinite(row)).sum()):
        raise SampleError(
            f"{name}: {bad} of {len(row)} values are missing or infinite; leave them out and "
            "report their number"
        )
    return row


def shapiro_wilk(values: ArrayLike) -> Significance:
    """Shapiro and Wilk's test of normality; the statistic is W.

    Returns:
        P is NaN, with the reason in the notes, for fewer than 3 values or for equal values.

    Raises:
        SampleError: there are no values, or one is missing or infinite.

    Source: Royston 1995, algorithm AS R94, as in R's shapiro.test.
    """
    row = values_of(values, SHAPIRO)
    if len(row) < 3:
        return _without_p(SHAPIRO, f"Shapiro-Wilk needs 3 or more values, found {len(row)}.")
    if np.ptp(row) == 0:
        return _without_p(SHAPIRO, f"All {len(row)} values are equal: no shape to test.")
    notes: tuple[str, ...] = ()
    if len(row) > _MOST_SHAPIRO:
        notes = (f"Shapiro-Wilk's P is fitted for up to 5,000 values, found {len(row)}.",)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns of the same; a note reaches the table
        result = stats.shapiro(row)
    return Significance(
        method=SHAPIRO, p=float(result.pvalue), statistic=float(result.statistic), notes=notes
    )


def mann_whitney(
    x: ArrayLike,
    y: ArrayLike,
    *,
    method: Literal["asymptotic", "exact"] = "asymptotic",
    continuity: bool = False,
) -> Significance:
    """Mann and Whitney's test (Wilcoxon's rank sum test); the statistic is U of `x`, R's W.

    U counts the pairs in which x is larger; a tie counts half.

    Args:
        x: (m,) numbers of one group.
        y: (n,) numbers of the other group.
        method: Normal approximation with the variance for ties, or the permutation distribution
            of the rank sum given the ties (the classical exact test if there are no ties).
        continuity: Continuity correction of the normal approximation: 1/2 towards the mean, as R
            does by default.

    Returns:
        The normal P is NaN, with the reason in the notes, if all values are equal.

    Raises:
        SampleError: a group is empty, a value is missing, the method is unknown, or there are too
            many values for the exact distribution.

    Source: Mann and Whitney 1947; equal to R's wilcox.test and, exact with ties, to R's coin.
    """
    x_values, y_values = values_of(x, "Mann-Whitney, x"), values_of(y, "Mann-Whitney, y")
    ranks = stats.rankdata(np.concatenate([x_values, y_values]))
    u = float(ranks[: len(x_values)].sum() - len(x_values) * (len(x_values) + 1) / 2)
    notes = _tie_notes(ranks)
    if method == "exact":
        p = _exact_p(ranks, len(x_values))
        return Significance(method=MANN_WHITNEY_EXACT, p=p, statistic=u, notes=notes)
    if method != "asymptotic":
        raise SampleError(f"Mann-Whitney: method must be asymptotic or exact, got {method!r}")
    name = MANN_WHITNEY_CONTINUITY if continuity else MANN_WHITNEY
    if np.ptp(ranks) == 0:
        no_variance = "All values are equal: the normal approximation has no variance."
        return Significance(method=name, p=float("nan"), statistic=u, notes=(no_variance,))
    if (smaller := min(len(x_values), len(y_values))) < _APPROXIMATE:
        notes += (
            f"Normal approximation with {smaller} values in a group; prefer the exact method.",
        )
    result = stats.mannwhitneyu(x_values, y_values, method="asymptotic", use_continuity=continuity)
    return Significance(method=name, p=float(result.pvalue), statistic=u, notes=notes)


def welch_t(x: ArrayLike, y: ArrayLike) -> Significance:
    """Welch's t test of equal means, variances not assumed equal; the statistic is t.

    Its degrees of freedom are not whole, so `df` is None.

    Returns:
        P is NaN, with the reason in the notes, if a group has one value or no group varies.

    Raises:
        SampleError: a group is empty, or a value is missing.

    Source: Welch 1947; equal to R's t.test.
    """
    x_values, y_values = values_of(x, "Welch t test, x"), values_of(y, "Welch t test, y")
    if min(len(x_values), len(y_values)) < 2:
        return _without_p(WELCH, "A group has a single value: its variance is unknown.")
    if np.ptp(x_values) == 0 and np.ptp(y_values) == 0:
        return _without_p(WELCH, "Neither group varies: there is no variance to test against.")
    result = stats.ttest_ind(x_values, y_values, equal_var=False)
    return Significance(method=WELCH, p=float(result.pvalue), statistic=float(result.statistic))


def _without_p(method: str, reason: str) -> Significance:
    return Significance(method=method, p=float("nan"), notes=(reason,))


def _tie_notes(ranks: SampleValues) -> tuple[str, ...]:
    _, times = np.unique(ranks, return_counts=True)
    tied = int(times[times > 1].sum())
    return (f"{tied} of {len(ranks)} values are tied.",) if tied else ()


def _exact_p(ranks: SampleValues, m: int) -> float:
    """Two-sided P: share of the choices of m ranks whose sum is at least as far from its mean.

    Only the rank sum of the smaller group is followed; that of the other one mirrors it.
    """
    n = len(ranks)
    smaller_group = ranks[:m] if 2 * m <= n else ranks[m:]
    doubled = np.rint(2 * ranks).astype(np.int64)  # midranks are halves; whole sums compare safely
    observed = int(np.rint(2 * smaller_group.sum()))
    lowest = int(doubled.min())
    steps = doubled - lowest
    step_unit = max(int(np.gcd.reduce(steps)), 1)
    chances = _sum_distribution(steps // step_unit, len(smaller_group))
    sums = step_unit * np.arange(len(chances)) + lowest * len(smaller_group)
    mean = len(smaller_group) * (n + 1)
    return min(float(chances[np.abs(sums - mean) >= abs(observed - mean)].sum()), 1.0)


def _sum_distribution(scores: NDArray[np.int64], m: int) -> SampleValues:
    """P(sum = 0, 1, ...) of m of the scores, if every choice is equally likely.

    The scores are visited in ascending order. With k scores chosen and `left` scores to visit, the
    next one is chosen with probability (m - k) / left. All terms are positive, so small tails keep
    their digits.

    Raises:
        SampleError: it would take more than MOST_STEPS steps.
    """
    largest = int(np.sort(scores)[-m:].sum())
    if (m + 1) * (largest + 1) * len(scores) > MOST_STEPS:
        raise SampleError(
            f"Mann-Whitney: {len(scores)} values are too many for the exact distribution; "
            "use the asymptotic method, which gives nearly the same P here"
        )
    chance = np.zeros((m + 1, largest + 1))  # by the number of scores chosen so far, and their sum
    chance[0, 0] = 1.0
    chosen_counts = np.arange(m + 1)[:, None]
    for position, score in enumerate(np.sort(scores).tolist()):
        left = len(scores) - position
        with_score = chance[:-1] * (m - chosen_counts[:-1]) / left
        chance *= (left - m + chosen_counts) / left
        chance[1:, score:] += with_score[:, : largest + 1 - score]
    return np.asarray(chance[m])
