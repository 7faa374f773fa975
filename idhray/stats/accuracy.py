"""Sensitivity, specificity and accuracy at a threshold, with intervals; how tables round."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.stats.proportion import proportion_confint

from idhray.stats.sample import labels_of, scores_of


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """`count` of `n` patients; the count is a mean, and may be broken, over several repeats."""

    count: float
    n: int
    wilson_low: float
    wilson_high: float
    exact_low: float
    exact_high: float
    sd_repeats: float
    """Standard deviation of the proportion between repeats; NaN with one repeat."""

    @property
    def value(self) -> float:
        """The proportion."""
        return self.count / self.n


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How often a threshold is right: in mutants, in wildtypes, in all."""

    sensitivity: Proportion
    specificity: Proportion
    accuracy: Proportion
    threshold: float


def proportion(counts: ArrayLike, n: int, confidence: float = 0.95) -> Proportion:
    """A proportion with its Wilson and exact (Clopper-Pearson) intervals.

    Args:
        counts: One count, or one per repeat on the same n patients. The intervals are those of
            the mean count out of n: repeats add no patients.
    """
    each = np.atleast_1d(np.asarray(counts, dtype=np.float64))
    mean = float(each.mean())
    wilson = proportion_confint(mean, n, 1 - confidence, method="wilson")
    exact = proportion_confint(mean, n, 1 - confidence, method="beta")
    return Proportion(
        count=mean,
        n=n,
        wilson_low=max(float(wilson[0]), 0.0),
        wilson_high=min(float(wilson[1]), 1.0),
        exact_low=float(np.nan_to_num(exact[0], nan=0.0)),
        exact_high=float(np.nan_to_num(exact[1], nan=1.0)),
        sd_repeats=float((each / n).std(ddof=1)) if len(each) > 1 else np.nan,
    )


def accuracy_at(
    truth: ArrayLike, scores: ArrayLike, threshold: float = 0.5, confidence: float = 0.95
) -> Accuracy:
    """Patients called right when p >= threshold means mutant; the mean over (repeats, patients).

    The threshold is an input: Liu et al. 2020 do not state theirs, and one picked on the patients
    that it is judged by flatters.

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    labels = labels_of(truth)
    right = (scores_of(scores, labels) >= threshold) == (labels == 1)  # (repeats, patients)
    groups = [labels == 1, labels == 0, labels >= 0]
    sensitivity, specificity, overall = (
        proportion(right[:, group].sum(axis=1), int(group.sum()), confidence) for group in groups
    )
    return Accuracy(
        sensitivity=sensitivity, specificity=specificity, accuracy=overall, threshold=threshold
    )


def printed(value: float, digits: int = 3) -> str:
    """A number as tables print it, halves rounded up: 13/16 is .813 (`round` would say .812).

    NaN, a number that does not exist, prints as a dash.
    """
    if not np.isfinite(value):
        return "-"
    step = Decimal(1).scaleb(-digits)
    return str(Decimal(repr(float(value))).quantize(step, rounding=ROUND_HALF_UP))
