"""Areas under ROC curves with their uncertainty (DeLong), for one training or several repeats.

Letters: R repeats (trainings) of one model, M mutant and W wildtype patients. A repeat is another
training scored on the same patients: it adds no patient, so its scores are averaged, never pooled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from idhray.stats.roc.delong import (
    NO_VARIANCE,
    components,
    delong_error,
    mean_components,
    no_variance_note,
)
from idhray.stats.roc.intervals import exact_auc_interval, exact_difference_interval
from idhray.stats.sample import CONFIDENCE, Scored, labels_of, scores_of, z_of

DELONG = "DeLong"
DELONG_TRAININGS = "DeLong + variance between trainings"
EXACT = "exact binomial"
EXACT_DIFFERENCE = "from two exact binomial intervals"


@dataclass(frozen=True, kw_only=True)
class Auc:
    """Area under a ROC curve; with several repeats, the mean of their areas."""

    auc: float
    se: float
    """Standard error over patients (DeLong); NaN with a single patient in a class."""
    ci_low: float
    ci_high: float
    ci_method: str
    """`DeLong`, or `exact binomial` if the DeLong variance is 0 or does not exist."""
    sd_repeats: float
    """Standard deviation of the area between repeats; NaN with one repeat."""
    repeats: int
    n_mutant: int
    n_wildtype: int


@dataclass(frozen=True, kw_only=True)
class AucDifference:
    """Area of one model minus the area of a baseline on the same patients."""

    difference: float
    se_patients: float
    """Standard error over patients (paired DeLong)."""
    se_trainings: float
    """Standard error over trainings; 0 when a side has one repeat and it cannot be estimated."""
    ci_low: float
    ci_high: float
    p: float
    """Two-sided; NaN if the DeLong variance is 0 and yet the areas differ."""
    ci_method: str
    statistic: float = float("nan")
    """z: the difference over both standard errors; NaN if the DeLong variance is 0."""
    notes: tuple[str, ...] = ()
    """Reasons for a missing P, or for another interval than DeLong's."""


def auc(sample: Scored) -> float:
    """Share of (mutant, wildtype) pairs in the right order, ties counting half; mean of R."""
    return float(components(sample.labels, sample.scores)[0].mean())


def auc_with_ci(sample: Scored) -> Auc:
    """Area with its confidence interval over patients, clipped to 0..1.

    With (R, patients) scores it is the mean area of R trainings: the structural components are
    averaged over the repeats first, so the interval has the width that the patients allow. Where
    the DeLong variance is 0 (a perfect or a constant score) the interval would be one point; the
    exact binomial one is returned instead, and named.
    """
    labels, repeats = sample.labels, len(sample.scores)
    of_mutants, of_wildtypes = components(labels, sample.scores)
    area = float(of_mutants.mean())
    se = delong_error(*mean_components(of_mutants, of_wildtypes))
    if se > NO_VARIANCE:
        half = z_of(CONFIDENCE) * se
        low, high, method = max(area - half, 0.0), min(area + half, 1.0), DELONG
    else:
        low, high = exact_auc_interval(area, len(labels))
        method = EXACT
    return Auc(
        auc=area,
        se=se,
        ci_low=low,
        ci_high=high,
        ci_method=method,
        sd_repeats=float(of_mutants.mean(axis=1).std(ddof=1)) if repeats > 1 else np.nan,
        repeats=repeats,
        n_mutant=int(labels.sum()),
        n_wildtype=int((1 - labels).sum()),
    )


def auc_difference(truth: ArrayLike, scores: ArrayLike, baseline: ArrayLike) -> AucDifference:
    """Area of `scores` minus area of `baseline`, paired by patient, with interval and P.

    Either may be (R, patients). Two things vary: the patients (paired DeLong on the mean
    components) and the trainings (the variance of the areas between repeats over their number).
    Their variances are added, so that one lucky training does not count as a gain. The sum errs on
    the wide side, because both contain the interaction of patients and trainings. With one repeat
    per side this is the plain paired DeLong test, which does not cover other trainings.

    Where the DeLong variance is 0 the interval comes from the two exact binomial ones, as though
    the areas were uncorrelated: it is wide, and never one point.

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    labels = labels_of(truth)
    sides = [components(labels, scores_of(side, labels)) for side in (scores, baseline)]
    areas = [of_mutants.mean(axis=1) for of_mutants, _ in sides]  # (R,) each
    difference = float(areas[0].mean() - areas[1].mean())
    means = [mean_components(*side) for side in sides]
    gain = [new - old for new, old in zip(*means, strict=True)]  # (1, M) and (1, W)
    se = delong_error(*gain)
    repeated = min(len(area) for area in areas) > 1
    se_trainings = float(np.sqrt(sum(a.var(ddof=1) / len(a) for a in areas))) if repeated else 0.0
    statistic = np.nan
    notes: tuple[str, ...] = ()
    if se > NO_VARIANCE:
        total = float(np.hypot(se, se_trainings))
        half = z_of(CONFIDENCE) * total
        low, high = difference - half, difference + half
        statistic = difference / total
        p = float(2 * stats.norm.sf(abs(statistic)))
        method = DELONG_TRAININGS if se_trainings > NO_VARIANCE else DELONG
    else:
        new, old = ((float(area.mean()), len(labels)) for area in areas)
        low, high = exact_difference_interval(new, old)
        p = 1.0 if abs(difference) < NO_VARIANCE else np.nan
        method = EXACT_DIFFERENCE
        notes = (_exact_note(se),)
    return AucDifference(
        difference=difference,
        se_patients=se,
        se_trainings=se_trainings,
        ci_low=max(low, -1.0),
        ci_high=min(high, 1.0),
        p=p,
        ci_method=method,
        statistic=statistic,
        notes=notes,
    )


def _exact_note(se: float) -> str:
    if np.isnan(se):
        return no_variance_note(se)
    return (
        "DeLong's variance of the difference is 0: both sides order every pair alike, "
        "or separate the classes."
    )
