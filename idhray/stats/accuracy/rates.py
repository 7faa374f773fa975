"""Sensitivity, specificity and accuracy at a threshold, with intervals; how tables round."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.stats.proportion import proportion_confint

from idhray.stats.sample import SampleError, labels_of, scores_of


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """`count` of `n` patients; both are means, and may be broken, over several repeats.

    Of no patients there is no proportion: its value and its intervals are NaN.
    """

    count: float
    n: float
    """Whole but where it is itself a count: of those called mutant, for a predictive value."""
    wilson_low: float
    wilson_high: float
    exact_low: float
    exact_high: float
    sd_repeats: float
    """Standard deviation of the proportion between repeats; NaN with one repeat."""

    @property
    def value(self) -> float:
        """The proportion; NaN of no patients."""
        return self.count / self.n if self.n else float("nan")


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How often a threshold is right: in mutants, in wildtypes, in all."""

    sensitivity: Proportion
    specificity: Proportion
    accuracy: Proportion
    threshold: float


def proportion(counts: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Proportion:
    """A proportion with its Wilson and exact (Clopper-Pearson) intervals.

    Args:
        counts: One count, or one per repeat on the same n patients. The intervals are those of
            the mean count out of n: repeats add no patients.
        n: Patients; one number, or one per repeat.

    Raises:
        SampleError: a count is not between 0 and n.
    """
    each, of = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in (counts, n))
    )
    if not ((each >= 0) & (each <= of)).all():
        raise SampleError(f"a count lies between 0 and n, got {each} of {of}")
    mean, size = float(each.mean()), float(of.mean())
    wilson = exact = (np.nan, np.nan)
    if size:
        wilson = proportion_confint(mean, size, 1 - confidence, method="wilson")
        exact = proportion_confint(mean, size, 1 - confidence, method="beta")
        exact = (np.nan_to_num(exact[0], nan=0.0), np.nan_to_num(exact[1], nan=1.0))
    return Proportion(
        count=mean,
        n=int(size) if size.is_integer() else size,
        wilson_low=float(np.maximum(wilson[0], 0.0)),
        wilson_high=float(np.minimum(wilson[1], 1.0)),
        exact_low=float(exact[0]),
        exact_high=float(exact[1]),
        sd_repeats=float((each / of).std(ddof=1)) if len(each) > 1 and of.all() else np.nan,
    )


def accuracy_at(
    truth: ArrayLike, scores: ArrayLike, threshold: float = 0.5, confidence: float = 0.95
) -> Accuracy:
    """Patients called right when p >= threshold means mutant; the mean over (repeats, patients).

    The threshold is an input: Liu et al. 2020 do not state theirs, and one picked on the patients
    that it is judged by flatters.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or a NaN threshold.
    """
    if np.isnan(threshold):
        raise SampleError("the threshold is NaN; give the one that was fixed beforehand")
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
