"""Power of comparisons of AUCs by a closed formula: for large cohorts, and as a first guess.

With few patients or an AUC near 1 the number of patients needed is off by a fifth or more;
`simulation.py` is used there.
"""

import numpy as np
from scipy import stats

from idhray.errors import ConfigError
from idhray.stats.sample import z_of


def normal_power(
    patients: tuple[int, int], aucs: tuple[float, float], correlation: float, alpha: float = 0.05
) -> float:
    """Power of a test of two AUCs on the same patients, scores binormal, estimate normal.

    Args:
        patients: Numbers of mutant and wildtype patients.
        aucs: True AUCs of the baseline and of the new model.
        correlation: Correlation of both models' scores within a class.
    """
    old, new = aucs
    variance = (
        _covariance(patients, (old, old), 1.0)
        + _covariance(patients, (new, new), 1.0)
        - 2 * _covariance(patients, (old, new), correlation)
    )
    shift, z = (new - old) / np.sqrt(variance), z_of(1 - alpha)
    return float(stats.norm.sf(z - shift) + stats.norm.cdf(-z - shift))


def _covariance(patients: tuple[int, int], aucs: tuple[float, float], correlation: float) -> float:
    """Covariance of two Mann-Whitney areas whose scores are correlated within each class.

    Two pairs of patients share both members, one member, or none. With one shared member, the two
    score differences have half the correlation.

    Source: Hanley and McNeil 1982, eq. 1, extended to two sets of scores by the bivariate normal
    distribution.
    """
    first, second = aucs
    if max(aucs) >= 1:  # an area of 1 is constant
        return 0.0
    both_shared = _both_below(first, second, correlation) - first * second
    one_shared = _both_below(first, second, correlation / 2) - first * second
    return (both_shared + (sum(patients) - 2) * one_shared) / (patients[0] * patients[1])


def _both_below(first: float, second: float, correlation: float) -> float:
    """P(Z1 < probit(first), Z2 < probit(second)) at the correlation; Z1 = Z2 at 1."""
    if correlation >= 1:
        return min(first, second)
    quantiles = stats.norm.ppf([first, second])
    return float(stats.multivariate_normal.cdf(quantiles, cov=[[1, correlation], [correlation, 1]]))


def check_power(power: float, alpha: float) -> None:
    """Refuse a power outside (alpha, 1).

    Raises:
        ConfigError: `power` is not between alpha and 1.
    """
    if not alpha < power < 1:
        raise ConfigError(f"power must lie between alpha ({alpha}) and 1, got {power}")
