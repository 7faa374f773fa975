"""The beta of one level against another from their counts, by the methods of common software.

The counts are ((wildtype, mutant) of the level, (wildtype, mutant) of the reference).
"""

from functools import lru_cache
from math import copysign, inf, isfinite, log, sqrt

from scipy.optimize import brentq
from scipy.special import expit, log_expit

from idhray.stats.audit.counts import p_values
from idhray.stats.audit.intervals import Z95, p_of_z
from idhray.stats.audit.reported import CountTable
from idhray.stats.hypothesis.contingency import OddsRatio, odds_ratio

MAXIMUM, CONDITIONAL, FIRTH = "maximum likelihood", "conditional", "Firth (0.5 added)"
WALD, PROFILE, EXACT = "Wald", "profile likelihood", "exact"
PENALIZED, FIRTH_WALD = "penalized likelihood", "Wald of Firth's estimate"
_MOST_EXACT = 20_000  # cases; beyond, exact methods take long and add nothing


def log_odds_ratio(counts: CountTable, added: float = 0.0) -> float:
    """log((mutant / wildtype of the level) / (mutant / wildtype of the reference)).

    Infinite, or NaN, with a zero cell. With 0.5 added to each cell it is Firth's estimate: his
    penalty is Jeffreys' prior, and two levels with an intercept are a saturated model.
    """
    (w1, m1), (w0, m0) = ((w + added, m + added) for w, m in counts)
    above, below = m1 * w0, w1 * m0
    if above > 0 and below > 0:
        return log(above / below)
    return inf if above > 0 else -inf if below > 0 else float("nan")


def standard_error(counts: CountTable, added: float = 0.0) -> float:
    """Woolf's standard error of a log odds ratio, the Wald one; infinite with a zero cell."""
    cells = [cell + added for level in counts for cell in level]
    return sqrt(sum(1 / cell for cell in cells)) if min(cells) > 0 else inf


def betas(counts: CountTable) -> dict[str, float]:
    """Finite log odds ratios by the name of their method."""
    values = {MAXIMUM: log_odds_ratio(counts), FIRTH: log_odds_ratio(counts, 0.5)}
    if _has_margins(counts):
        conditional = _exact(counts).conditional
        values[CONDITIONAL] = log(conditional) if 0 < conditional < inf else inf
    return {name: beta for name, beta in values.items() if isfinite(beta)}


def wald_p(counts: CountTable) -> float:
    """Two-sided P of Wald's test; NaN with a zero cell."""
    se = standard_error(counts)
    return p_of_z(log_odds_ratio(counts) / se) if isfinite(se) else float("nan")


def contrast_p_values(counts: CountTable) -> dict[str, float]:
    """P of a contrast by the name of its test: Wald's first, then those of the counts."""
    p = wald_p(counts)
    return {**({WALD: p} if isfinite(p) else {}), **p_values(counts)}


def firth_p_values(counts: CountTable) -> dict[str, float]:
    """P of Firth's estimate by the name of its test; none if a level is empty."""
    if not all(map(sum, counts)):
        return {}
    beta, se = wald_forms(counts)[FIRTH_WALD]
    return {
        PENALIZED: p_of_z(likelihood_root(counts, 0.0, 0.5)),
        FIRTH_WALD: p_of_z(beta / se),
    }


def wald_forms(counts: CountTable) -> dict[str, tuple[float, float]]:
    """Estimates that have z standard errors to both sides: method -> (beta, standard error).

    Firth's information has the shares with 0.5 added, but the patients without: its Wald interval
    is a little wider than Woolf's of the cells with 0.5 added.
    """
    beta = log_odds_ratio(counts, 0.5)
    forms = {FIRTH: (beta, standard_error(counts, 0.5))}
    if all(map(sum, counts)):
        terms = ((w + m + 1) ** 2 / ((w + m) * (w + 0.5) * (m + 0.5)) for w, m in counts)
        forms[FIRTH_WALD] = beta, sqrt(sum(terms))
    if isfinite(standard_error(counts)):
        forms = {WALD: (log_odds_ratio(counts), standard_error(counts)), **forms}
    return forms


