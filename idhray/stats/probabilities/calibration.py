"""Whether probabilities keep their word: of patients given 30%, are 30% mutant?

In the large (too high or low on the whole), slope (below 1: too extreme), curve, Brier score. A
model judged by the patients it was fitted on is calibrated by construction; `optimism` is for them.

Letters: N patients. Source: Steyerberg 2019 (Clinical Prediction Models, 2nd ed.), chapter 15;
the figures are those of R's rms::val.prob, at the exact maximum of the likelihood.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit, logit

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.probabilities.logits import logits_of, probabilities_of
from idhray.stats.probabilities.reliability import smooth_curve
from idhray.stats.regression.likelihood import Likelihood
from idhray.stats.sample import Labels, SampleError, Scores, labels_of

_SAME = 1e-12  # logits that differ by less are one


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An estimate, its Wald interval, and the test that it is what it should be."""

    value: float
    """NaN where it does not exist, and then the notes say why."""
    se: float
    ci_low: float
    ci_high: float
    test: Significance


@dataclass(frozen=True, kw_only=True)
class Line:
    """logit P(mutant) = intercept + slope x logit p, fitted by maximum likelihood."""

    intercept: float
    slope: float
    slope_se: float
    log_likelihood: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How a set of probabilities agrees with what was found."""

    in_the_large: Estimate
    """Intercept with the slope fixed at 1: log odds by which p is too low. Should be 0."""
    slope: Estimate
    """Should be 1; below it, low probabilities are too low and high ones too high."""
    intercept: float
    """Beside the slope; not the calibration in the large."""
    both: Significance
    """Intercept 0 and slope 1 together."""
    brier: float
    brier_scaled: float
    """1 is perfect; 0 is no better than giving everyone the share of mutants."""
    observed_expected: float
    """Mutants found over mutants expected."""
    log_loss: float
    e_average: float
    """Mean distance of the smooth curve from the diagonal, over patients."""
    e_90: float
    """Its 90th percentile."""
    e_max: float
    n_mutant: int
    n_wildtype: int
    notes: tuple[str, ...]


def calibration_in_the_large(labels: Labels, logits: Scores) -> tuple[float, float]:
    """The intercept beside the logits as an offset, and its standard error.

    It is where the expected number of mutants is the one found; so it always exists.
    """
    mutant = int(labels.sum())
    middle = logit(mutant / len(labels))
    low, high = middle - logits.max() - 1, middle - logits.min() + 1
    shift = brentq(lambda a: expit(a + logits).sum() - mutant, low, high, xtol=1e-14, rtol=1e-14)
    return float(shift), float((expit(shift + logits) * expit(-shift - logits)).sum() ** -0.5)


def calibration_line(labels: Labels, logits: Scores) -> Line:
    """The logistic regression of the labels on the logits.

    Raises:
        SampleError: all logits are equal, or a limit on them separates the classes.
    """
    if np.ptp(logits) < _SAME:
        raise SampleError("no calibration slope: all probabilities are equal")
    mutant, wildtype = logits[labels == 1], logits[labels == 0]
    if mutant.min() >= wildtype.max() or mutant.max() <= wildtype.min():
        raise SampleError("no calibration slope: the probabilities separate the classes")
    matrix = np.column_stack([np.ones_like(logits), logits])
    best = Likelihood(matrix=matrix, labels=labels).maximum()
    return Line(
        intercept=float(best.beta[0]),
        slope=float(best.beta[1]),
        slope_se=float(np.linalg.inv(best.information)[1, 1] ** 0.5),
        log_likelihood=best.log_likelihood,
    )


def calibration(truth: ArrayLike, p: ArrayLike, confidence: float = 0.95) -> Calibration:
    """All figures of calibration; those that do not exist are NaN, and a note says why.

    Raises:
        SampleError: one class only, or a probability is missing or outside 0..1.
    """
    labels = labels_of(truth)
    given = probabilities_of(p, labels)
    logits, notes = logits_of(given)
    in_the_large = _estimate(
        *calibration_in_the_large(labels, logits), 0, "calibration in the large = 0", confidence
    )
    intercept, slope, both = _line(labels, logits, confidence, notes)
    e = _distances(labels, given, notes)
    share = labels.mean()
    expected = float(given.sum())
    if expected == 0:
        notes.append("No mutant was expected, as all probabilities are 0.")
    brier = float(np.square(labels - given).mean())
    return Calibration(
        in_the_large=in_the_large,
        slope=slope,
        intercept=intercept,
        both=both,
        brier=brier,
        brier_scaled=float(1 - brier / (share * (1 - share))),
        observed_expected=float(labels.sum()) / expected if expected else np.inf,
        log_loss=-_log_likelihood(labels, logits) / len(labels),
        e_average=float(e.mean()),
        e_90=float(np.quantile(e, 0.9)),
        e_max=float(e.max()),
        n_mutant=int(labels.sum()),
        n_wildtype=int((1 - labels).sum()),
        notes=tuple(notes),
    )


def _line(
    labels: Labels, logits: Scores, confidence: float, notes: list[str]
) -> tuple[float, Estimate, Significance]:
    name = "calibration slope = 1"
    method = "likelihood ratio, intercept 0 and slope 1 together"
    try:
        line = calibration_line(labels, logits)
    except SampleError as error:
        notes.append(f"{str(error)[0].upper()}{str(error)[1:]}.")
        why = tuple(notes[-1:])
        none = Significance(method=f"Wald test, {name}", p=np.nan, notes=why)
        slope = Estimate(value=np.nan, se=np.nan, ci_low=np.nan, ci_high=np.nan, test=none)
        return np.nan, slope, Significance(method=method, p=np.nan, df=2, notes=why)
    gain = max(2 * (line.log_likelihood - _log_likelihood(labels, logits)), 0.0)
    both = Significance(method=method, p=float(stats.chi2.sf(gain, 2)), statistic=gain, df=2)
    return line.intercept, _estimate(line.slope, line.slope_se, 1, name, confidence), both


def _estimate(value: float, se: float, ideal: float, name: str, confidence: float) -> Estimate:
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * se
    z = (value - ideal) / se
    test = Significance(
        method=f"Wald test, {name}", p=float(2 * stats.norm.sf(abs(z))), statistic=z
    )
    return Estimate(value=value, se=se, ci_low=value - half, ci_high=value + half, test=test)


def _log_likelihood(labels: Labels, logits: Scores) -> float:
    return -float(np.logaddexp(0, np.where(labels == 1, -logits, logits)).sum())


def _distances(labels: Labels, p: Scores, notes: list[str]) -> NDArray[np.float64]:
    """|p - smooth curve| per patient, (N,); NaN and a note where there is no curve."""
    try:
        curve = smooth_curve(labels, p)
    except SampleError as error:
        notes.append(f"{str(error)[0].upper()}{str(error)[1:]}.")
        return np.full(len(p), np.nan)
    return np.asarray(np.abs(p - np.interp(p, *curve.T)))


def spiegelhalter(truth: ArrayLike, p: ArrayLike) -> Significance:
    """Whether the Brier score is the one that the probabilities promise; needs no groups.

    Raises:
        SampleError: as `calibration`.

    Source: Spiegelhalter 1986 (Stat Med 5:421).
    """
    labels = labels_of(truth)
    given = probabilities_of(p, labels)
    method = "Spiegelhalter's z of the Brier score"
    sd = float(np.sqrt((np.square(1 - 2 * given) * given * (1 - given)).sum()))
    if sd < _SAME:
        why = "No P value: with probabilities of 0, 0.5 and 1 alone the score has no variance."
        return Significance(method=method, p=np.nan, notes=(why,))
    z = float(((labels - given) * (1 - 2 * given)).sum()) / sd
    return Significance(method=method, p=float(2 * stats.norm.sf(abs(z))), statistic=z)
