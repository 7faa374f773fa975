"""All that a 2 x 2 table of a diagnostic test tells, from its counts or from scores.

A figure that does not exist for the table (a predictive value where nobody is called mutant) is
NaN, and `notes` says why.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idhray.stats.accuracy.rates import Proportion, proportion
from idhray.stats.sample import SampleError, labels_of, scores_of, z_of

Counts = NDArray[np.float64]  # (repeats,)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure with its confidence interval."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, kw_only=True)
class Diagnostics:
    """The table and its figures; over several repeats the counts are means and may be broken."""

    tp: float
    """Mutants that are called mutant."""
    fn: float
    fp: float
    tn: float
    sensitivity: Proportion
    specificity: Proportion
    accuracy: Proportion
    ppv: Proportion
    """Of those called mutant, the mutants; at the prevalence of these very patients."""
    npv: Proportion
    balanced_accuracy: float
    youden: Estimate
    """Sensitivity + specificity - 1; its limits are the sums of the exact limits, as in epiR."""
    lr_positive: Estimate
    lr_negative: Estimate
    odds_ratio: Estimate
    f1: float
    mcc: float
    """Matthews' correlation of call and class."""
    confidence: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PredictiveValues:
    """What a call means where another share of the patients is mutant."""

    prevalence: float
    ppv: Estimate
    npv: Estimate
    notes: tuple[str, ...] = ()


def diagnostics(tp: int, fn: int, fp: int, tn: int, confidence: float = 0.95) -> Diagnostics:
    """The figures of one table, from its four counts.

    Raises:
        SampleError: a count is negative or broken, or a class is empty.
    """
    counts = np.array([tp, fn, fp, tn], dtype=np.float64)
    if not (counts >= 0).all() or not (counts == np.rint(counts)).all():
        raise SampleError(f"counts are whole numbers from 0 up; got {tp}, {fn}, {fp}, {tn}")
    if tp + fn == 0 or fp + tn == 0:
        raise SampleError(
            f"{tp + fn} mutant and {fp + tn} wildtype patients: both classes are needed"
        )
    return _diagnostics(*(counts[[i]] for i in range(4)), confidence=confidence)


def diagnostics_at(
    truth: ArrayLike, scores: ArrayLike, threshold: float = 0.5, confidence: float = 0.95
) -> Diagnostics:
    """The figures when score >= threshold means mutant.

    With (repeats, patients) scores they are those of the mean table: repeats add no patients.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or a NaN threshold.
    """
    if np.isnan(threshold):
        raise SampleError("the threshold is NaN; give the one that was fixed beforehand")
    labels = labels_of(truth)
    called = scores_of(scores, labels) >= threshold
    tp, fp = (called[:, labels == group].sum(axis=1).astype(np.float64) for group in (1, 0))
    m = float(labels.sum())
    return _diagnostics(tp, m - tp, fp, len(labels) - m - fp, confidence=confidence)


def _diagnostics(
    tp: Counts, fn: Counts, fp: Counts, tn: Counts, *, confidence: float
) -> Diagnostics:
    sensitivity = proportion(tp, tp + fn, confidence)
    specificity = proportion(tn, fp + tn, confidence)
    a, b, c, d = (float(count.mean()) for count in (tp, fn, fp, tn))
    found = Diagnostics(
        tp=a,
        fn=b,
        fp=c,
        tn=d,
        sensitivity=sensitivity,
        specificity=specificity,
        accuracy=proportion(tp + tn, tp + fn + fp + tn, confidence),
        ppv=proportion(tp, tp + fp, confidence),
        npv=proportion(tn, fn + tn, confidence),
        balanced_accuracy=(sensitivity.value + specificity.value) / 2,
        youden=_youden(sensitivity, specificity),
        lr_positive=_ratio(a, a + b, c, c + d, confidence),
        lr_negative=_ratio(b, a + b, d, c + d, confidence),
        odds_ratio=_odds_ratio(a, b, c, d, confidence),
        f1=_over(2 * a, 2 * a + b + c),
        mcc=_over(a * d - b * c, np.sqrt((a + c) * (b + d)) * np.sqrt((a + b) * (c + d))),
        confidence=confidence,
    )
    return replace(found, notes=_notes(found))


