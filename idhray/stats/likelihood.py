"""The likelihood of a logistic regression, plain or with Firth's penalty, and its maxima.

statsmodels fits the plain one, firthmodels the penalized one. Neither can hold several
coefficients at fixed values, which every interval by profile and every test of a whole factor
needs: with Firth's penalty a column that is held at 0 is not a column left out, as the penalty
still counts it. So there is one small maximizer for both; the tests hold it to both libraries.

Letters: N patients, K columns.
Source: Firth 1993 (Biometrika 80:27), section 3; Heinze and Schemper 2002 (Stat Med 21:2409).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from idhray.stats.design import Matrix
from idhray.stats.sample import Labels, SampleError

Vector = NDArray[np.float64]  # (K,)
_MAX_STEPS = 500  # Newton needs below 10; Firth's steps only shrink by a constant share
_MAX_HALVINGS = 40
_LONGEST_STEP = 5.0  # of a linear predictor; a longer one is cut to this
_STEP = 1e-10  # a step that moves no linear predictor by more is the last


class NoMaximumError(SampleError):
    """The likelihood grows without end (separated data), or no maximum was reached."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """The likelihood and its derivatives at some coefficients."""

    beta: Vector
    value: float
    """Log-likelihood, with the penalty where there is one."""
    log_likelihood: float
    """Without the penalty."""
    score: Vector
    information: NDArray[np.float64]
    """(K, K), X'WX: its inverse is the covariance of the coefficients."""
    curvature: NDArray[np.float64]
    """(K, K), what a step divides by: X'WX, weighted by 1 + leverage under the penalty."""


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """The log-likelihood of labels given a design, as a function of the coefficients."""

    matrix: Matrix
    labels: Labels
    penalized: bool = False
    """Firth's penalty: half the log determinant of the information (Jeffreys' prior)."""

    def at(self, beta: Vector) -> Point:
        """Value and derivatives; the value is -inf where the information is singular."""
        eta = self.matrix @ beta
        p = expit(eta)
        weight = p * expit(-eta)
        information = (self.matrix.T * weight) @ self.matrix
        plain = float(self.labels @ eta - np.logaddexp(0, eta).sum())
        residual, value, curvature = self.labels - p, plain, information
        if self.penalized:
            sign, logdet = np.linalg.slogdet(information)
            value = plain + 0.5 * float(logdet) if sign > 0 else -np.inf
            if np.isfinite(value):
                inverse = np.linalg.inv(information)
                leverage = weight * np.einsum("nk,kl,nl->n", self.matrix, inverse, self.matrix)
                residual = residual + leverage * (0.5 - p)
                curvature = (self.matrix.T * (weight * (1 + leverage))) @ self.matrix
        return Point(
            beta=beta,
            value=value,
            log_likelihood=plain,
            score=self.matrix.T @ residual,
            information=information,
            curvature=curvature,
        )

    def maximum(self, start: Vector | None = None, held: NDArray[np.bool_] | None = None) -> Point:
        """The point with the highest value, reached by Newton steps that never descend.

        Args:
            start: Coefficients to start from, (K,); zeros if not given.
            held: True where a coefficient keeps the value it has in `start`, (K,).

        Raises:
            NoMaximumError: no maximum was reached; without penalty that means separated data.
        """
        count = self.matrix.shape[1]
        point = self.at(np.zeros(count) if start is None else np.asarray(start, np.float64))
        free = np.flatnonzero(~held) if held is not None else np.arange(count)
        for _ in range(_MAX_STEPS if len(free) else 0):
            step = np.zeros(count)
            try:
                step[free] = np.linalg.solve(point.curvature[np.ix_(free, free)], point.score[free])
            except np.linalg.LinAlgError:
                break
            reach = float(np.abs(self.matrix @ step).max())
            point, moved = self._along(point, step * min(1.0, _LONGEST_STEP / max(reach, 1e-300)))
            if reach < _STEP or not moved:
                return point
        if len(free):
            raise NoMaximumError(
                "the likelihood has no maximum: the predictors separate the classes; "
                "use Firth's penalized likelihood (method firth)"
            )
        return point

    def _along(self, point: Point, step: Vector) -> tuple[Point, bool]:
        """The point after a step, halved until it does not descend; False if none ascends."""
        slack = 1e-13 * abs(point.value)
        for halving in range(_MAX_HALVINGS):
            ahead = self.at(point.beta + step * 0.5**halving)
            if ahead.value >= point.value - slack:
                return ahead, True
        return point, False
