"""Do two groups differ in a number: Shapiro-Wilk, Mann-Whitney and Welch's t test."""

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
MOST_STEPS = 2_000_000_000  # of the exact distribution: a few seconds
_APPROXIMATE = 8  # values per group; with fewer, a normal approximation is a guess
_MOST_SHAPIRO = 5000  # Royston 1995 fitted the P value up to here

Values = NDArray[np.float64]  # (n,), finite


def values_of(values: ArrayLike, name: str = "sample") -> Values:
    """A row of numbers as (n,) float64.

    Raises:
        SampleError: not one row of numbers, none at all, or one is missing or infinite.
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
            "report how many"
        )
    return row


def shapiro_wilk(values: ArrayLike) -> Significance:
    """Shapiro and Wilk's test of normality; the statistic is W.

    Returns:
        P is NaN, and a note says why, with fewer than 3 values or where all are equal.

    Raises:
        SampleError: no values, or one is missing or infinite.

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
        warnings.simplefilter("ignore")  # scipy's word for the same; a note reaches the table
        found = stats.shapiro(row)
    return Significance(
        method=SHAPIRO, p=float(found.pvalue), statistic=float(found.statistic), notes=notes
    )


def mann_whitney(
    x: ArrayLike,
    y: ArrayLike,
    *,
    method: Literal["asymptotic", "exact"] = "asymptotic",
    continuity: bool = False,
) -> Significance:
    """Mann and Whitney's test (Wilcoxon's rank sum test); the statistic is U of `x`, R's W.

    U counts the pairs in which x is the larger, ties half.

    Args:
        x: (m,) numbers of one group.
        y: (n,) numbers of the other.
        method: Normal approximation with the variance for ties, or the permutation distribution
            of the rank sum given the ties (where there are none, the classical exact test).
        continuity: Of the normal approximation: 1/2 towards the mean, as R does by default.

    Returns:
        The normal P is NaN, and a note says why, where all values are equal.

    Raises:
        SampleError: an empty group, a missing value, an unknown method, or too many values for
            the exact distribution.

    Source: Mann and Whitney 1947; equal to R's wilcox.test and, exact with ties, to R's coin.
    """
    one, other = values_of(x, "Mann-Whitney, x"), values_of(y, "Mann-Whitney, y")
    ranks = stats.rankdata(np.concatenate([one, other]))
    u = float(ranks[: len(one)].sum() - len(one) * (len(one) + 1) / 2)
    notes = _tie_notes(ranks)
    if method == "exact":
        p = _exact_p(ranks, len(one))
        return Significance(method=MANN_WHITNEY_EXACT, p=p, statistic=u, notes=notes)
    if method != "asymptotic":
        raise SampleError(f"Mann-Whitney: method must be asymptotic or exact, got {method!r}")
    name = MANN_WHITNEY_CONTINUITY if continuity else MANN_WHITNEY
    if np.ptp(ranks) == 0:
        why = "All values are equal: the normal approximation has no variance."
        return Significance(method=name, p=float("nan"), statistic=u, notes=(why,))
    if (few := min(len(one), len(other))) < _APPROXIMATE:
        notes += (f"Normal approximation with {few} values in a group; prefer the exact method.",)
    found = stats.mannwhitneyu(one, other, method="asymptotic", use_continuity=continuity)
    return Significance(method=name, p=float(found.pvalue), statistic=u, notes=notes)


def welch_t(x: ArrayLike, y: ArrayLike) -> Significance:
    """Welch's t test of equal means, variances not assumed equal; the statistic is t.

    Its degrees of freedom are not whole, so `df` is None.

    Returns:
        P is NaN, and a note says why, with a single value in a group or without any spread.

    Raises:
        SampleError: an empty group, or a missing value.

    Source: Welch 1947; equal to R's t.test.
    """
    one, other = values_of(x, "Welch t test, x"), values_of(y, "Welch t test, y")
    if min(len(one), len(other)) < 2:
        return _without_p(WELCH, "A group has a single value: its variance is unknown.")
    if np.ptp(one) == 0 and np.ptp(other) == 0:
        return _without_p(WELCH, "Neither group varies: there is no variance to test against.")
    found = stats.ttest_ind(one, other, equal_var=False)
    return Significance(method=WELCH, p=float(found.pvalue), statistic=float(found.statistic))


def _without_p(method: str, why: str) -> Significance:
    return Significance(method=method, p=float("nan"), notes=(why,))


def _tie_notes(ranks: Values) -> tuple[str, ...]:
    _, times = np.unique(ranks, return_counts=True)
    tied = int(times[times > 1].sum())
    return (f"{tied} of {len(ranks)} values are tied.",) if tied else ()


def _exact_p(ranks: Values, m: int) -> float:
    """Two-sided: the share of choices of m ranks whose sum is as far from its mean, or farther.

    Whichever group is the smaller is followed: the sums of both move against each other.
    """
    n = len(ranks)
    own = ranks[:m] if 2 * m <= n else ranks[m:]
    doubled = np.rint(2 * ranks).astype(np.int64)  # midranks are halves; whole sums compare safely
    observed = int(np.rint(2 * own.sum()))
    lowest = int(doubled.min())
    steps = doubled - lowest
    unit = max(int(np.gcd.reduce(steps)), 1)
    chances = _sum_distribution(steps // unit, len(own))
    sums = unit * np.arange(len(chances)) + lowest * len(own)
    mean = len(own) * (n + 1)
    return min(float(chances[np.abs(sums - mean) >= abs(observed - mean)].sum()), 1.0)


def _sum_distribution(scores: NDArray[np.int64], m: int) -> Values:
    """P(sum = 0, 1, ...) of m of the scores, every choice equally likely.

    Scores are met one after another; with k chosen and `left` to come, the next one is taken with
    probability (m - k) / left. All terms are positive: small tails keep their digits.

    Raises:
        SampleError: more than MOST_STEPS steps.
    """
    largest = int(np.sort(scores)[-m:].sum())
    if (m + 1) * (largest + 1) * len(scores) > MOST_STEPS:
        raise SampleError(
            f"Mann-Whitney: {len(scores)} values are too many for the exact distribution; "
            "use the asymptotic method, from which it hardly differs here"
        )
    chance = np.zeros((m + 1, largest + 1))  # of k chosen so far and their sum
    chance[0, 0] = 1.0
    chosen = np.arange(m + 1)[:, None]
    for met, score in enumerate(np.sort(scores).tolist()):
        left = len(scores) - met
        taken = chance[:-1] * (m - chosen[:-1]) / left
        chance *= (left - m + chosen) / left
        chance[1:, score:] += taken[:, : largest + 1 - score]
    return np.asarray(chance[m])
