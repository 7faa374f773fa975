"""Likelihood-ratio tests, Wald tests and profile intervals of a logistic regression.

The first and last compare the maximum with the maximum under a restriction: some coefficients fixed
at 0, or one fixed at the end of its interval. Firth's fit uses the penalized likelihood.

Source: Venzon and Moolgavkar 1988 (Appl Stat 37:87); Heinze and Schemper 2002 (Stat Med 21:2409).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.regression.likelihood import Likelihood, NoMaximumError, Point, Reals
from idhray.stats.sample import CONFIDENCE, z_of

_MAX_DOUBLINGS = 40
_MAX_RESTARTS = 10
_HIGHER = 1e-7  # a local maximum that is higher by more is another one
_LOST = "the likelihood could not be followed far enough for a profile; use fewer predictors"


def likelihood_ratio(model: Likelihood, best: Point, indices: Sequence[int]) -> Significance:
    """Twice the loss of log-likelihood when the coefficients at `indices` are fixed at 0."""
    name = "penalized likelihood ratio" if model.penalized else "likelihood ratio"
    if not len(indices):
        notes = ("There is no coefficient to test.",)
        return Significance(method=name, p=float("nan"), statistic=0.0, df=0, notes=notes)
    fixed = _mask(best, indices)
    nearby = _constrained(model, best, fixed, np.zeros(len(indices)))
    without = model.maximum(nearby.beta, fixed)
    return _ratio(name, best, without, len(indices))


def nested_likelihood_ratio(best: Point, without: Point, columns: int) -> Significance:
    """The same test without the penalty, from the fit of a model without these columns."""
    return _ratio("likelihood ratio", best, without, columns)


def without_columns(best: Point, indices: Sequence[int]) -> Reals:
    """Coefficients of the other columns, moved along as those at `indices` go to 0: a start."""
    fixed = _mask(best, indices)
    return _shifted(best, fixed, np.zeros(len(indices)))[~fixed]


def _mask(best: Point, indices: Sequence[int]) -> NDArray[np.bool_]:
    mask = np.zeros(len(best.beta), dtype=bool)
    mask[list(indices)] = True
    return mask


def _ratio(method: str, best: Point, without: Point, df: int) -> Significance:
    statistic = max(2 * (best.value - without.value), 0.0)
    p = float(chdtrc(df, statistic))
    return Significance(method=method, p=p, statistic=statistic, df=df)


def wald(best: Point, indices: Sequence[int]) -> Significance:
    """Wald's chi-square of the coefficients at `indices`, all 0 under the null hypothesis."""
    covariance = np.linalg.inv(best.information)[np.ix_(list(indices), list(indices))]
    beta = best.beta[list(indices)]
    statistic = float(beta @ np.linalg.solve(covariance, beta))
    p = float(chdtrc(len(indices), statistic))
    return Significance(method="Wald", p=p, statistic=statistic, df=len(indices))


def profile_interval(model: Likelihood, best: Point, index: int) -> tuple[float, float]:
    """Interval of one coefficient: all values that its likelihood-ratio test does not reject.

    Raises:
        NoMaximumError: an end was not reached.
    """
    return _end(model, best, index, -1), _end(model, best, index, +1)


def _end(model: Likelihood, best: Point, index: int, side: int) -> float:
    fixed = np.arange(len(best.beta)) == index
    z = z_of(CONFIDENCE)
    se = float(np.sqrt(np.linalg.inv(best.information)[index, index]))
    inside = best
    for _ in range(_MAX_RESTARTS):
        end, constrained = _crossing(model, best, inside, fixed, width=side * z * se, z=z)
        highest = model.maximum(constrained.beta, fixed)
        if highest.value < constrained.value + _HIGHER:
            return end
        inside = highest  # another local maximum is not rejected yet: go on from there
    raise NoMaximumError(_LOST)


def _crossing(
    model: Likelihood,
    best: Point,
    inside: Point,
    fixed: NDArray[np.bool_],
    *,
    width: float,
    z: float,
) -> tuple[float, Point]:
    """The end at which the likelihood ratio reaches its critical value, outward from `inside`."""
    points = {float(inside.beta[fixed][0]): inside}

    def excess(value: float) -> float:
        """The signed root of the likelihood ratio, less its critical value; nearly a line."""
        nonlocal inside
        if value not in points:  # a root finder that asks again gets the same local maximum
            points[value] = _constrained(model, inside, fixed, np.array([value]))
        above = float(np.sqrt(max(2 * (best.value - points[value].value), 0.0))) - z
        inside = points[value] if above < 0 else inside
        return above

    inner = next(iter(points))
    outer = inner + width
    for _ in range(_MAX_DOUBLINGS):
        if excess(outer) > 0:
            end = float(brentq(excess, inner, outer, xtol=1e-10 * abs(width), rtol=1e-14))
            return end, points[end]
        inner, outer, width = outer, outer + width, 2 * width
    raise NoMaximumError(_LOST)


def _constrained(
    model: Likelihood, start: Point, fixed: NDArray[np.bool_], target: Reals, halvings: int = 6
) -> Point:
    """The maximum with the fixed coefficients at `target`; if it fails, via half the distance."""
    try:
        return model.climb(_shifted(start, fixed, target), fixed)
    except (NoMaximumError, np.linalg.LinAlgError):
        if not halvings:
            raise NoMaximumError(_LOST) from None
    halfway = (start.beta[fixed] + target) / 2
    nearer = _constrained(model, start, fixed, halfway, halvings - 1)
    return _constrained(model, nearer, fixed, target, halvings - 1)


def _shifted(point: Point, fixed: NDArray[np.bool_], target: Reals) -> Reals:
    """Start values: the fixed ones at `target`, the others moved along with them."""
    free, beta = ~fixed, point.beta.copy()
    beta[fixed] = target
    inner = point.information[np.ix_(free, free)]
    moved = point.information[np.ix_(free, fixed)] @ (target - point.beta[fixed])
    beta[free] -= np.linalg.solve(inner, moved)
    return beta
