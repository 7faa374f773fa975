"""Likelihood-ratio tests and profile intervals of a logistic regression.

Both compare the maximum with the maximum under a restriction: some coefficients held at 0, or one
held at the end of its interval. Under Firth's penalty the same with the penalized likelihood.

Source: Venzon and Moolgavkar 1988 (Appl Stat 37:87); Heinze and Schemper 2002 (Stat Med 21:2409).
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from idhray.stats.likelihood import Likelihood, Point
from idhray.stats.sample import SampleError
from idhray.stats.significance import Significance

_MAX_DOUBLINGS = 40


def likelihood_ratio(model: Likelihood, best: Point, places: Sequence[int]) -> Significance:
    """Twice the loss of log-likelihood when the coefficients at `places` are held at 0."""
    held = np.zeros(len(best.beta), dtype=bool)
    held[list(places)] = True
    without = model.maximum(_conditional(best, held, 0.0), held)
    statistic = max(2 * (best.value - without.value), 0.0)
    name = "penalized likelihood ratio" if model.penalized else "likelihood ratio"
    return Significance(
        method=name,
        p=float(stats.chi2.sf(statistic, len(places))),
        statistic=statistic,
        df=len(places),
    )


def wald(best: Point, places: Sequence[int]) -> Significance:
    """Wald's chi-square of the coefficients at `places`, all 0 under the null hypothesis."""
    covariance = np.linalg.inv(best.information)[np.ix_(list(places), list(places))]
    beta = best.beta[list(places)]
    statistic = float(beta @ np.linalg.solve(covariance, beta))
    p = float(stats.chi2.sf(statistic, len(places)))
    return Significance(method="Wald", p=p, statistic=statistic, df=len(places))


def profile_interval(
    model: Likelihood, best: Point, place: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The values of one coefficient that its likelihood-ratio test does not reject.

    Raises:
        SampleError: the profile is so flat that an end was not found.
    """
    return _end(model, best, place, -1, confidence), _end(model, best, place, +1, confidence)


def _end(model: Likelihood, best: Point, place: int, side: int, confidence: float) -> float:
    held = np.arange(len(best.beta)) == place
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    latest = best  # the next maximum is sought from the last one

    def excess(value: float) -> float:
        """The signed root of the likelihood ratio, less its critical value; nearly a line."""
        nonlocal latest
        latest = model.maximum(_conditional(latest, held, value), held)
        return float(np.sqrt(max(2 * (best.value - latest.value), 0.0))) - z

    centre = float(best.beta[place])
    width = z * float(np.sqrt(np.linalg.inv(best.information)[place, place]))
    inner, outer = centre, centre + side * width
    for _ in range(_MAX_DOUBLINGS):
        if excess(outer) > 0:
            return float(brentq(excess, inner, outer, xtol=1e-10, rtol=1e-12))
        inner, outer, width = outer, outer + side * width, 2 * width
    raise SampleError("the likelihood is too flat for a profile interval; use the Wald interval")


def _conditional(point: Point, held: np.ndarray, value: float) -> np.ndarray:
    """Start values: the held ones at `value`, the others moved along the point's curvature."""
    free = ~held
    beta = point.beta.copy()
    shift = value - beta[held]
    beta[held] = value
    inner = point.information[np.ix_(free, free)]
    beta[free] -= np.linalg.solve(inner, point.information[np.ix_(free, held)] @ shift)
    return beta
