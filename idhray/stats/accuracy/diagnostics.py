"""Predictive values and likelihood ratios of a threshold, from scores.

A figure that does not exist for the table (a predictive value if nobody is called mutant) is NaN,
and `notes` gives the reason.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from idhray.stats.accuracy.rates import Proportion, proportion
from idhray.stats.sample import CONFIDENCE, SampleError, Scored, z_of

RepeatCounts = NDArray[np.float64]  # (repeats,)


@dataclass(frozen=True, kw_only=True)
class LikelihoodRatio:
    """A likelihood ratio with its confidence interval."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, kw_only=True)
class Diagnostics:
    """The 2 x 2 table and its figures; over several repeats the counts are means."""

    tp: float
    """Mutants that are called mutant."""
    fn: float
    fp: float
    tn: float
    sensitivity: Proportion
    specificity: Proportion
    ppv: Proportion
    """Share of mutants among patients called mutant, at the prevalence of these patients."""
    npv: Proportion
    balanced_accuracy: float
    lr_positive: LikelihoodRatio
    lr_negative: LikelihoodRatio
    notes: tuple[str, ...] = ()


def diagnostics_at(sample: Scored, threshold: float) -> Diagnostics:
    """The figures when score >= threshold means mutant.

    With (repeats, patients) scores they are those of the mean table: repeats add no patients.

    Raises:
        SampleError: the threshold is NaN.
    """
    if np.isnan(threshold):
        raise SampleError("the threshold is NaN; give the one that was fixed beforehand")
    labels, called = sample.labels, sample.scores >= threshold
    tp, fp = (called[:, labels == group].sum(axis=1).astype(np.float64) for group in (1, 0))
    mutant = float(labels.sum())
    return _diagnostics(tp, mutant - tp, fp, len(labels) - mutant - fp)


def _diagnostics(
    tp: RepeatCounts, fn: RepeatCounts, fp: RepeatCounts, tn: RepeatCounts
) -> Diagnostics:
    sensitivity = proportion(tp, tp + fn)
    specificity = proportion(tn, fp + tn)
    a, b, c, d = (float(count.mean()) for count in (tp, fn, fp, tn))
    figures = Diagnostics(
        tp=a,
        fn=b,
        fp=c,
        tn=d,
        sensitivity=sensitivity,
        specificity=specificity,
        ppv=proportion(tp, tp + fp),
        npv=proportion(tn, fn + tn),
        balanced_accuracy=(sensitivity.value + specificity.value) / 2,
        lr_positive=_likelihood_ratio(a, a + b, c, c + d),
        lr_negative=_likelihood_ratio(b, a + b, d, c + d),
    )
    return replace(figures, notes=_notes(figures))


def _likelihood_ratio(
    mutant: float, all_mutant: float, wildtype: float, all_wildtype: float
) -> LikelihoodRatio:
    """(mutant / all_mutant) / (wildtype / all_wildtype), with an interval on the log scale.

    As in epiR, a value of 0 has the limits 0 and NaN, and infinity has the limits NaN and infinity.

    Source: Simel, Samsa and Matchar 1991, J Clin Epidemiol 44:763-770.
    """
    value = _quotient(mutant * all_wildtype, wildtype * all_mutant)
    variance = _inverse(mutant) - 1 / all_mutant + _inverse(wildtype) - 1 / all_wildtype
    # Equal shares of everybody give 1 - 1 = 0, which rounding can turn negative.
    half = z_of(CONFIDENCE) * np.sqrt(max(variance, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.exp(np.log(value) + np.array([-half, half]))
    return LikelihoodRatio(value=value, ci_low=float(low), ci_high=float(high))


def _inverse(count: float) -> float:
    return 1 / count if count else np.inf


def _quotient(numerator: float, denominator: float) -> float:
    """The quotient; with a denominator of 0 it is infinite, or NaN for 0/0."""
    if denominator:
        return float(numerator / denominator)
    return np.inf if numerator else np.nan


def _notes(figures: Diagnostics) -> tuple[str, ...]:
    notes = []
    if not figures.ppv.n:
        notes.append("Nobody is called mutant: PPV and MCC do not exist.")
    if not figures.npv.n:
        notes.append("Nobody is called wildtype: NPV and MCC do not exist.")
    cells = {"TP": figures.tp, "FN": figures.fn, "FP": figures.fp, "TN": figures.tn}
    if empty := [name for name, count in cells.items() if not count]:
        notes.append(
            f"{' and '.join(empty)} 0: likelihood ratios and odds ratio that are 0, infinite or "
            "0/0 lack limits."
        )
    return tuple(notes)