def profile_forms(counts: CountTable) -> dict[str, float]:
    """The likelihoods that have a profile interval: method -> number added to every cell.

    Firth's penalized likelihood is, up to a constant, the likelihood of cells with 0.5 added: the
    determinant of the information of two levels is the product of their n p (1 - p).
    """
    forms = {PENALIZED: 0.5} if all(map(sum, counts)) else {}
    return {PROFILE: 0.0, **forms} if isfinite(standard_error(counts)) else forms


def beta_intervals(counts: CountTable) -> dict[str, tuple[float, float]]:
    """95% intervals of the log odds ratio by the name of their method; an end may be infinite."""
    walds = {
        name: (beta - Z95 * se, beta + Z95 * se) for name, (beta, se) in wald_forms(counts).items()
    }
    profiles = {name: profile_interval(counts, add) for name, add in profile_forms(counts).items()}
    return {**walds, **profiles, **exact_interval(counts)}


def exact_interval(counts: CountTable) -> dict[str, tuple[float, float]]:
    """The conditional exact interval by its name; empty if it does not exist."""
    if not _has_margins(counts):
        return {}
    exact = _exact(counts)
    ends = [log(end) if end > 0 else -inf for end in (exact.ci_low, exact.ci_high)]
    return {EXACT: (ends[0], ends[1])}


def profile_interval(counts: CountTable, added: float = 0.0) -> tuple[float, float]:
    """The log odds ratios that the likelihood-ratio test does not reject.

    Args:
        counts: Counts without an empty cell, unless something is added.
        added: Number added to every cell; 0.5 gives the interval of Firth's penalized likelihood.

    Source: Venzon and Moolgavkar 1988 (Appl Stat 37:87); Heinze and Schemper 2002 (Stat Med
    21:2409).
    """
    beta, width = log_odds_ratio(counts, added), Z95 * standard_error(counts, added)

    def excess(value: float) -> float:
        return abs(likelihood_root(counts, value, added)) - Z95

    low, high = beta - width, beta + width
    while excess(low) < 0:
        low -= width
    while excess(high) < 0:
        high += width
    return float(brentq(excess, low, beta)), float(brentq(excess, beta, high))


def likelihood_root(counts: CountTable, value: float, added: float = 0.0) -> float:
    """The z of the likelihood-ratio test of a log odds ratio; negative below the estimate."""
    if not isfinite(value):
        return value
    beta = log_odds_ratio(counts, added)
    gain = _log_likelihood(counts, beta, added) - _log_likelihood(counts, value, added)
    return copysign(sqrt(max(2 * gain, 0.0)), value - beta)


def _log_likelihood(counts: CountTable, beta: float, added: float) -> float:
    """Log-likelihood of both levels at a beta and the intercept that is best for it."""
    (w1, m1), (w0, m0) = ((w + added, m + added) for w, m in counts)

    def missing(intercept: float) -> float:
        expected = (w1 + m1) * expit(intercept + beta) + (w0 + m0) * expit(intercept)
        return float(expected - m1 - m0)

    reach = 40 + abs(beta)
    intercept = float(brentq(missing, -reach, reach, xtol=1e-13))
    level, reference = intercept + beta, intercept  # log odds
    terms = ((m1, level), (w1, -level), (m0, reference), (w0, -reference))
    return float(sum(count * log_expit(log_odds) for count, log_odds in terms if count))


def _has_margins(counts: CountTable) -> bool:
    sides = (*counts, *zip(*counts, strict=True))
    return all(sum(side) for side in sides) and sum(map(sum, counts)) <= _MOST_EXACT


@lru_cache(maxsize=1024)
def _exact(counts: CountTable) -> OddsRatio:
    """Odds ratio with the columns exchanged, so that the odds are those of a mutation."""
    return odds_ratio([[mutant, wildtype] for wildtype, mutant in counts])
