"""Two tests of areas under ROC curves: of different patients, and against a coin (0.5)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.roc.delong import (
    NO_VARIANCE,
    components,
    mean_components,
    one_training,
    standard_error,
    why_no_variance,
    z_of,
)
from idhray.stats.roc.intervals import exact_difference_interval
from idhray.stats.sample import SampleError, labels_of

UNPAIRED = "unpaired DeLong, t with Satterthwaite's degrees of freedom"


@dataclass(frozen=True, kw_only=True)
class UnpairedAucDifference:
    """Area in one set of patients minus area in another, with interval and P."""

    difference: float
    se: float
    statistic: float
    """t: the difference over its standard error; NaN where that is 0 or does not exist."""
    df: float
    """Satterthwaite's, so seldom a whole number."""
    p: float
    """Two-sided; NaN where there is no statistic and yet the areas differ."""
    ci_low: float
    ci_high: float
    """Normal; from two exact binomial intervals where the standard error is 0 or does not exist."""
    method: str = UNPAIRED
    notes: tuple[str, ...] = ()


def auc_difference_unpaired(
    truth_a: ArrayLike,
    scores_a: ArrayLike,
    truth_b: ArrayLike,
    scores_b: ArrayLike,
    confidence: float = 0.95,
) -> UnpairedAucDifference:
    """Area of a minus area of b where no patient is in both, as in training against validation.

    P is that of pROC's roc.test(paired=FALSE, method="delong"): t with Satterthwaite's degrees of
    freedom, each set counting with its patients minus 1. The interval takes the normal quantile.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or several repeats a side.

    Source: DeLong et al. 1988; Satterthwaite 1946 for the degrees of freedom.
    """
    area_a, var_a, n_a = _side(truth_a, scores_a)
    area_b, var_b, n_b = _side(truth_b, scores_b)
    difference, se = area_a - area_b, float(np.sqrt(var_a + var_b))
    if se > NO_VARIANCE:
        statistic = difference / se
        df = (var_a + var_b) ** 2 / (var_a**2 / (n_a - 1) + var_b**2 / (n_b - 1))
        p = float(2 * stats.t.sf(abs(statistic), df))
        half = z_of(confidence) * se
        low, high = difference - half, difference + half
        notes: tuple[str, ...] = ()
    else:
        statistic = df = np.nan
        p = 1.0 if abs(difference) < NO_VARIANCE and not np.isnan(se) else np.nan
        low, high = exact_difference_interval((area_a, n_a), (area_b, n_b), confidence)
        notes = (why_no_variance(se), "The interval is that of two exact binomial ones.")
    return UnpairedAucDifference(
        difference=difference,
        se=se,
        statistic=statistic,
        df=df,
        p=p,
        ci_low=max(low, -1.0),
        ci_high=min(high, 1.0),
        notes=notes,
    )


def auc_against_half(
    truth: ArrayLike,
    scores: ArrayLike,
    method: Literal["mann-whitney", "delong"] = "mann-whitney",
) -> Significance:
    """Is the area another than 0.5, that of a coin?

    `mann-whitney` uses the variance that holds if the scores are worthless (normal approximation,
    ties corrected, no continuity correction); its statistic is U, the number of pairs in the right
    order. `delong` divides the distance from 0.5 by DeLong's standard error, as an interval does;
    its statistic is z, and its P is too small for high areas of few patients.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or an unknown method.
    """
    if method == "mann-whitney":
        return _mann_whitney(truth, scores)
    if method != "delong":
        raise SampleError(f"no test named {method!r}; use mann-whitney or delong")
    rows = mean_components(truth, scores)
    beyond, se = float(rows[0].mean()) - 0.5, standard_error(*rows)
    name = "DeLong's z against an area of 0.5"
    if se > NO_VARIANCE:
        z = beyond / se
        return Significance(method=name, statistic=z, p=float(2 * stats.norm.sf(abs(z))))
    p = 1.0 if abs(beyond) < NO_VARIANCE and not np.isnan(se) else np.nan
    return Significance(method=name, p=p, notes=(why_no_variance(se),))


def _mann_whitney(truth: ArrayLike, scores: ArrayLike) -> Significance:
    labels = labels_of(truth)
    row = one_training(scores, labels)
    name = "Mann-Whitney, normal approximation without continuity correction"
    mutant, wildtype = row[labels == 1], row[labels == 0]
    if np.ptp(row) == 0:
        note = "All scores are equal: they say nothing of the class."
        return Significance(
            method=name, statistic=len(mutant) * len(wildtype) / 2, p=1.0, notes=(note,)
        )
    found = stats.mannwhitneyu(mutant, wildtype, method="asymptotic", use_continuity=False)
    return Significance(method=name, statistic=float(found.statistic), p=float(found.pvalue))


def _side(truth: ArrayLike, scores: ArrayLike) -> tuple[float, float, int]:
    """Area, DeLong variance and number of patients of one set."""
    labels = labels_of(truth)
    rows = components(labels, one_training(scores, labels)[None])
    return float(rows[0].mean()), standard_error(*rows) ** 2, len(labels)
