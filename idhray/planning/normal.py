"""Power of comparisons of AUCs by closed formulas: for large cohorts, and as a first guess.

With few patients or an AUC near 1 they are off, by up to a fifth of the patients needed and more;
there `planning.py` simulates.
"""

import numpy as np
from scipy import stats

from idhray.errors import ConfigError
from idhray.stats.roc.delong import z_of


def normal_power(
    patients: tuple[int, int], aucs: tuple[float, float], correlation: float, alpha: float = 0.05
) -> float:
    """Power of a test of two AUCs on the same patients, scores binormal, estimate normal.

    Args:
        patients: Mutant and wildtype.
        aucs: True ones, of the baseline and of the new model.
        correlation: Of both models' scores within a class.
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
    """Of two Mann-Whitney areas whose scores have the correlation within each class.

    A pair of patients shares both members, one of them, or none with another pair; with one shared
    the two differences of scores have half the correlation. Source: Hanley and McNeil 1982, eq. 1,
    carried to two sets of scores by the bivariate normal distribution.
    """
    first, second = aucs
    if max(aucs) >= 1:  # a constant
        return 0.0
    both = _both(first, second, correlation) - first * second
    one = _both(first, second, correlation / 2) - first * second
    return (both + (sum(patients) - 2) * one) / (patients[0] * patients[1])


def _both(first: float, second: float, correlation: float) -> float:
    """P(Z1 < probit(first), Z2 < probit(second)) at the correlation; equal ones at 1."""
    if correlation >= 1:
        return min(first, second)
    at = stats.norm.ppf([first, second])
    return float(stats.multivariate_normal.cdf(at, cov=[[1, correlation], [correlation, 1]]))


def single_auc_power(n_mutant: int, n_wildtype: int, auc: float, alpha: float = 0.05) -> float:
    """Power to show that one AUC is above 0.5 (two-sided alpha).

    Raises:
        ConfigError: the AUC is not between 0.5 and 1, or a class is empty.

    Source: Obuchowski, Lieber and Wians 2004, Clinical Chemistry 50:1118, as R's power.roc.test.
    """
    if not 0.5 < auc < 1 or min(n_mutant, n_wildtype) < 1:
        raise ConfigError(
            f"an AUC of {auc} with {n_mutant} mutant and {n_wildtype} wildtype patients: "
            "between 0.5 and 1, and both classes, are needed"
        )

    def variance(area: float) -> float:
        a = 1.414 * stats.norm.ppf(area)  # sqrt(2), in the digits in which it was published
        wide = (5 * a**2 + 8) + (a**2 + 8) * n_mutant / n_wildtype
        return float(0.0099 * np.exp(-(a**2) / 2) * wide)

    gain = np.sqrt(n_mutant) * (auc - 0.5) - z_of(1 - alpha) * np.sqrt(variance(0.5))
    return float(stats.norm.cdf(gain / np.sqrt(variance(auc))))


def check_power(power: float, alpha: float) -> None:
    """Refuse a wanted power that is none.

    Raises:
        ConfigError: it is not between alpha and 1.
    """
    if not alpha < power < 1:
        raise ConfigError(f"power must lie between alpha ({alpha}) and 1, got {power}")
