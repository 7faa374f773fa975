"""Calibration of probabilities: of patients with a probability of 30%, are 30% mutant?

The figures are calibration in the large (too high or too low overall), slope (below 1: too
extreme), distances from the smooth curve, and Brier score. A model is calibrated by construction on
the patients to whom it was fitted.

Letters: N patients. Source: Steyerberg 2019 (Clinical Prediction Models, 2nd ed.), chapter 15;
the figures are those of R's rms::val.prob, at the exact maximum of the likelihood.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit, logit

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.probabilities.logits import logits_of, probabilities_of
from idhray.stats.probabilities.reliability import smooth_curve
from idhray.stats.regression.likelihood import Likelihood
from idhray.stats.sample import CONFIDENCE, Labels, SampleError, Scored, Scores, z_of

_SAME = 1e-12  # logits that differ by less count as equal


@dataclass(frozen=True, kw_only=True)
class CalibrationEstimate:
    """An estimate, its Wald interval, and the test that it has its ideal value."""

    value: float
    """NaN if it does not exist, with the reason in the notes."""
    se: float
    ci_low: float
    ci_high: float
    test: Significance


@dataclass(frozen=True, kw_only=True)
class CalibrationLine:
    """logit P(mutant) = intercept + slope x logit p, fitted by maximum likelihood."""

    intercept: float
    slope: float
    slope_se: float
    log_likelihood: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Agreement of a set of probabilities with the observed classes."""

    in_the_large: CalibrationEstimate
    """Intercept with the slope fixed at 1: log odds by which p is too low; ideally 0."""
    slope: CalibrationEstimate
    """Ideally 1; below it, low probabilities are too low and high ones too high."""
    intercept: float
    """Intercept of the model with the slope; not the calibration in the large."""
    joint_test: Significance
    """Test of intercept 0 and slope 1 together."""
    brier: float
    brier_scaled: float
    """1 is perfect; 0 is as good as the share of mutants for everyone."""
    observed_expected: float
    """Observed over expected number of mutants."""
    log_loss: float
    e_average: float
    """Mean distance of the smooth curve from the diagonal, over patients."""
    e_90: float
    """90th percentile of that distance."""
    e_max: float
    n_mutant: int
    n_wildtype: int
    notes: tuple[str, ...]


def calibration_in_the_large(labels: Labels, logits: Scores) -> tuple[float, float]:
    """The intercept with the logits as an offset, and its standard error.

    It always exists: it makes the expected number of mutants equal to the observed one.
    """
    mutant = int(labels.sum())
    middle = logit(mutant / len(labels))
    low, high = middle - logits.max() - 1, middle - logits.min() + 1
    shift = brentq(lambda a: expit(a + logits).sum() - mutant, low, high, xtol=1e-14, rtol=1e-14)
    return float(shift), float((expit(shift + logits) * expit(-shift - logits)).sum() ** -0.5)


def calibration_line(labels: Labels, logits: Scores) -> CalibrationLine:
    """The logistic regression of the labels on the logits.

    Raises:
        SampleError: all logits are equal, or a threshold on them separates the classes.
    """
    if np.ptp(logits) < _SAME:
        raise SampleError("no calibration slope: all probabilities are equal")
    mutant, wildtype = logits[labels == 1], logits[labels == 0]
    if mutant.min() >= wildtype.max() or mutant.max() <= wildtype.min():
        raise SampleError("no calibration slope: the probabilities separate the classes")
    matrix = np.column_stack([np.ones_like(logits), logits])
    best = Likelihood(matrix=matrix, labels=labels).maximum()
    return CalibrationLine(
        intercept=float(best.beta[0]),
        slope=float(best.beta[1]),
        slope_se=float(np.linalg.inv(best.information)[1, 1] ** 0.5),
        log_likelihood=best.log_likelihood,
    )


