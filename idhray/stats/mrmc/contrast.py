"""A contrast of areas under ROC curves with its uncertainty, and the tests that follow from it."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from idhray.stats.roc.delong import NO_VARIANCE
from idhray.stats.sample import CONFIDENCE, SampleError

STUDENT, NORMAL, NO_INTERVAL = "t", "z", "none"


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Mean over folds of AUC(arm) - AUC(baseline), trainings being readers."""

    difference: float
    se: float
    """Standard error over patients and trainings; NaN with one repeat."""
    df: float
    """Degrees of freedom of t; infinite where z is used, NaN where no interval exists."""
    t: float
    p: float
    """Two-sided P value of no difference."""
    ci_low: float
    ci_high: float
    folds: int
    repeats: int
    variance_trainings: float
    """Sum over folds of S2 / (R K^2), S2 being the variance of the difference between repeats."""
    variance_patients: float
    """`patients_covariance`, or 0 if that is negative."""
    patients_covariance: float
    """Sum over folds of Cov / K^2, Cov being the mean DeLong covariance between two repeats."""
    method: str
    """`t`; `z` if trainings do not vary; `none` if no variance exists (one repeat) or it is 0."""

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided interval of the difference; NaN where no interval exists.

        Raises:
            SampleError: the confidence is not between 0 and 1.
        """
        if not 0 < confidence < 1:
            raise SampleError(f"confidence must lie between 0 and 1, got {confidence}")
        half = quantile_t(0.5 + confidence / 2, self.df) * self.se
        return self.difference - half, self.difference + half

    def p_above(self, value: float) -> float:
        """One-sided P value of the claim that the difference is larger than `value`."""
        return self._tail(value - self.difference)

    def p_below(self, value: float) -> float:
        """One-sided P value of the claim that the difference is smaller than `value`."""
        return self._tail(self.difference - value)

    def p_within(self, margin: float) -> float:
        """P value of the claim that the difference lies inside +-`margin`.

        It is the larger of two one-sided P values: it is below 0.05 exactly if the 90 % interval
        lies inside the margin.

        Source: Schuirmann 1987.
        """
        return max(self.p_above(-margin), self.p_below(margin))

    def _tail(self, distance: float) -> float:
        if self.method == NO_INTERVAL:
            return float("nan")
        return cumulative_t(distance / self.se, self.df)


def contrast(
    difference: float,
    variance_trainings: float,
    patients_covariance: float,
    *,
    folds: int,
    repeats: int,
) -> Contrast:
    """The contrast of a difference whose two parts of variance are known.

    V = variance_trainings + max(0, patients_covariance); t has
    V^2 / [variance_trainings^2 / (K (R - 1))] degrees of freedom.

    Args:
        difference: mean over K folds and R repeats.
        variance_trainings: sum over folds of S2 / (R K^2); NaN with one repeat.
        patients_covariance: sum over folds of Cov / K^2, of either sign; NaN with one repeat.
        folds: K.
        repeats: R.

    Source: Obuchowski and Rockette 1995 with the degrees of freedom of Hillis 2007; the sum over
    folds is that of a split-plot design (Obuchowski, Gallas and Hillis 2012).
    """
    patients = max(0.0, patients_covariance) if repeats > 1 else float("nan")
    variance = variance_trainings + patients
    se = variance**0.5
    if se > NO_VARIANCE:
        no_luck = variance_trainings <= NO_VARIANCE**2
        df = np.inf if no_luck else folds * (repeats - 1) * (variance / variance_trainings) ** 2
        method = NORMAL if no_luck else STUDENT
        statistic = difference / se
        p = min(1.0, 2 * cumulative_t(-abs(statistic), df))
        half = quantile_t(0.5 + CONFIDENCE / 2, df) * se
    else:  # NaN, too
        df = statistic = p = half = float("nan")
        method = NO_INTERVAL
    return Contrast(
        difference=difference,
        se=se,
        df=df,
        t=statistic,
        p=p,
        ci_low=difference - half,
        ci_high=difference + half,
        folds=folds,
        repeats=repeats,
        variance_trainings=variance_trainings,
        variance_patients=patients,
        patients_covariance=patients_covariance,
        method=method,
    )


# scipy.stats.t does the same behind argument checks that take 50 times as long.
def cumulative_t(statistic: float, df: float) -> float:
    """Probability that Student's t is below `statistic`; with infinite df, the normal one."""
    if np.isinf(df):
        return float(special.ndtr(statistic))
    return float(special.stdtr(df, statistic))


def quantile_t(share: float, df: float) -> float:
    """Quantile of Student's t; with infinite df, the normal one."""
    if np.isinf(df):
        return float(special.ndtri(share))
    return float(special.stdtrit(df, share))
