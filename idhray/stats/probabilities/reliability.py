"""Predicted and observed shares of mutants, in groups of patients and as a smooth curve.

Letters: N patients.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.nonparametric.smoothers_lowess import lowess

from idhray.stats.accuracy.rates import Proportion, proportion
from idhray.stats.hypothesis.significance import Significance
from idhray.stats.probabilities.logits import probabilities_of
from idhray.stats.sample import SampleError, Scored, Scores

SPAN = 2 / 3
"""Share of the patients in each window of the smooth curve. Source: R's lowess and val.prob."""
GROUPS = 10
"""Groups of similar probability, before ties merge some of them."""


@dataclass(frozen=True, kw_only=True)
class ReliabilityGroup:
    """Patients of similar probability."""

    lowest: float
    highest: float
    expected: float
    """Mean probability."""
    observed: Proportion
    """Share of mutants; a plot shows `wilson_low` and `wilson_high`."""


def smooth_curve(sample: Scored) -> NDArray[np.float64]:
    """Each distinct probability, ascending, and the smoothed share of mutants, (points, 2).

    A straight line is fitted through each two thirds of the patients (lowess without robustness
    steps, as in val.prob). The curve may leave 0..1.

    Raises:
        SampleError: there are so few patients, or so many with one probability, that no line can
            be drawn (statsmodels would return some patient's label); or as `calibration`.
    """
    p = probabilities_of(sample)
    window = int(SPAN * len(p) + 1e-10)
    if window < 3:
        raise SampleError(f"no smooth calibration curve: {len(p)} patients are too few")
    points, first, count = np.unique(p, return_index=True, return_counts=True)
    if count.max() >= window:
        raise SampleError(
            f"no smooth calibration curve: {count.max()} of {len(p)} patients have the "
            f"probability {points[count.argmax()]:.3g}"
        )
    near = 0.01 * float(np.ptp(p))  # R's lowess interpolates within this distance
    smooth = lowess(sample.labels, p, frac=SPAN, it=0, delta=near, return_sorted=False)
    return np.column_stack([points, smooth[first]])


def quantile_groups(p: Scores, *, lowest_apart: bool) -> NDArray[np.int64]:
    """The group of each patient, (N,); group 0 has the lowest probabilities.

    Groups are cut at quantiles (R's type 7) and include their upper end. Equal probabilities stay
    together, so ties leave fewer groups, of uneven size.

    Args:
        lowest_apart: If the lowest probability fills the first group, keep it as a group. R's
            hoslem.test drops the repeated end and merges it with the next group.
    """
    quantiles = np.quantile(p, np.linspace(0, 1, GROUPS + 1))
    ends = np.unique(quantiles[1:]) if lowest_apart else np.unique(quantiles)[1:]
    place = np.searchsorted(ends[:-1], p, side="left")
    return np.asarray(np.unique(place, return_inverse=True)[1], dtype=np.int64)


def reliability(sample: Scored) -> tuple[ReliabilityGroup, ...]:
    """The share of mutants in groups of similar probability, by `quantile_groups`.

    Raises:
        SampleError: as `calibration`.
    """
    p = probabilities_of(sample)
    group = quantile_groups(p, lowest_apart=True)
    members_by_group = [group == number for number in range(group.max() + 1)]
    return tuple(
        ReliabilityGroup(
            lowest=float(p[members].min()),
            highest=float(p[members].max()),
            expected=float(p[members].mean()),
            observed=proportion(int(sample.labels[members].sum()), int(members.sum())),
        )
        for members in members_by_group
    )


def hosmer_lemeshow(sample: Scored) -> Significance:
    """Hosmer and Lemeshow's chi-square for patients on whom the model was not fitted.

    Groups of similar probability are cut as in R's hoslem.test, which subtracts 2 degrees of
    freedom for patients on whom the model was fitted. Groups without patients, which make R's
    result NaN, are dropped. The test depends on the number of groups and has little power in a
    small sample; the slope and the curve tell more.

    Raises:
        SampleError: as `calibration`.

    Source: Hosmer and Lemeshow 1980 (Commun Stat A9:1043).
    """
    p = probabilities_of(sample)
    group = quantile_groups(p, lowest_apart=False)
    n, observed, expected = (np.bincount(group, weights) for weights in (None, sample.labels, p))
    difference, variance = np.square(observed - expected), expected * (1 - expected / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = float(np.where(difference == 0, 0, difference / variance).sum())
    notes = []
    if len(n) < GROUPS:
        notes.append(f"{GROUPS} groups were asked for; ties leave {len(n)}.")
    if low_counts := int((expected < 5).sum() + (n - expected < 5).sum()):
        notes.append(f"{low_counts} of {2 * len(n)} expected counts are below 5.")
    if np.isinf(chi2):
        notes.append("A group that was certain to be all one class is not.")
    return Significance(
        method=f"Hosmer-Lemeshow, {len(n)} groups by quantiles of probability, df = groups",
        p=float(stats.chi2.sf(chi2, len(n))),
        statistic=chi2,
        df=len(n),
        notes=tuple(notes),
    )
