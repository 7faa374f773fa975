"""Areas under ROC curves with their uncertainty (DeLong), for one training or several repeats.

Letters: R repeats (trainings) of one model, M mutant and W wildtype patients. A repeat is another
training scored on the same patients: it adds no patient, so its scores are averaged, never pooled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from idhray.stats.sample import Labels, Scores, labels_of, scores_of

DELONG = "DeLong"
DELONG_TRAININGS = "DeLong + variance between trainings"
EXACT = "exact binomial"
EXACT_DIFFERENCE = "from two exact binomial intervals"
_NO_VARIANCE = 1e-12  # a standard error below this is rounding


@dataclass(frozen=True, kw_only=True)
class Auc:
    """The area under a ROC curve; with several repeats, the mean of their areas."""

    auc: float
    se: float
    """Standard error over patients (DeLong); NaN with a single patient in a class."""
    ci_low: float
    ci_high: float
    ci_method: str
    """`DeLong`, or `exact binomial` where the DeLong variance is 0 or does not exist."""
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
    """Standard error over trainings; 0 when a side has one repeat and it cannot be known."""
    ci_low: float
    ci_high: float
    p: float
    """Two-sided; NaN where the DeLong variance is 0 and yet the areas differ."""
    ci_method: str


def components(labels: Labels, scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """DeLong's structural components, (R, M) and (R, W).

    A mutant's component is the share of wildtype patients that score below it, ties counting half;
    a wildtype's is the share of mutants above it. Either mean is the area.

    Source: DeLong et al. 1988, by the midranks of Sun and Xu 2014 (algorithm 2).
    """
    mutant, wildtype = scores[:, labels == 1], scores[:, labels == 0]
    m, w = mutant.shape[1], wildtype.shape[1]
    ranks = stats.rankdata(np.hstack([mutant, wildtype]), axis=1)
    of_mutants = (ranks[:, :m] - stats.rankdata(mutant, axis=1)) / w
    of_wildtypes = 1 - (ranks[:, m:] - stats.rankdata(wildtype, axis=1)) / m
    return of_mutants, of_wildtypes


def auc(truth: ArrayLike, scores: ArrayLike) -> float:
    """The share of (mutant, wildtype) pairs in the right order, ties counting half; mean of R.

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    labels = labels_of(truth)
    return float(components(labels, scores_of(scores, labels))[0].mean())


