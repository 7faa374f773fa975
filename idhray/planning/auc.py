"""Which gain in AUC a cohort can detect, before any GPU hour is spent on it.

By the paired DeLong test on simulated studies (`planning_simulation.py`), for one training of each
model. The variance between trainings comes on top: with it every power is lower, every cohort that
is needed larger.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from idhray.errors import ConfigError
from idhray.planning.normal import check_power, normal_power
from idhray.planning.simulation import (
    MOST_SCORES,
    STUDIES,
    Design,
    power_curve,
    studies_of,
)
from idhray.stats.roc.delong import z_of

_MOST_NEEDED = 10**9
_STEPS = 8  # of the AUCs between the baseline's and 1 that are tried first


@dataclass(frozen=True, kw_only=True)
class DetectableAuc:
    """The smallest true AUC of the new model that is found significant with the wanted power."""

    auc: float
    """NaN: nothing up to 1.0 is."""
    mc_error: float
    highest_power: float
    """Of all AUCs that were tried, 1.0 among them where nothing is detectable."""
    studies: int


@dataclass(frozen=True, kw_only=True)
class Needed:
    """The patients with whom a gain is found significant with the wanted power."""

    patients: int
    n_mutant: int
    n_wildtype: int
    mc_error: float
    """Standard error of `patients`."""
    studies: int


def detectable_auc(
    design: Design,
    power: float = 0.8,
    *,
    studies: int = STUDIES,
    seed: int = 0,
    scores: int = MOST_SCORES,
) -> DetectableAuc:
    """The smallest true AUC of the new model that is found with the wanted power.

    The same random numbers serve every AUC, so that the search sees a smooth curve. Near AUC 1 the
    power may fall again, so AUCs are tried from the baseline's upward.

    Raises:
        ConfigError: `power` is not between alpha and 1.
    """
    check_power(power, design.alpha)
    count = studies_of(design, studies, scores)
    curve = power_curve(design, count, seed)
    tried, below = [], design.auc
    for auc in np.linspace(design.auc, 1, _STEPS + 1)[1:]:
        tried.append(curve(float(auc)))
        if tried[-1] >= power:
            found = float(brentq(lambda a: curve(a) - power, below, auc, xtol=2e-4))
            error = _error_of_auc(curve, design, found, power, count)
            return DetectableAuc(auc=found, mc_error=error, highest_power=max(tried), studies=count)
        below = float(auc)
    return DetectableAuc(auc=np.nan, mc_error=np.nan, highest_power=max(tried), studies=count)


def patients_needed(
    design: Design,
    gain: float,
    power: float = 0.8,
    *,
    studies: int = STUDIES,
    seed: int = 0,
    scores: int = MOST_SCORES,
) -> Needed:
    """Patients, as many of them mutant as in the design, who show a gain with the wanted power.

    Starts with the closed formula and corrects it by simulation: z of the power grows with the
    root of the number of patients.

    Args:
        gain: True AUC of the new model minus that of the baseline.

    Raises:
        ConfigError: the gain is not positive or leads past 1, or `power` is out of range.
    """
    check_power(power, design.alpha)
    if not (gain > 0 and design.auc + gain < 1 + 1e-9):
        raise ConfigError(f"a gain of {gain} on an AUC of {design.auc} is not one, or passes 1")
    auc = min(design.auc + gain, 1.0)
    wanted = stats.norm.ppf(power) + z_of(1 - design.alpha)
    now = _first_guess(design, auc, power)
    for _ in range(8):
        count = studies_of(now, studies, scores)
        if not count:
            return _needed(now, 0.0, 0)
        error = np.sqrt(power * (1 - power) / count) / stats.norm.pdf(stats.norm.ppf(power))
        found = np.clip(power_curve(now, count, seed)(auc), 1 / count, 1 - 1 / count)
        reached = max(stats.norm.ppf(found) + z_of(1 - design.alpha), wanted / 2)
        last, now = now, _resized(design, round(now.patients * (wanted / reached) ** 2))
        spread = 2 * error / wanted * now.patients
        if abs(now.patients - last.patients) <= max(spread, 1):
            break
    return _needed(now, float(spread), count)


def _error_of_auc(
    curve: Callable[[float], float], design: Design, auc: float, power: float, studies: int
) -> float:
    """Monte Carlo error of a detectable AUC: that of the power over the slope of the curve."""
    if not studies:
        return 0.0
    step = min((auc - design.auc) / 5, 1 - auc)
    slope = (curve(auc + step) - curve(auc - step)) / (2 * step)
    return float(np.sqrt(power * (1 - power) / studies) / slope) if slope > 0 else np.nan


def _first_guess(design: Design, auc: float, power: float) -> Design:
    """By the closed formula, and by bisection.

    Raises:
        ConfigError: more than a billion patients would be needed.
    """

    def enough(patients: int) -> bool:
        one = _resized(design, patients)
        found = normal_power(
            (one.n_mutant, one.n_wildtype), (one.auc, auc), one.correlation, one.alpha
        )
        return found >= power

    low, high = 4, 8
    while not enough(high):
        low, high = high, 2 * high
        if high > _MOST_NEEDED:
            raise ConfigError(
                f"to show {design.auc} -> {auc} over {_MOST_NEEDED} patients are needed"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return _resized(design, high)


def _resized(design: Design, patients: int) -> Design:
    """The same design with other patients, the share of mutants as near as it can be."""
    total = max(patients, 4)
    mutant = int(np.clip(round(total * design.n_mutant / design.patients), 2, total - 2))
    return replace(design, n_mutant=mutant, n_wildtype=total - mutant)


def _needed(design: Design, mc_error: float, studies: int) -> Needed:
    return Needed(
        patients=design.patients,
        n_mutant=design.n_mutant,
        n_wildtype=design.n_wildtype,
        mc_error=mc_error,
        studies=studies,
    )
