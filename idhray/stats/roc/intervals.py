"""Intervals of an area under a ROC curve, by name; two of them from a printed area alone.

Software differs in what it prints: pROC DeLong's, MedCalc the exact binomial one, older papers
Hanley and McNeil's. Only the first two need the patients' scores.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from statsmodels.stats.proportion import proportion_confint

from idhray.stats.roc.delong import (
    NO_VARIANCE,
    mean_components,
    standard_error,
    why_no_variance,
    z_of,
)
from idhray.stats.sample import SampleError

AucMethod = Literal["delong", "logit delong", "exact binomial", "hanley-mcneil"]


@dataclass(frozen=True, kw_only=True)
class AucInterval:
    """An area with a confidence interval and the name of its method."""

    auc: float
    se: float
    """Of the method; NaN for `exact binomial`, which has none."""
    ci_low: float
    ci_high: float
    confidence: float
    method: AucMethod
    notes: tuple[str, ...] = ()


def exact_auc_interval(area: float, patients: int, confidence: float = 0.95) -> tuple[float, float]:
    """MedCalc's interval: Clopper and Pearson's for `area * patients` successes of `patients`.

    Not a theory of areas, but never a single point: 1 of 8 patients gives .631 to 1.

    Raises:
        SampleError: the area is not in 0..1, or there are no patients.
    """
    _check(area, patients)
    z_of(confidence)  # refuses what is not a confidence
    low, high = proportion_confint(area * patients, patients, 1 - confidence, method="beta")
    return (0.0 if np.isnan(low) else float(low)), (1.0 if np.isnan(high) else float(high))


def exact_difference_interval(
    new: tuple[float, int], old: tuple[float, int], confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of the difference of two (area, patients), from their exact binomial ones.

    As though the areas were uncorrelated: for areas of the same patients it is too wide.

    Source: Zou and Donner 2008, equation 4.
    """
    new_low, new_high = exact_auc_interval(*new, confidence)
    old_low, old_high = exact_auc_interval(*old, confidence)
    difference = new[0] - old[0]
    low = difference - np.hypot(new[0] - new_low, old_high - old[0])
    high = difference + np.hypot(new_high - new[0], old[0] - old_low)
    return float(low), float(high)


def hanley_mcneil_se(area: float, n_mutant: int, n_wildtype: int) -> float:
    """Standard error of an area from the area and the class sizes alone.

    Exact for two exponential distributions of scores, an approximation for others.

    Raises:
        SampleError: the area is not in 0..1, or a class is empty.

    Source: Hanley and McNeil 1982 (Radiology 143:29-36), equations 1 and 2.
    """
    _check(area, n_mutant, n_wildtype)
    two_mutants = area / (2 - area) - area**2  # both above one wildtype, beyond chance
    two_wildtypes = 2 * area**2 / (1 + area) - area**2  # both below one mutant
    variance = area * (1 - area) + (n_mutant - 1) * two_mutants + (n_wildtype - 1) * two_wildtypes
    return float(np.sqrt(max(variance, 0.0) / (n_mutant * n_wildtype)))


def hanley_mcneil_interval(
    area: float, n_mutant: int, n_wildtype: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The area and z standard errors to both sides. It may pass 1: published tables cut it there.

    Raises:
        SampleError: the area is not in 0..1, or a class is empty.
    """
    half = z_of(confidence) * hanley_mcneil_se(area, n_mutant, n_wildtype)
    return area - half, area + half


def auc_interval(
    truth: ArrayLike, scores: ArrayLike, method: AucMethod = "delong", confidence: float = 0.95
) -> AucInterval:
    """The area with the interval of that name; (repeats, patients) scores give their mean area.

    `delong` is cut to 0..1 as in pROC; with variance 0 it is one point, and a note says so (where
    a table needs an interval there, `auc_with_ci` gives the exact binomial one). `logit delong`
    stays inside 0..1 by itself, and does not exist at an area of 0 or 1: NaN, with a note.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or an unknown method.
    """
    rows = mean_components(truth, scores)
    area = float(rows[0].mean())
    m, w = rows[0].shape[1], rows[1].shape[1]
    notes: tuple[str, ...] = ()
    if method == "exact binomial":
        se = np.nan
        low, high = exact_auc_interval(area, m + w, confidence)
    elif method == "hanley-mcneil":
        se = hanley_mcneil_se(area, m, w)
        low, high = hanley_mcneil_interval(area, m, w, confidence)
        if low < 0 or high > 1:
            notes = ("The interval passes 0 or 1 and is to be cut there in print.",)
    elif method in ("delong", "logit delong"):
        se = standard_error(*rows)
        low, high = _delong_interval(area, se, confidence, on_logit=method != "delong")
        if not se > NO_VARIANCE:
            notes = (why_no_variance(se),)
    else:
        raise SampleError(f"no interval named {method!r}; use one of {get_args(AucMethod)}")
    return AucInterval(
        auc=area,
        se=se,
        ci_low=low,
        ci_high=high,
        confidence=confidence,
        method=method,
        notes=notes,
    )


def _delong_interval(
    area: float, se: float, confidence: float, *, on_logit: bool
) -> tuple[float, float]:
    z = z_of(confidence)
    if not on_logit:
        # np.maximum and not max: it keeps the NaN of a class with a single patient.
        return float(np.maximum(area - z * se, 0.0)), float(np.minimum(area + z * se, 1.0))
    if area in (0.0, 1.0):
        return np.nan, np.nan
    half = z * se / (area * (1 - area))
    return float(expit(logit(area) - half)), float(expit(logit(area) + half))


def _check(area: float, *patients: int) -> None:
    if not 0 <= area <= 1:
        raise SampleError(f"an area under a ROC curve lies in 0..1; got {area}")
    if min(patients) < 1:
        raise SampleError(f"class sizes must be 1 or more; got {patients}")
