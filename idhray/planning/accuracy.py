"""Which gain in accuracy a cohort can detect: McNemar's test on the same patients.

Only discordant patients count, those whom one model calls right and the other wrong. Of N patients
a share, the discordance, is so; the gain is the share that only the new model calls right minus
the share that only the old one does. No gain can be larger than the discordance.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from idhray.errors import ConfigError
from idhray.planning.normal import check_power
from idhray.stats.roc.delong import z_of

Method = Literal["exact", "mid-P"]
_WIDE = 10  # standard deviations of the number of discordant patients that are summed
_MOST = 10**6  # patients


def fewest_discordant(method: Method = "exact", alpha: float = 0.05) -> int:
    """Patients who must change for the better, with none for the worse, for P <= alpha.

    6 for the exact test, 5 for mid-P; with fewer discordant patients nothing is significant.
    """
    count = 1
    while 0.5**count * (2 if method == "exact" else 1) > alpha:
        count += 1
    return count


def mcnemar_power(
    n: int, gain: float, discordance: float, method: Method = "exact", *, alpha: float = 0.05
) -> float:
    """Power of McNemar's test, exactly: summed over all numbers of discordant patients.

    Args:
        gain: Accuracy of the new model minus that of the old one.
        discordance: Share of patients whom just one of them calls right.

    Raises:
        ConfigError: n below 1, a discordance outside (0, 1], or a gain beyond it.
    """
    _check(n, gain, discordance)
    mean, sd = n * discordance, np.sqrt(n * discordance * (1 - discordance))
    low, high = max(0, int(mean - _WIDE * sd) - 10), min(n, int(mean + _WIDE * sd) + 10)
    either = np.arange(low, high + 1)
    better = min((discordance + gain) / (2 * discordance), 1.0)
    needed = _critical(either, method, alpha)
    shown = stats.binom.sf(needed - 1, either, better)
    shown += stats.binom.cdf(either - needed, either, better)
    return float((stats.binom.pmf(either, n, discordance) * shown).sum())


def mcnemar_patients(
    gain: float,
    discordance: float,
    power: float = 0.8,
    method: Method = "exact",
    *,
    alpha: float = 0.05,
) -> int:
    """The fewest patients from whom on the power of McNemar's test is reached.

    Raises:
        ConfigError: see `mcnemar_power`; or a gain so small that a million patients are too few.
    """

    def lacking(n: int) -> bool:
        return mcnemar_power(n, gain, discordance, method, alpha=alpha) < power

    if gain <= 0:
        raise ConfigError(f"a gain must be above 0, got {gain}")
    low, high = 0, normal_patients(gain, discordance, power, alpha=alpha)
    if high > _MOST:
        raise ConfigError(f"a gain of {gain} in accuracy needs more than {_MOST} patients")
    while lacking(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if lacking(middle) else (low, middle)
    # Counts are whole, so the power climbs in a slight zigzag: pass what is left of it.
    while dips := [n for n in range(high, high + 6) if lacking(n)]:
        high = dips[-1] + 1
    return high


def normal_patients(
    gain: float, discordance: float, power: float = 0.8, *, alpha: float = 0.05
) -> int:
    """Patients needed by the normal approximation: a few less than the exact test asks for.

    Raises:
        ConfigError: see `mcnemar_power`; or a power outside (alpha, 1).

    Source: Connor 1987, Biometrics 43:207.
    """
    _check(1, gain, discordance)
    check_power(power, alpha)
    under_null = z_of(1 - alpha) * np.sqrt(discordance)
    under_gain = stats.norm.ppf(power) * np.sqrt(discordance - gain**2)
    return int(np.ceil(((under_null + under_gain) / gain) ** 2))


def detectable_accuracy(
    n: int,
    discordance: float,
    power: float = 0.8,
    method: Method = "exact",
    *,
    alpha: float = 0.05,
) -> float:
    """The smallest gain in accuracy that is found with the wanted power; NaN if none is.

    Raises:
        ConfigError: n below 1, a discordance outside (0, 1], or a power outside (alpha, 1).
    """

    def beyond(gain: float) -> float:
        return mcnemar_power(n, gain, discordance, method, alpha=alpha) - power

    check_power(power, alpha)
    if beyond(discordance) < 0:
        return float("nan")
    return float(brentq(beyond, 0.0, discordance, xtol=1e-6))


def one_way_accuracy(
    n: int, power: float = 0.8, method: Method = "exact", *, alpha: float = 0.05
) -> float:
    """The detectable gain in the best case, where nobody is called worse than before; NaN if none.

    Raises:
        ConfigError: n below 1, or a power outside (alpha, 1).
    """

    def beyond(gain: float) -> float:
        return mcnemar_power(n, gain, gain, method, alpha=alpha) - power

    check_power(power, alpha)
    if beyond(1.0) < 0:
        return float("nan")
    return float(brentq(beyond, 1e-9, 1.0, xtol=1e-6))


def _critical(either: NDArray[np.int64], method: Method, alpha: float) -> NDArray[np.int64]:
    """How many of `either` discordant patients must be for the better, for P <= alpha.

    Exact: P is twice the tail. Mid-P takes off the probability of the count itself, which lets in
    one count less or none.
    """
    exact = np.asarray(stats.binom.isf(alpha / 2, either, 0.5), dtype=np.int64) + 1
    if method == "exact":
        return exact
    less = exact - 1
    mid_p = 2 * stats.binom.sf(less, either, 0.5) + stats.binom.pmf(less, either, 0.5)
    return np.asarray(np.where((mid_p <= alpha) & (2 * less > either), less, exact))


def _check(n: int, gain: float, discordance: float) -> None:
    if n < 1:
        raise ConfigError(f"McNemar's test needs patients, got {n}")
    if not 0 < discordance <= 1:
        raise ConfigError(f"a discordance lies above 0 and up to 1, got {discordance}")
    if not abs(gain) <= discordance:
        raise ConfigError(
            f"a gain of {gain:g} is impossible where only {discordance:g} of the patients change"
        )
