"""The likelihood of a logistic regression, plain or with Firth's penalty, and its maxima.

statsmodels fits the plain one, firthmodels the penalized one. Neither can hold several
coefficients at fixed values, which every profile interval and every test of a whole factor
needs: with Firth's penalty a column that is fixed at 0 is not a column left out, because the
penalty still counts it. So one small maximizer serves both; tests compare it with both libraries.

Letters: N patients, K columns.
Source: Firth 1993 (Biometrika 80:27), section 3; Heinze and Schemper 2002 (Stat Med 21:2409).
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtri
from scipy.special import expit

from idhray.stats.regression.design import DesignMatrix
from idhray.stats.regression.far_starts import (
    LONGEST_STEP,
    Evaluation,
    evaluation,
    newton_step,
    other_maxima,
)
from idhray.stats.sample import Labels, SampleError

Reals = NDArray[np.float64]  # (K,), or (N,) for one value per patient
Square = NDArray[np.float64]  # (K, K)
_MAX_STEPS = 100  # fewer than 10 are usual
_MAX_HALVINGS = 40
_FAR = 6.0  # mean change of the linear predictors from which another maximum is searched
_HIGHER = 1e-9  # a maximum that is higher by less is the same one
_STEP = 1e-7  # a step that moves no linear predictor by more is the last; steps square the error
_GAIN = 1e-9  # if rounding keeps steps from shrinking to _STEP: the largest gain of a last step
_SMALL = 0.01  # and its longest change of a linear predictor
_NO_MAXIMUM = {
    False: "the likelihood has no maximum: the predictors separate the classes; "
    "use Firth's penalized likelihood (method firth)",
    True: "Firth's penalized likelihood came to no maximum; "
    "center and scale the numeric predictors, or use fewer predictors",
}


class NoMaximumError(SampleError):
    """The likelihood grows without end (separated data), or no maximum was reached."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """The likelihood and its derivatives at some coefficients."""

    beta: Reals
    value: float
    """Log-likelihood, with the penalty if there is one."""
    log_likelihood: float
    """Log-likelihood without the penalty."""
    score: Reals
    information: Square
    """(K, K), X'WX: its inverse is the covariance of the coefficients."""
    curvature: Square
    """Minus the second derivative; with the penalty it need not be positive definite."""
    bound: Square
    """Positive definite replacement: X'WX, weighted by 1 + leverage if there is the penalty."""


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """The log-likelihood of labels given a design, as a function of the coefficients."""

    matrix: DesignMatrix
    labels: Labels
    penalized: bool = False
    """Firth's penalty: half the log determinant of the information (Jeffreys' prior)."""

    def at(self, beta: Reals) -> Point:
        """Value and derivatives; the value is -inf if the information is singular."""
        eta = self.matrix @ beta
        p, q = expit(eta), expit(-eta)
        weight = p * q
        information = (self.matrix.T * weight) @ self.matrix
        plain = -float(np.logaddexp(0, np.where(self.labels == 1, -eta, eta)).sum())
        residual = np.where(self.labels == 1, q, -p)  # labels - p is 0 too early
        value, curvature, bound = plain, information, information
        if self.penalized:
            root, failure = dpotrf(information, lower=1)
            value = -np.inf if failure else plain + float(np.log(np.diag(root)).sum())
            if np.isfinite(value):
                z = self.matrix @ dtrtri(root, lower=1)[0].T  # z_i . z_j = x_i inverse(X'WX) x_j
                leverage, off = weight * (z**2).sum(axis=1), 0.5 - p
                residual = residual + leverage * off
                bound = (self.matrix.T * (weight * (1 + leverage))) @ self.matrix
                curvature = bound - self._bend(off, weight, leverage, z)
        return Point(
            beta=beta,
            value=value,
            log_likelihood=plain,
            score=self.matrix.T @ residual,
            information=information,
            curvature=curvature,
            bound=bound,
        )

    def residuals(self, point: Point) -> Reals:
        """Labels minus probabilities, (N,); exact for probabilities near 0 and 1."""
        eta = self.matrix @ point.beta
        return np.asarray(np.where(self.labels == 1, expit(-eta), -expit(eta)))

    def _bend(self, off: Reals, weight: Reals, leverage: Reals, z: DesignMatrix) -> Square:
        """Difference between `bound` and `curvature`, from the second derivative of the penalty.

        The derivative of the leverages has the squared elements of X inverse(X'WX) X' between
        patients; as products of rows (z_i . z_j)^2 they need no N by N matrix.
        """
        x = self.matrix
        squares = (z[:, :, None] * z[:, None, :]).reshape(len(z), -1)  # (N, K * K)
        twist = (x.T * (off * weight)) @ squares
        return np.asarray((x.T * (2 * leverage * off**2)) @ x - 2 * twist @ twist.T)

    def maximum(self, start: Reals | None = None, fixed: NDArray[np.bool_] | None = None) -> Point:
        """The point with the highest value.

        The plain likelihood has one maximum. With few patients the penalized one can have more,
        above all with a coefficient fixed; so climbs also start far out along each coefficient.

        Args:
            start: Coefficients to start from, (K,); zeros if not given.
            fixed: True where a coefficient keeps the value it has in `start`, (K,).

        Raises:
            NoMaximumError: no maximum was reached; without the penalty that means separated
                classes. Not all such data are detected here: `separation` is certain.
        """
        best = self.climb(start, fixed)
        if not self.penalized:
            return best
        lengths = np.sqrt((self.matrix**2).mean(axis=0))
        free = np.arange(len(lengths)) if fixed is None else np.flatnonzero(~fixed)
        away = np.diag(_FAR / lengths)[free]
        starts = best.beta + np.concatenate([-away, away])
        for beta in other_maxima(self._of_many, self.matrix, best.beta, starts, free):
            with suppress(NoMaximumError):
                point = self.climb(beta, fixed)
                best = point if point.value > best.value + _HIGHER else best
        return best

    @cached_property
    def _of_many(self) -> Evaluation:
        return evaluation(self.matrix, self.labels)

    def climb(self, start: Reals | None = None, fixed: NDArray[np.bool_] | None = None) -> Point:
        """The maximum reached from `start` by Newton steps that never descend.

        Arguments and errors are those of `maximum`.
        """
        count = self.matrix.shape[1]
        point = self.at(np.zeros(count) if start is None else np.asarray(start, np.float64))
        free = np.flatnonzero(~fixed) if fixed is not None else np.arange(count)
        settled, shortest = not len(free), np.inf
        for _ in range(_MAX_STEPS if len(free) else 0):
            try:
                step = _step(point, free)
            except np.linalg.LinAlgError:
                break
            reach = float(np.abs(self.matrix @ step).max())
            settled = reach < _SMALL and float(point.score @ step) < _GAIN
            if settled and reach > shortest / 2:
                break  # steps that near the end and do not shrink are rounding
            point, moved = self._along(point, step * min(1.0, LONGEST_STEP / max(reach, 1e-300)))
            if reach < _STEP or not moved:
                break
            shortest = min(reach, shortest)
        if not settled:
            raise NoMaximumError(_NO_MAXIMUM[self.penalized])
        return point

    def _along(self, point: Point, step: Reals) -> tuple[Point, bool]:
        """The point after a step, halved until it does not descend; False if none ascends."""
        slack = 1e-13 * abs(point.value)
        for halving in range(_MAX_HALVINGS):
            ahead = self.at(point.beta + step * 0.5**halving)
            if ahead.value >= point.value - slack:
                return ahead, True
        return point, False


def _step(point: Point, free: NDArray[np.intp]) -> Reals:
    """Newton's step of the free coefficients."""
    if len(free) == len(point.beta):
        return newton_step(point.score, point.curvature, point.bound)
    block, step = np.ix_(free, free), np.zeros(len(point.beta))
    step[free] = newton_step(point.score[free], point.curvature[block], point.bound[block])
    return step
