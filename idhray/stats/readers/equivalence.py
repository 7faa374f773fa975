"""Equivalence of a rate of right answers with guessing.

A test against 50% can only show that a reader does tell two things apart. To claim that no reader
can, the rate must be shown to lie within a margin of 50% that was stated beforehand.
"""

from dataclasses import dataclass

from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from idhray.errors import ConfigError
from idhray.stats.sample import SampleError

CHANCE = 0.5
CAUTION = "Not shown to differ is not shown to be the same."


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Two one-sided exact binomial tests against `CHANCE - margin` and `CHANCE + margin`."""

    margin: float
    p_low: float
    """P of the test that the true rate is `CHANCE - margin` or lower."""
    p_high: float
    """P of the test that the true rate is `CHANCE + margin` or higher."""
    ci_low: float
    ci_high: float
    """Clopper-Pearson with confidence 1 - 2 alpha: inside the margin if both tests reject."""
    alpha: float
    smallest_n: int
    """Fewest answers of which exactly half right ones show equivalence; fewer never can."""

    @property
    def p(self) -> float:
        """The larger of both, which is the P of the test as a whole."""
        return max(self.p_low, self.p_high)

    @property
    def equivalent(self) -> bool:
        """True if the true rate is shown to lie within the margin."""
        return self.p <= self.alpha


def equivalence_to_chance(
    right: int, n: int, *, margin: float = 0.1, alpha: float = 0.05
) -> Equivalence:
    """Equivalence of `right` of `n` answers with guessing.

    Args:
        right: Right answers.
        n: All answers.
        margin: Distance from 50% that still counts as guessing; to be decided beforehand.
        alpha: Level of each one-sided test.

    Raises:
        ConfigError: the margin is not between 0 and 0.5, or alpha not between 0 and 0.5.
        SampleError: there are no answers, or more right ones than answers.

    Source: Schuirmann 1987 (two one-sided tests), with the exact binomial tails.
    """
    if not 0 < margin < CHANCE:
        raise ConfigError(
            f"an equivalence margin lies between 0 and 0.5, such as 0.1; got {margin}"
        )
    if not 0 < alpha < 0.5:
        raise ConfigError(f"alpha must lie between 0 and 0.5, such as 0.05; got {alpha}")
    if not 0 <= right <= n or n < 1:
        raise SampleError(f"{right} right of {n} answers: that is no count")
    p_low, p_high = _tails(right, n, margin)
    low, high = proportion_confint(right, n, 2 * alpha, method="beta")
    return Equivalence(
        margin=margin,
        p_low=p_low,
        p_high=p_high,
        ci_low=float(low) if right > 0 else 0.0,
        ci_high=float(high) if right < n else 1.0,
        alpha=alpha,
        smallest_n=_smallest_n(margin, alpha),
    )


def _tails(right: int, n: int, margin: float) -> tuple[float, float]:
    low = stats.binom.sf(right - 1, n, CHANCE - margin)
    high = stats.binom.cdf(right, n, CHANCE + margin)
    return float(low), float(high)


def _smallest_n(margin: float, alpha: float) -> int:
    """Bisection over pairs of answers: with half of them right, P falls as they grow."""
    fails, works = 0, 1
    while max(_tails(works, 2 * works, margin)) > alpha:
        fails, works = works, 2 * works
    while works - fails > 1:
        pairs = (fails + works) // 2
        if max(_tails(pairs, 2 * pairs, margin)) > alpha:
            fails = pairs
        else:
            works = pairs
    return 2 * works
