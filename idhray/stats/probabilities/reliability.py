"""Probabilities against what was found, by groups of patients and as a smooth curve.

Letters: N patients.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.nonparametric.smoothers_lowess import lowess

from idhray.stats.accuracy.rates import Proportion, proportion
from idhray.stats.hypothesis.significance import Significance
from idhray.stats.probabilities.logits import probabilities_of
from idhray.stats.sample import SampleError, Scores, labels_of

SPAN = 2 / 3
"""Share of the patients in each window of the smooth curve. Source: R's lowess and val.prob."""
Df = Literal["groups - 2", "requested - 2", "groups"]


@dataclass(frozen=True, kw_only=True)
class ReliabilityGroup:
    """Patients of similar probability."""

    lowest: float
    highest: float
    expected: float
    """Mean probability."""
    observed: Proportion
    """Share of mutants; `wilson_low` and `wilson_high` are what a plot shows."""


def smooth_curve(truth: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    """(points, 2): each probability that occurs, ascending, and the smoothed share of mutants.

    A straight line through each two thirds of the patients (lowess without robustness steps, as
    val.prob's). It is not kept within 0 and 1.

    Raises:
        SampleError: so few patients, or so many of one probability, that no line can be drawn
            (statsmodels would return some patient's label); or as `calibration`.
    """
    labels = labels_of(truth)
    given = probabilities_of(p, labels)
    window = int(SPAN * len(labels) + 1e-10)
    if window < 3:
        raise SampleError(f"no smooth calibration curve: {len(labels)} patients are too few")
    points, first, count = np.unique(given, return_index=True, return_counts=True)
    if count.max() >= window:
        raise SampleError(
            f"no smooth calibration curve: {count.max()} of {len(labels)} patients have the "
            f"probability {points[count.argmax()]:.3g}"
        )
    near = 0.01 * float(np.ptp(given))  # R's lowess interpolates within it
    smooth = lowess(labels, given, frac=SPAN, it=0, delta=near, return_sorted=False)
    return np.column_stack([points, smooth[first]])


def quantile_groups(p: Scores, groups: int = 10, *, lowest_apart: bool = True) -> NDArray[np.int64]:
    """The group of each patient, (N,): 0 for the lowest probabilities.

    Cut at quantiles (R's type 7), each group with its upper end. Equal probabilities stay
    together, so ties leave fewer groups than asked for, and of uneven size.

    Args:
        lowest_apart: Where the lowest probability fills the first group, that is its group. R's
            hoslem.test, which drops the repeated end, joins it to the next one.

    Raises:
        SampleError: fewer than two groups are asked for.
    """
    if groups < 2:
        raise SampleError(f"calibration needs two or more groups, got {groups}")
    quantiles = np.quantile(p, np.linspace(0, 1, groups + 1))
    ends = np.unique(quantiles[1:]) if lowest_apart else np.unique(quantiles)[1:]
    place = np.searchsorted(ends[:-1], p, side="left")
    return np.asarray(np.unique(place, return_inverse=True)[1], dtype=np.int64)


def reliability(
    truth: ArrayLike, p: ArrayLike, groups: int = 10, confidence: float = 0.95
) -> tuple[ReliabilityGroup, ...]:
    """The share of mutants in groups of similar probability, by `quantile_groups`.

    Raises:
        SampleError: as `calibration`, or fewer than two groups are asked for.
    """
    labels = labels_of(truth)
    given = probabilities_of(p, labels)
    group = quantile_groups(given, groups)
    members = [group == number for number in range(group.max() + 1)]
    return tuple(
        ReliabilityGroup(
            lowest=float(given[own].min()),
            highest=float(given[own].max()),
            expected=float(given[own].mean()),
            observed=proportion(int(labels[own].sum()), int(own.sum()), confidence),
        )
        for own in members
    )


def hosmer_lemeshow(
    truth: ArrayLike, p: ArrayLike, groups: int = 10, df: Df = "groups - 2"
) -> Significance:
    """Hosmer and Lemeshow's chi-square over groups of similar probability, cut as R does.

    It depends on the number of groups and sees little in a small sample: the slope and the curve
    say more. Groups that hold nobody, which make R's result NaN, are no groups here.

    Args:
        df: `groups - 2` counts the groups that ties leave; `requested - 2` those that were asked
            for, as R's hoslem.test. Both are for patients on whom the model was fitted; `groups`
            is for new ones.

    Raises:
        SampleError: as `calibration`, or fewer than two groups are asked for.

    Source: Hosmer and Lemeshow 1980 (Commun Stat A9:1043).
    """
    labels = labels_of(truth)
    given = probabilities_of(p, labels)
    group = quantile_groups(given, groups, lowest_apart=False)
    n, found, expected = (np.bincount(group, weight) for weight in (None, labels, given))
    off, variance = np.square(found - expected), expected * (1 - expected / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = float(np.where(off == 0, 0, off / variance).sum())
    freedom = {"groups - 2": len(n) - 2, "requested - 2": groups - 2, "groups": len(n)}[df]
    notes = []
    if len(n) < groups:
        notes.append(f"{groups} groups were asked for; ties leave {len(n)}.")
    if few := int((expected < 5).sum() + (n - expected < 5).sum()):
        notes.append(f"{few} of {2 * len(n)} expected counts are below 5.")
    if np.isinf(chi2):
        notes.append("A group that was certain to be all one class is not.")
    if freedom < 1:
        notes.append(f"No P value: {len(n)} groups leave no degree of freedom.")
    return Significance(
        method=f"Hosmer-Lemeshow, {len(n)} groups by quantiles of probability, df = {df}",
        p=float(stats.chi2.sf(chi2, freedom)) if freedom > 0 else np.nan,
        statistic=chi2,
        df=freedom,
        notes=tuple(notes),
    )