def calibration(sample: Scored) -> Calibration:
    """All figures of calibration; one that does not exist is NaN, with the reason in the notes.

    Raises:
        SampleError: there are several repeats, or a probability is outside 0..1.
    """
    labels, p = sample.labels, probabilities_of(sample)
    logits, notes = logits_of(p)
    in_the_large = _estimate(
        *calibration_in_the_large(labels, logits), 0, "calibration in the large = 0"
    )
    intercept, slope, joint_test = _line(labels, logits, notes)
    distances = _distances(sample, notes)
    share = labels.mean()
    expected = float(p.sum())
    if expected == 0:
        notes.append("No mutant was expected, as all probabilities are 0.")
    brier = float(np.square(labels - p).mean())
    return Calibration(
        in_the_large=in_the_large,
        slope=slope,
        intercept=intercept,
        joint_test=joint_test,
        brier=brier,
        brier_scaled=float(1 - brier / (share * (1 - share))),
        observed_expected=float(labels.sum()) / expected if expected else np.inf,
        log_loss=-_log_likelihood(labels, logits) / len(labels),
        e_average=float(distances.mean()),
        e_90=float(np.quantile(distances, 0.9)),
        e_max=float(distances.max()),
        n_mutant=int(labels.sum()),
        n_wildtype=int((1 - labels).sum()),
        notes=tuple(notes),
    )


def _line(
    labels: Labels, logits: Scores, notes: list[str]
) -> tuple[float, CalibrationEstimate, Significance]:
    name = "calibration slope = 1"
    method = "likelihood ratio, intercept 0 and slope 1 together"
    try:
        line = calibration_line(labels, logits)
    except SampleError as error:
        notes.append(f"{str(error)[0].upper()}{str(error)[1:]}.")
        reason = tuple(notes[-1:])
        slope = CalibrationEstimate(
            value=np.nan,
            se=np.nan,
            ci_low=np.nan,
            ci_high=np.nan,
            test=Significance(method=f"Wald test, {name}", p=np.nan, notes=reason),
        )
        return np.nan, slope, Significance(method=method, p=np.nan, df=2, notes=reason)
    gain = max(2 * (line.log_likelihood - _log_likelihood(labels, logits)), 0.0)
    joint_test = Significance(method=method, p=float(stats.chi2.sf(gain, 2)), statistic=gain, df=2)
    return line.intercept, _estimate(line.slope, line.slope_se, 1, name), joint_test


def _estimate(value: float, se: float, ideal: float, name: str) -> CalibrationEstimate:
    half_width = z_of(CONFIDENCE) * se
    z = (value - ideal) / se
    test = Significance(
        method=f"Wald test, {name}", p=float(2 * stats.norm.sf(abs(z))), statistic=z
    )
    return CalibrationEstimate(
        value=value, se=se, ci_low=value - half_width, ci_high=value + half_width, test=test
    )


def _log_likelihood(labels: Labels, logits: Scores) -> float:
    return -float(np.logaddexp(0, np.where(labels == 1, -logits, logits)).sum())


def _distances(sample: Scored, notes: list[str]) -> NDArray[np.float64]:
    """|p - smooth curve| per patient, (N,); NaN and a new note if there is no curve."""
    p = probabilities_of(sample)
    try:
        curve = smooth_curve(sample)
    except SampleError as error:
        notes.append(f"{str(error)[0].upper()}{str(error)[1:]}.")
        return np.full(len(p), np.nan)
    return np.asarray(np.abs(p - np.interp(p, *curve.T)))


def spiegelhalter(sample: Scored) -> Significance:
    """Test of the Brier score against its expectation from the probabilities; needs no groups.

    Raises:
        SampleError: as `calibration`.

    Source: Spiegelhalter 1986 (Stat Med 5:421).
    """
    labels, p = sample.labels, probabilities_of(sample)
    method = "Spiegelhalter's z of the Brier score"
    sd = float(np.sqrt((np.square(1 - 2 * p) * p * (1 - p)).sum()))
    if sd < _SAME:
        reason = "No P value: with probabilities of 0, 0.5 and 1 alone the score has no variance."
        return Significance(method=method, p=np.nan, notes=(reason,))
    z = float(((labels - p) * (1 - 2 * p)).sum()) / sd
    return Significance(method=method, p=float(2 * stats.norm.sf(abs(z))), statistic=z)
