"""Gain and margin that an experiment could have shown: power of the test that gives the verdict.

A contrast's standard error has two parts. The variance over trainings is estimated by K (R - 1)
degrees of freedom, so it varies between experiments as chi-square; the variance over patients is
taken as it is. Power is the mean, over this chi-square, of the power of the t test that results.
Where patients add nothing this is the power of the noncentral t distribution.

The planner, the study and the verdict use these functions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.optimize import brentq

from idhray.errors import ConfigError
from idhray.stats.mrmc.contrast import Contrast
from idhray.stats.sample import CONFIDENCE

POWER = 0.8
_QUANTILES = 400  # of chi-square, over which power is averaged
_POINTS = 40  # of the part that several gains share


@dataclass(frozen=True, kw_only=True)
class ErrorVariance:
    """Variance of a contrast's estimate, in two parts."""

    trainings: float
    """Variance by trainings; with K folds and R repeats, sum over folds of S2 / (R K^2)."""
    df: float
    """Degrees of freedom by which `trainings` is estimated: K (R - 1)."""
    patients: float = 0.0
    """Variance by patients: sum over folds of Cov / K^2."""
    confidence: float = CONFIDENCE
    """Confidence of the interval that must lie above 0 (`rule.deciding_confidence`)."""

    def __post_init__(self) -> None:
        if not (self.trainings >= 0 and self.patients >= 0 and self.trainings + self.patients > 0):
            raise ConfigError(
                f"variances must be 0 or more, and not both 0: got {self.trainings} between "
                f"trainings and {self.patients} between patients"
            )
        if self.trainings and not self.df > 0:
            raise ConfigError(
                f"{self.df} degrees of freedom between trainings: two repeats or more are needed"
            )

    def standard_errors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Estimated standard errors, each equally likely, and their degrees of freedom."""
        if not self.trainings:
            return np.array([self.patients**0.5]), np.array([np.inf])
        shares = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
        trainings = self.trainings * stats.chi2.ppf(shares, self.df) / self.df
        variance = trainings + self.patients
        return np.sqrt(variance), self.df * (variance / trainings) ** 2


def design_variance(
    sd_trainings: float,
    patients_variance: float,
    *,
    folds: int,
    repeats: int,
    confidence: float = CONFIDENCE,
) -> ErrorVariance:
    """Variance of a planned experiment.

    Args:
        sd_trainings: SD between repeats of the difference in AUC on one fold's test patients.
        patients_variance: Variance of the mean difference over all test patients (DeLong); it does
            not depend on the number of folds over which the patients are spread.
        folds: K.
        repeats: R.
        confidence: Confidence of the interval that must lie above 0.
    """
    return ErrorVariance(
        trainings=sd_trainings**2 / (folds * repeats),
        df=folds * (repeats - 1),
        patients=patients_variance,
        confidence=confidence,
    )


def error_variance(
    test: Contrast, *, over_fold_means: bool = False, confidence: float = CONFIDENCE
) -> ErrorVariance | None:
    """Estimated variance of a contrast; None if it has none.

    Args:
        test: The contrast.
        over_fold_means: The test is a t test over fold means.
        confidence: Confidence of the interval that must lie above 0.
    """
    total = test.variance_trainings + test.variance_patients
    if test.method == "none" or not total > 0:
        return None
    df = test.folds - 1 if over_fold_means else test.folds * (test.repeats - 1)
    return ErrorVariance(
        trainings=test.variance_trainings,
        df=float(df),
        patients=test.variance_patients,
        confidence=confidence,
    )


def gain_power(variance: ErrorVariance, gain: float) -> float:
    """Probability that the interval of a true gain lies above 0."""
    errors, df = variance.standard_errors()
    limits = _quantile(0.5 + variance.confidence / 2, df) * errors
    return float(special.ndtr((gain - limits) / _sd(variance)).mean())


def equivalence_power(
    variance: ErrorVariance, margin: float, true_difference: float = 0.0
) -> float:
    """Probability that the 90% interval lies inside +-margin."""
    errors, df = variance.standard_errors()
    room = margin - _quantile(0.95, df) * errors
    sd = _sd(variance)
    above = special.ndtr((room - true_difference) / sd)
    below = special.ndtr((-room - true_difference) / sd)
    return float(np.where(room > 0, above - below, 0.0).mean())


def all_gains_power(
    variances: Sequence[ErrorVariance], gains: Sequence[float], shared: Sequence[float]
) -> float:
    """Probability that the intervals of several gains of one arm all lie above 0.

    The gains are those over several other arms. Their estimates are correlated by the arm itself,
    and their standard errors vary together. With one gain it is `gain_power`.

    Args:
        variances: One per gain.
        gains: True gains.
        shared: Share of each variance that comes from the arm itself.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(_POINTS)
    power = np.ones((1, _POINTS))
    for variance, gain, share in zip(variances, gains, shared, strict=True):
        errors, df = variance.standard_errors()
        sd = _sd(variance)
        room = gain - _quantile(0.5 + variance.confidence / 2, df) * errors  # (quantiles,)
        above = room[:, None] + share**0.5 * sd * points
        power = power * special.ndtr(above / ((1 - share) ** 0.5 * sd))
    return float(power.mean(axis=0) @ weights / weights.sum())


def detectable_gain(
    variance: ErrorVariance | Callable[[float], ErrorVariance],
    power: float = POWER,
    *,
    most: float = np.inf,
) -> float:
    """Smallest true gain whose interval lies above 0 with this power; NaN if none up to `most` is.

    Args:
        variance: The variance, or its value at each true gain. A better arm has another variance,
            so that the power may fall again as the gain rises.
        power: Power to reach.
        most: Largest possible gain.

    Raises:
        ConfigError: the power is out of range.
    """
    if isinstance(variance, ErrorVariance):
        smallest = _smallest(lambda gain: gain_power(variance, gain), variance, power)
        return smallest if smallest <= most else float("nan")
    _check_power(power)
    step, low = _sd(variance(0.0)) / 4, 0.0
    while low < most:
        high = min(low + step, most)
        if gain_power(variance(high), high) >= power:
            return float(
                brentq(lambda gain: gain_power(variance(gain), gain) - power, low, high, xtol=1e-7)
            )
        low = high
    return float("nan")


def detectable_margin(variance: ErrorVariance, power: float = POWER) -> float:
    """Smallest margin inside which arms without a difference are equivalent with this power."""
    return _smallest(lambda margin: equivalence_power(variance, margin), variance, power)


def _smallest(curve: Callable[[float], float], variance: ErrorVariance, power: float) -> float:
    _check_power(power)
    high = _sd(variance)
    while curve(high) < power:
        high *= 2
    return float(brentq(lambda value: curve(value) - power, 0.0, high, xtol=1e-7))


def _check_power(power: float) -> None:
    if not 0.05 < power < 1:
        raise ConfigError(f"power must lie between 0.05 and 1, got {power}")


def _sd(variance: ErrorVariance) -> float:
    return float((variance.trainings + variance.patients) ** 0.5)


def _quantile(share: float, df: NDArray[Any]) -> NDArray[np.float64]:
    finite = np.where(np.isinf(df), 1e9, df)
    return np.asarray(special.stdtrit(finite, share))
