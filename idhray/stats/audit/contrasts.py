"""The beta of one level against another from their counts, as software may print it.

The counts are ((wildtype, mutant) of the level, (wildtype, mutant) of the reference).
"""

from functools import lru_cache
from math import inf, isfinite, log, sqrt

from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit, xlogy

from idhray.stats.audit.count_tests import p_values
from idhray.stats.audit.interval import Z95, p_of_z
from idhray.stats.audit.reported import Counts
from idhray.stats.contingency import OddsRatio, odds_ratio

MAXIMUM, CONDITIONAL, FIRTH = "maximum likelihood", "conditional", "Firth (0.5 added)"
WALD, PROFILE, EXACT = "Wald", "profile likelihood", "exact"
_MOST_EXACT = 20_000  # cases; beyond, exact methods take long and add nothing


def log_odds_ratio(counts: Counts, added: float = 0.0) -> float:
    """log((mutant / wildtype of the level) / (mutant / wildtype of the reference)).

    Infinite, or NaN, with a zero cell. With 0.5 added to each cell it is Firth's estimate: his
    penalty is Jeffreys' prior, and two levels with an intercept are a saturated model.
    """
    (w1, m1), (w0, m0) = ((w + added, m + added) for w, m in counts)
    above, below = m1 * w0, w1 * m0
    if above > 0 and below > 0:
        return log(above / below)
    return inf if above > 0 else -inf if below > 0 else float("nan")


def standard_error(counts: Counts, added: float = 0.0) -> float:
    """Woolf's standard error of a log odds ratio, the Wald one; infinite with a zero cell."""
    cells = [cell + added for level in counts for cell in level]
    return sqrt(sum(1 / cell for cell in cells)) if min(cells) > 0 else inf


def betas(counts: Counts) -> dict[str, float]:
    """Finite log odds ratios by the name of their method."""
    found = {MAXIMUM: log_odds_ratio(counts), FIRTH: log_odds_ratio(counts, 0.5)}
    if _has_margins(counts):
        conditional = _exact(counts).conditional
        found[CONDITIONAL] = log(conditional) if 0 < conditional < inf else inf
    return {name: beta for name, beta in found.items() if isfinite(beta)}


def wald_p(counts: Counts) -> float:
    """Two-sided; NaN with a zero cell."""
    se = standard_error(counts)
    return p_of_z(log_odds_ratio(counts) / se) if isfinite(se) else float("nan")


def contrast_p_values(counts: Counts) -> dict[str, float]:
    """P of a contrast by the name of its test: Wald's first, then those of the counts."""
    p = wald_p(counts)
    return {**({WALD: p} if isfinite(p) else {}), **p_values(counts)}


def beta_intervals(counts: Counts) -> dict[str, tuple[float, float]]:
    """95% intervals of the log odds ratio by the name of their method; an end may be infinite."""
    found = {FIRTH: _wald_interval(counts, 0.5)}
    if isfinite(standard_error(counts)):
        found = {WALD: _wald_interval(counts), PROFILE: profile_interval(counts), **found}
    if _has_margins(counts):
        exact = _exact(counts)
        ends = [log(end) if end > 0 else -inf for end in (exact.ci_low, exact.ci_high)]
        found[EXACT] = ends[0], ends[1]
    return found


def profile_interval(counts: Counts) -> tuple[float, float]:
    """The log odds ratios that the likelihood-ratio test does not reject; no cell may be 0.

    Source: Venzon and Moolgavkar 1988 (Appl Stat 37:87).
    """
    beta, width = log_odds_ratio(counts), Z95 * standard_error(counts)
    limit = float(stats.chi2.ppf(0.95, 1))

    def excess(value: float) -> float:
        return 2 * (_log_likelihood(counts, beta) - _log_likelihood(counts, value)) - limit

    low, high = beta - width, beta + width
    while excess(low) < 0:
        low -= width
    while excess(high) < 0:
        high += width
    return float(brentq(excess, low, beta)), float(brentq(excess, beta, high))


def _log_likelihood(counts: Counts, beta: float) -> float:
    """Of both levels, at a given beta and the intercept that is best for it."""
    (w1, m1), (w0, m0) = counts

    def missing(intercept: float) -> float:
        expected = (w1 + m1) * expit(intercept + beta) + (w0 + m0) * expit(intercept)
        return float(expected - m1 - m0)

    reach = 40 + abs(beta)
    intercept = float(brentq(missing, -reach, reach, xtol=1e-13))
    ones, zeros = expit(intercept + beta), expit(intercept)
    terms = ((m1, ones), (w1, 1 - ones), (m0, zeros), (w0, 1 - zeros))
    return float(sum(xlogy(count, share) for count, share in terms))


def _wald_interval(counts: Counts, added: float = 0.0) -> tuple[float, float]:
    beta, half = log_odds_ratio(counts, added), Z95 * standard_error(counts, added)
    return beta - half, beta + half


def _has_margins(counts: Counts) -> bool:
    sides = (*counts, *zip(*counts, strict=True))
    return all(sum(side) for side in sides) and sum(map(sum, counts)) <= _MOST_EXACT


@lru_cache(maxsize=1024)
def _exact(counts: Counts) -> OddsRatio:
    """Of the columns the other way round, so that the odds are those of a mutation."""
    return odds_ratio([[mutant, wildtype] for wildtype, mutant in counts])
