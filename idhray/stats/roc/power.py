"""Power of the paired DeLong test by simulation, and the gain in AUC that it finds.

Two models score the same patients, each by one or more scores (readers or trainings) whose areas
are averaged. Within each class the scores are normal with variance 1 and given correlations, and
the mean of mutants is higher by sqrt(2) * probit(AUC). So the variance at a gain is the one that
this gain brings along, and not that of the observed difference: near an area of 1 a small cohort
may rank its patients alike by two models and yet be unable to show any gain.

The planner and the papers' verdicts use these functions.

Letters: S studies, V scores of a model, P patients.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from scipy.optimize import brentq

from idhray.errors import ConfigError
from idhray.stats.roc.delong import NO_VARIANCE, Components, components
from idhray.stats.sample import Labels, Scores, labels_of, scores_of, z_of

POWER = 0.8
STUDIES = 2000
"""Simulated studies: a power of 80% then has a standard error of 0.9 points."""
_STEPS = 8  # gains up to an area of 1 that are tried first
_SAME = 0.9999  # correlation from which two models cannot be told apart


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedDesign:
    """A comparison of a new model with a baseline on the same patients."""

    n_mutant: int
    n_wildtype: int
    areas: NDArray[np.float64]
    """(V,) true area of each score of the baseline."""
    correlation: NDArray[np.float64]
    """(2 V, 2 V) of the scores within a class, the baseline's first."""
    other_variance: float = 0.0
    """Variance of the difference from other sources than patients, as the interval has it."""
    alpha: float = 0.05
    """Two-sided."""