def delong_covariance(truth: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """(R, R) covariance of the areas of R score vectors on the same patients.

    NaN where a class has a single patient: its spread is unknown.

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    labels = labels_of(truth)
    return _covariance(*components(labels, scores_of(scores, labels)))


def _covariance(
    of_mutants: NDArray[np.float64], of_wildtypes: NDArray[np.float64]
) -> NDArray[np.float64]:
    sides = [of_mutants, of_wildtypes]
    if min(side.shape[1] for side in sides) < 2:
        return np.full((len(of_mutants), len(of_mutants)), np.nan)
    return np.asarray(sum(np.atleast_2d(np.cov(side)) / side.shape[1] for side in sides))


def exact_auc_interval(area: float, patients: int, confidence: float = 0.95) -> tuple[float, float]:
    """MedCalc's interval: Clopper and Pearson's for `area * patients` successes of `patients`.

    Not a theory of areas, but never a single point: 1 of 8 patients gives .631 to 1.
    """
    low, high = proportion_confint(area * patients, patients, 1 - confidence, method="beta")
    return (0.0 if np.isnan(low) else float(low)), (1.0 if np.isnan(high) else float(high))


def auc_with_ci(truth: ArrayLike, scores: ArrayLike, confidence: float = 0.95) -> Auc:
    """The area and its confidence interval over patients, clipped to 0..1.

    With (R, patients) scores it is the mean area of R trainings: the structural components are
    averaged over the repeats first, so the interval has the width that the patients allow. Where
    the DeLong variance is 0 (a perfect or a constant score) the interval would be one point; the
    exact binomial one is given instead, and named.

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    labels = labels_of(truth)
    rows = scores_of(scores, labels)
    of_mutants, of_wildtypes = components(labels, rows)
    area = float(of_mutants.mean())
    mean = [side.mean(axis=0, keepdims=True) for side in (of_mutants, of_wildtypes)]
    se = float(np.sqrt(_covariance(*mean)[0, 0]))
    if se > _NO_VARIANCE:
        half = _z(confidence) * se
        low, high, method = max(area - half, 0.0), min(area + half, 1.0), DELONG
    else:
        low, high = exact_auc_interval(area, len(labels), confidence)
        method = EXACT
    return Auc(
        auc=area,
        se=se,
        ci_low=low,
        ci_high=high,
        ci_method=method,
        sd_repeats=float(of_mutants.mean(axis=1).std(ddof=1)) if len(rows) > 1 else np.nan,
        repeats=len(rows),
        n_mutant=int(labels.sum()),
        n_wildtype=int((1 - labels).sum()),
    )


def auc_difference(
    truth: ArrayLike, scores: ArrayLike, baseline: ArrayLike, confidence: float = 0.95
) -> AucDifference:
    """Area of `scores` minus area of `baseline`, paired by patient, with interval and P.

    Either may be (R, patients). Two things vary: the patients (paired DeLong on the mean
    components) and the trainings (the variance of the areas between repeats over their number).
    Their variances are added, so that one lucky training is not taken for a gain. The sum errs on
    the wide side, as both hold how patients and trainings interact. With one repeat a side this is
    the plain paired DeLong test, and says nothing of other trainings.

    Where the DeLong variance is 0 the interval comes from the two exact binomial ones, as though
    the areas were uncorrelated (Zou and Donner 2008, equation 4): wide, never one point.

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    labels = labels_of(truth)
    sides = [components(labels, scores_of(one, labels)) for one in (scores, baseline)]
    areas = [of_mutants.mean(axis=1) for of_mutants, _ in sides]  # (R,) each
    difference = float(areas[0].mean() - areas[1].mean())
    means = [[side.mean(axis=0, keepdims=True) for side in pair] for pair in sides]
    gain = [new - old for new, old in zip(*means, strict=True)]  # (1, M) and (1, W)
    se = float(np.sqrt(_covariance(*gain)[0, 0]))
    known = min(len(area) for area in areas) > 1
    se_trainings = float(np.sqrt(sum(a.var(ddof=1) / len(a) for a in areas))) if known else 0.0
    if se > _NO_VARIANCE:
        total = float(np.hypot(se, se_trainings))
        half = _z(confidence) * total
        low, high = difference - half, difference + half
        p = float(2 * stats.norm.sf(abs(difference) / total))
        method = DELONG_TRAININGS if se_trainings > _NO_VARIANCE else DELONG
    else:
        low, high = _difference_of_exact(
            float(areas[0].mean()), float(areas[1].mean()), len(labels), confidence
        )
        p = 1.0 if abs(difference) < _NO_VARIANCE else np.nan
        method = EXACT_DIFFERENCE
    return AucDifference(
        difference=difference,
        se_patients=se,
        se_trainings=se_trainings,
        ci_low=max(low, -1.0),
        ci_high=min(high, 1.0),
        p=p,
        ci_method=method,
    )


def _difference_of_exact(
    new: float, old: float, patients: int, confidence: float
) -> tuple[float, float]:
    new_low, new_high = exact_auc_interval(new, patients, confidence)
    old_low, old_high = exact_auc_interval(old, patients, confidence)
    low = new - old - np.hypot(new - new_low, old_high - old)
    high = new - old + np.hypot(new_high - new, old - old_low)
    return float(low), float(high)


def _z(confidence: float) -> float:
    return float(stats.norm.ppf(0.5 + confidence / 2))
