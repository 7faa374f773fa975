"""Sensitivity, specificity and accuracy at a threshold, with intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.stats.proportion import proportion_confint

from idhray.stats.sample import CONFIDENCE, SampleError, Scored


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """`count` of `n` patients; over several repeats both are means and may be fractional.

    With no patients, the value and the intervals are NaN.
    """

    count: float
    n: float
    """Fractional only if it is a mean count itself, such as the patients called mutant."""
    wilson_low: float
    wilson_high: float
    exact_low: float
    exact_high: float
    sd_repeats: float
    """Standard deviation of the proportion between repeats; NaN with one repeat."""

    @property
    def value(self) -> float:
        """The proportion; NaN without patients."""
        return self.count / self.n if self.n else float("nan")


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Share of correct calls at a threshold: among mutants, among wildtypes, among all."""

    sensitivity: Proportion
    specificity: Proportion
    accuracy: Proportion
    threshold: float


def proportion(counts: ArrayLike, n: ArrayLike) -> Proportion:
    """A proportion with its Wilson and exact (Clopper-Pearson) intervals.

    Args:
        counts: One count, or one per repeat on the same n patients. The intervals are those of
            the mean count out of n: repeats add no patients.
        n: Number of patients, or one number per repeat.

    Raises:
        SampleError: a count is not between 0 and n.
    """
    per_repeat, patients = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(numbers, dtype=np.float64)) for numbers in (counts, n))
    )
    if not ((per_repeat >= 0) & (per_repeat <= patients)).all():
        raise SampleError(f"a count lies between 0 and n, got {per_repeat} of {patients}")
    mean, size = float(per_repeat.mean()), float(patients.mean())
    wilson = exact = (np.nan, np.nan)
    if size:
        wilson = proportion_confint(mean, size, 1 - CONFIDENCE, method="wilson")
        exact = proportion_confint(mean, size, 1 - CONFIDENCE, method="beta")
        exact = (np.nan_to_num(exact[0], nan=0.0), np.nan_to_num(exact[1], nan=1.0))
    return Proportion(
        count=mean,
        n=int(size) if size.is_integer() else size,
        wilson_low=float(np.maximum(wilson[0], 0.0)),
        wilson_high=float(np.minimum(wilson[1], 1.0)),
        exact_low=float(exact[0]),
        exact_high=float(exact[1]),
        sd_repeats=float((per_repeat / patients).std(ddof=1))
        if len(per_repeat) > 1 and patients.all()
        else np.nan,
    )


def accuracy_at(sample: Scored, threshold: float) -> Accuracy:
    """Share of correct calls when p >= threshold means mutant; the mean over the repeats.

    The threshold is an input. Liu et al. 2020 do not state theirs. A threshold chosen on the
    patients that it is tested on is optimistic.

    Raises:
        SampleError: the threshold is NaN.
    """
    if np.isnan(threshold):
        raise SampleError("the threshold is NaN; give the one that was fixed beforehand")
    labels = sample.labels
    correct = (sample.scores >= threshold) == (labels == 1)  # (repeats, patients)
    groups = [labels == 1, labels == 0, labels >= 0]
    sensitivity, specificity, overall = (
        proportion(correct[:, group].sum(axis=1), int(group.sum())) for group in groups
    )
    return Accuracy(
        sensitivity=sensitivity, specificity=specificity, accuracy=overall, threshold=threshold
    )