def measured_design(
    truth: ArrayLike, scores: ArrayLike, baseline: ArrayLike, *, other_variance: float = 0.0
) -> PairedDesign:
    """The design with the areas and the correlations that two models have on some patients.

    Correlations are those of normal scores of the ranks within a class, averaged over the classes.

    Args:
        truth: (P,) labels.
        scores: (V, P) scores of the new model.
        baseline: (V, P) scores of the baseline.
        other_variance: See `PairedDesign`.

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    labels = labels_of(truth)
    old, new = scores_of(baseline, labels), scores_of(scores, labels)
    both = np.vstack([old, new])
    with np.errstate(invalid="ignore", divide="ignore"):
        matrices = [_rank_correlation(both[:, labels == group]) for group in (0, 1)]
    wildtype, mutant = np.bincount(labels, minlength=2)
    sizes = np.array([wildtype, mutant]) - 1
    half_pair = 0.5 / (mutant * wildtype)  # a true area of 1 would leave no room for a gain
    return PairedDesign(
        n_mutant=int(mutant),
        n_wildtype=int(wildtype),
        areas=components(labels, old)[0].mean(axis=1).clip(half_pair, 1 - half_pair),
        correlation=np.average(matrices, axis=0, weights=np.maximum(sizes, 1)),
        other_variance=other_variance,
    )


def _rank_correlation(scores: Scores) -> NDArray[np.float64]:
    ranks = stats.rankdata(scores, axis=1) / (scores.shape[1] + 1)
    return np.atleast_2d(np.corrcoef(special.ndtri(ranks)))


def power_curve(
    design: PairedDesign, studies: int, rng: np.random.Generator
) -> Callable[[float], float]:
    """Power as a function of the gain, added to every area; the same random numbers for all gains.

    The interval is the estimate +- z * sqrt(DeLong's variance + the other variance), and a study
    counts if it excludes 0 on either side.
    """
    count = len(design.areas)
    size = (studies, design.n_mutant + design.n_wildtype)
    labels: Labels = np.repeat(np.array([1, 0]), [design.n_mutant, design.n_wildtype])
    draws = [rng.standard_normal(size) for _ in range(2 * count)]
    roots = _root(design.correlation)
    noise = [
        sum(roots[row, k] * draws[k] for k in range(2 * count) if roots[row, k])
        for row in range(2 * count)
    ]
    baseline = [
        components(labels, noise[v] + _shift(area) * labels) for v, area in enumerate(design.areas)
    ]

    def power(gain: float) -> float:
        new = []
        for score, area in zip(noise[count:], design.areas, strict=True):
            moved = np.array(score)
            moved[:, : design.n_mutant] += _shift(min(float(area) + gain, 1.0))
            new.append(components(labels, moved))
        return float(_power_of_studies(design, new, baseline).mean())

    return power


def _root(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower triangular root of a matrix that may be singular, as of two equal readers."""
    if np.linalg.eigvalsh(correlation).min() < 1e-10:
        correlation = (correlation + 1e-9 * np.eye(len(correlation))) / (1 + 1e-9)
    return np.asarray(np.linalg.cholesky(correlation), dtype=np.float64)


def _shift(area: float) -> float:
    """Difference of the mean scores of the classes; infinite for an area of 1."""
    return float(np.sqrt(2) * stats.norm.ppf(area))


def _power_of_studies(
    design: PairedDesign, new: list[Components], old: list[Components]
) -> NDArray[np.float64]:
    """(S,) probability that a study excludes 0, over its other sources of variation.

    A study whose DeLong variance is 0 has no P, and does not count.
    """
    gains = [
        np.mean(
            [after[side] - before[side] for after, before in zip(new, old, strict=True)], axis=0
        )
        for side in (0, 1)
    ]
    variances = [gain.var(axis=1, ddof=1) / gain.shape[1] for gain in gains]
    variance = variances[0] + variances[1]
    difference = gains[0].mean(axis=1)
    limit = z_of(1 - design.alpha) * np.sqrt(variance + design.other_variance)
    if design.other_variance:
        sd = np.sqrt(design.other_variance)
        power = special.ndtr((difference - limit) / sd) + special.ndtr((-limit - difference) / sd)
    else:
        power = (np.abs(difference) > limit).astype(np.float64)
    return np.asarray(np.where(np.sqrt(variance) > NO_VARIANCE, power, 0.0))


def gain_found(curve: Callable[[float], float], room: float, power: float) -> tuple[float, float]:
    """The smallest gain with a power, and the highest power that was met.

    Near an area of 1 the power may fall again, so gains are tried in ascending order.

    Args:
        curve: Power as a function of the gain.
        room: The largest gain: 1 minus the area of the baseline.
        power: The power.

    Returns:
        The gain, NaN if no gain has this power; and the highest power among the gains tried.
    """
    powers, previous = [], 0.0
    for gain in np.linspace(0, room, _STEPS + 1)[1:]:
        powers.append(curve(float(gain)))
        if powers[-1] >= power:
            found_gain = brentq(lambda value: curve(value) - power, previous, gain, xtol=2e-4)
            return float(found_gain), max(powers)
        previous = float(gain)
    return float("nan"), max(powers)


def detectable_paired_gain(
    design: PairedDesign,
    rng: np.random.Generator,
    *,
    power: float = POWER,
    studies: int = STUDIES,
) -> float:
    """Smallest true gain that a comparison like this one finds.

    Returns:
        The gain; infinite if not even an area of 1 is found; NaN if the correlations do not exist
        or cannot be told from 1, so that the gain is unknown.

    Raises:
        ConfigError: the power is not between alpha and 1.
    """
    if not design.alpha < power < 1:
        raise ConfigError(f"power must lie between {design.alpha} and 1, got {power}")
    count, mean = len(design.areas), float(design.areas.mean())
    across = design.correlation[:count, count:]
    if min(design.n_mutant, design.n_wildtype) < 2 or not np.isfinite(design.correlation).all():
        return float("nan")
    if across.mean() > _SAME:
        return float("nan")
    gain, _ = gain_found(power_curve(design, studies, rng), 1 - mean, power)
    return float("inf") if np.isnan(gain) else gain
