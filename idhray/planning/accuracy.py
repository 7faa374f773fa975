"""The gain in accuracy that a cohort can detect: McNemar's test on the same patients.

Only discordant patients count: one model calls them right and the other calls them wrong. The
discordance is their share of all patients. The gain is the share that only the new model calls
right minus the share that only the old one calls right. No gain is larger than the discordance.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from idhray.errors import ConfigError
from idhray.planning.normal import check_power
from idhray.stats.sample import z_of

McNemarMethod = Literal["exact", "mid-P"]
_WIDE = 10  # the sum over discordant patients goes this many standard deviations to each side
_MOST = 10**6  # patients


def fewest_discordant(method: McNemarMethod = "exact", alpha: float = 0.05) -> int:
    """Patients who must change for the better, with none for the worse, for P <= alpha.

    At alpha 0.05 they are 6 for the exact test and 5 for mid-P; fewer are never significant.
    """
    count = 1
    while 0.5**count * (2 if method == "exact" else 1) > alpha:
        count += 1
    return count


def mcnemar_power(
    n: int, gain: float, discordance: float, method: McNemarMethod = "exact", *, alpha: float = 0.05
) -> float:
    """Exact power of McNemar's test: the sum over all numbers of discordant patients.

    Args:
        gain: Accuracy of the new model minus that of the old one.
        discordance: Share of patients whom just one of them calls right.

    Raises:
        ConfigError: n is below 1, the discordance is outside (0, 1], or the gain is larger.
    """
    _check(n, gain, discordance)
    mean, sd = n * discordance, np.sqrt(n * discordance * (1 - discordance))
    low, high = max(0, int(mean - _WIDE * sd) - 10), min(n, int(mean + _WIDE * sd) + 10)
    discordant = np.arange(low, high + 1)
    better_share = min((discordance + gain) / (2 * discordance), 1.0)
    critical = _critical_count(discordant, method, alpha)
    significant = stats.binom.sf(critical - 1, discordant, better_share)
    significant += stats.binom.cdf(discordant - critical, discordant, better_share)
    return float((stats.binom.pmf(discordant, n, discordance) * significant).sum())


def mcnemar_patients(
    gain: float,
    discordance: float,
    power: float = 0.8,
    method: McNemarMethod = "exact",
    *,
    alpha: float = 0.05,
) -> int:
    """The fewest patients from which on McNemar's test has the planned power.

    Raises:
        ConfigError: see `mcnemar_power`; or the gain needs more than a million patients.
    """

    def too_few(n: int) -> bool:
        return mcnemar_power(n, gain, discordance, method, alpha=alpha) < power

    if gain <= 0:
        raise ConfigError(f"a gain must be above 0, got {gain}")
    low, high = 0, normal_patients(gain, discordance, power, alpha=alpha)
    if high > _MOST:
        raise ConfigError(f"a gain of {gain} in accuracy needs more than {_MOST} patients")
    while too_few(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if too_few(middle) else (low, middle)
    # Counts are whole, so the power rises in a slight zigzag. Skip its last dips.
    while dips := [n for n in range(high, high + 6) if too_few(n)]:
        high = dips[-1] + 1
    return high


def normal_patients(
    gain: float, discordance: float, power: float = 0.8, *, alpha: float = 0.05
) -> int:
    """Patients needed by the normal approximation: a few fewer than by the exact test.

    Raises:
        ConfigError: see `mcnemar_power`; or the power is outside (alpha, 1).

    Source: Connor 1987, Biometrics 43:207.
    """
    _check(1, gain, discordance)
    check_power(power, alpha)
    under_null = z_of(1 - alpha) * np.sqrt(discordance)
    under_gain = stats.norm.ppf(power) * np.sqrt(discordance - gain**2)
    return int(np.ceil(((under_null + under_gain) / gain) ** 2))


def detectable_accuracy(
    n: int, discordance: float, power: float = 0.8, *, alpha: float = 0.05
) -> float:
    """The smallest gain in accuracy that is found with the planned power; NaN if none is.

    Raises:
        ConfigError: n is below 1, the discordance is outside (0, 1], or the power is outside
            (alpha, 1).
    """

    def excess_power(gain: float) -> float:
        return mcnemar_power(n, gain, discordance, alpha=alpha) - power

    check_power(power, alpha)
    if excess_power(discordance) < 0:
        return float("nan")
    return float(brentq(excess_power, 0.0, discordance, xtol=1e-6))


def one_way_accuracy(n: int, power: float = 0.8, *, alpha: float = 0.05) -> float:
    """The detectable gain in the best case, in which no call gets worse; NaN if none is.

    Raises:
        ConfigError: n is below 1, or the power is outside (alpha, 1).
    """

    def excess_power(gain: float) -> float:
        return mcnemar_power(n, gain, gain, alpha=alpha) - power

    check_power(power, alpha)
    if excess_power(1.0) < 0:
        return float("nan")
    return float(brentq(excess_power, 1e-9, 1.0, xtol=1e-6))


def _critical_count(
    discordant: NDArray[np.int64], method: McNemarMethod, alpha: float
) -> NDArray[np.int64]:
    """Number of the discordant patients who must change for the better, for P <= alpha.

    The exact P is twice the tail. Mid-P subtracts the probability of the count itself, so one
    patient fewer may do.
    """
    exact = np.asarray(stats.binom.isf(alpha / 2, discordant, 0.5), dtype=np.int64) + 1
    if method == "exact":
        return exact
    mid_p_count = exact - 1
    mid_p = 2 * stats.binom.sf(mid_p_count, discordant, 0.5) + stats.binom.pmf(
        mid_p_count, discordant, 0.5
    )
    return np.asarray(
        np.where((mid_p <= alpha) & (2 * mid_p_count > discordant), mid_p_count, exact)
    )


def _check(n: int, gain: float, discordance: float) -> None:
    if n < 1:
        raise ConfigError(f"McNemar's test needs patients, got {n}")
    if not 0 < discordance <= 1:
        raise ConfigError(f"a discordance must be above 0 and at most 1, got {discordance}")
    if not abs(gain) <= discordance:
        raise ConfigError(
            f"a gain of {gain:g} is impossible if only {discordance:g} of the patients change"
        )