def at_prevalence(found: Diagnostics, prevalence: float) -> PredictiveValues:
    """Predictive values where `prevalence` of the patients are mutant, by Bayes' theorem.

    The intervals are those of the likelihood ratios carried over, which is the logit interval of
    Mercaldo et al.; the prevalence counts as known.

    Raises:
        SampleError: the prevalence is not between 0 and 1.

    Source: Mercaldo, Lau and Zhou 2007, Statistics in Medicine 26:2170-2183.
    """
    if not 0 < prevalence < 1:
        raise SampleError(f"a prevalence lies between 0 and 1; got {prevalence}")
    odds = prevalence / (1 - prevalence)
    plus, minus = found.lr_positive, found.lr_negative
    ppv = [_share(odds * ratio) for ratio in (plus.value, plus.ci_low, plus.ci_high)]
    npv = [1 - _share(odds * ratio) for ratio in (minus.value, minus.ci_high, minus.ci_low)]
    return PredictiveValues(
        prevalence=prevalence,
        ppv=Estimate(value=ppv[0], ci_low=ppv[1], ci_high=ppv[2]),
        npv=Estimate(value=npv[0], ci_low=npv[1], ci_high=npv[2]),
        notes=found.notes,
    )


def _youden(sensitivity: Proportion, specificity: Proportion) -> Estimate:
    return Estimate(
        value=sensitivity.value + specificity.value - 1,
        ci_low=sensitivity.exact_low + specificity.exact_low - 1,
        ci_high=sensitivity.exact_high + specificity.exact_high - 1,
    )


def _ratio(a: float, of_a: float, b: float, of_b: float, confidence: float) -> Estimate:
    """(a / of_a) / (b / of_b), normal on the log scale.

    Source: Simel, Samsa and Matchar 1991, J Clin Epidemiol 44:763-770.
    """
    inverse = _inverse(a) - 1 / of_a + _inverse(b) - 1 / of_b
    return _on_log(_over(a * of_b, b * of_a), inverse, confidence)


def _odds_ratio(tp: float, fn: float, fp: float, tn: float, confidence: float) -> Estimate:
    """Diagnostic odds ratio. Source: Woolf 1955 for the interval."""
    inverse = sum(_inverse(cell) for cell in (tp, fn, fp, tn))
    return _on_log(_over(tp * tn, fn * fp), inverse, confidence)


def _on_log(value: float, variance: float, confidence: float) -> Estimate:
    """Value 0 has the limits 0 and NaN, infinity NaN and infinity: as in epiR."""
    # Equal shares of everybody give 1 - 1 = 0, which rounding can turn negative.
    half = z_of(confidence) * np.sqrt(max(variance, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.exp(np.log(value) + np.array([-half, half]))
    return Estimate(value=value, ci_low=float(low), ci_high=float(high))


def _inverse(count: float) -> float:
    return 1 / count if count else np.inf


def _over(part: float, whole: float) -> float:
    """The quotient; infinite, or NaN for 0/0, where the denominator is 0."""
    if whole:
        return float(part / whole)
    return np.inf if part else np.nan


def _share(odds: float) -> float:
    return 1.0 if odds == np.inf else odds / (1 + odds)


def _notes(found: Diagnostics) -> tuple[str, ...]:
    notes = []
    if not found.ppv.n:
        notes.append("Nobody is called mutant: PPV and MCC do not exist.")
    if not found.npv.n:
        notes.append("Nobody is called wildtype: NPV and MCC do not exist.")
    cells = {"TP": found.tp, "FN": found.fn, "FP": found.fp, "TN": found.tn}
    if empty := [name for name, count in cells.items() if not count]:
        notes.append(
            f"{' and '.join(empty)} 0: likelihood ratios and odds ratio that are 0, infinite or "
            "0/0 lack limits."
        )
    return tuple(notes)
