"""Intervals of an area by the methods that software prints, for made-up studies."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from idhray.stats.roc.area import auc
from idhray.stats.roc.delong import delong_covariance
from idhray.stats.roc.intervals import exact_auc_interval, hanley_mcneil_interval
from idhray.stats.sample import CONFIDENCE, Scored, z_of


@dataclass(frozen=True)
class AucInterval:
    """An area with a confidence interval; NaN where the method has none."""

    auc: float
    ci_low: float
    ci_high: float


def auc_interval(labels, scores, method) -> AucInterval:
    """The interval by `delong`, `logit delong`, `hanley-mcneil` or `exact binomial`."""
    sample = Scored(labels, scores)
    area, m = auc(sample), int(sample.labels.sum())
    half = z_of(CONFIDENCE) * np.sqrt(delong_covariance(sample)[0, 0])
    if method == "hanley-mcneil":
        low, high = hanley_mcneil_interval(area, m, len(sample.labels) - m)
    elif method == "exact binomial":
        low, high = exact_auc_interval(area, len(sample.labels))
    elif method == "delong":
        low, high = np.maximum(area - half, 0), np.minimum(area + half, 1)
    elif area in (0, 1):
        low = high = np.nan
    else:
        half /= area * (1 - area)
        low, high = expit(logit(area) - half), expit(logit(area) + half)
    return AucInterval(area, float(low), float(high))
