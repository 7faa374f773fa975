"""The gain in AUC that a cohort can detect, for planning before any GPU hour is spent.

The paired DeLong test is applied to simulated studies (`simulation.py`) with one training of each
model. The variance between trainings is not included; it lowers every power and raises the number
of patients needed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from idhray.errors import ConfigError
from idhray.planning.normal import check_power, normal_power
from idhray.planning.simulation import (
    MOST_SCORES,
    STUDIES,
    StudyDesign,
    power_curve,
    studies_of,
)
from idhray.stats.roc.power import gain_found
from idhray.stats.sample import z_of

_MOST_PATIENTS = 10**9


@dataclass(frozen=True, kw_only=True)
class DetectableAuc:
    """The smallest true AUC of the new model that is found significant with the planned power."""

    auc: float
    """NaN if not even an AUC of 1.0 is detectable."""
    mc_error: float
    highest_power: float
    """Highest power among the AUCs that were tried, which include 1.0 if nothing is detectable."""
    studies: int


@dataclass(frozen=True, kw_only=True)
class NeededPatients:
    """The patients with whom a gain is found significant with the planned power."""

    patients: int
    n_mutant: int
    n_wildtype: int
    mc_error: float
    """Standard error of `patients`."""
    studies: int


def detectable_auc(
    design: StudyDesign,
    power: float = 0.8,
    *,
    studies: int = STUDIES,
    seed: int = 0,
    scores: int = MOST_SCORES,
) -> DetectableAuc:
    """The smallest true AUC of the new model that is found with the planned power.

    The same random numbers serve every AUC, so the search sees a smooth curve. Near AUC 1 the power
    may fall again, so AUCs are tried in ascending order from the baseline's.

    Raises:
        ConfigError: `power` is not between alpha and 1.
    """
    check_power(power, design.alpha)
    count = studies_of(design, studies, scores)
    curve = power_curve(design, count, seed)
    gain, highest = gain_found(lambda gain: curve(design.auc + gain), 1 - design.auc, power)
    if np.isnan(gain):
        return DetectableAuc(auc=np.nan, mc_error=np.nan, highest_power=highest, studies=count)
    auc = design.auc + gain
    error = _error_of_auc(curve, design, auc, power, count)
    return DetectableAuc(auc=auc, mc_error=error, highest_power=highest, studies=count)


def patients_needed(
    design: StudyDesign,
    gain: float,
    power: float = 0.8,
    *,
    studies: int = STUDIES,
    seed: int = 0,
    scores: int = MOST_SCORES,
) -> NeededPatients:
    """Patients needed to show a gain with the planned power; the share of mutants is the design's.

    The closed formula gives a first guess and simulation corrects it: z of the power grows with
    the root of the number of patients.

    Args:
        gain: True AUC of the new model minus that of the baseline.

    Raises:
        ConfigError: the gain is not positive or leads past 1, or `power` is out of range.
    """
    check_power(power, design.alpha)
    if not (gain > 0 and design.auc + gain < 1 + 1e-9):
        raise ConfigError(
            f"gain of {gain} on an AUC of {design.auc}: it must be above 0 and lead to at most 1"
        )
    auc = min(design.auc + gain, 1.0)
    needed_z = stats.norm.ppf(power) + z_of(1 - design.alpha)
    current = _first_guess(design, auc, power)
    for _ in range(8):
        count = studies_of(current, studies, scores)
        if not count:
            return _needed_patients(current, 0.0, 0)
        error = np.sqrt(power * (1 - power) / count) / stats.norm.pdf(stats.norm.ppf(power))
        simulated_power = np.clip(power_curve(current, count, seed)(auc), 1 / count, 1 - 1 / count)
        reached_z = max(stats.norm.ppf(simulated_power) + z_of(1 - design.alpha), needed_z / 2)
        patients = round(current.patients * (needed_z / reached_z) ** 2)
        previous, current = current, _resized(design, patients)
        patients_error = 2 * error / needed_z * current.patients
        if abs(current.patients - previous.patients) <= max(patients_error, 1):
            break
    return _needed_patients(current, float(patients_error), count)


def _error_of_auc(
    curve: Callable[[float], float], design: StudyDesign, auc: float, power: float, studies: int
) -> float:
    """Monte Carlo error of a detectable AUC: error of the power over the slope of its curve."""
    if not studies:
        return 0.0
    step = min((auc - design.auc) / 5, 1 - auc)
    slope = (curve(auc + step) - curve(auc - step)) / (2 * step)
    return float(np.sqrt(power * (1 - power) / studies) / slope) if slope > 0 else np.nan


def _first_guess(design: StudyDesign, auc: float, power: float) -> StudyDesign:
    """The design with the number of patients that the closed formula gives, by bisection.

    Raises:
        ConfigError: more than a billion patients would be needed.
    """

    def enough(patients: int) -> bool:
        resized = _resized(design, patients)
        power_now = normal_power(
            (resized.n_mutant, resized.n_wildtype),
            (resized.auc, auc),
            resized.correlation,
            resized.alpha,
        )
        return power_now >= power

    low, high = 4, 8
    while not enough(high):
        low, high = high, 2 * high
        if high > _MOST_PATIENTS:
            raise ConfigError(
                f"AUC from {design.auc} to {auc}: over {_MOST_PATIENTS} patients are needed; "
                "plan for a larger gain"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return _resized(design, high)


def _resized(design: StudyDesign, patients: int) -> StudyDesign:
    """The same design with another number of patients and nearly the same share of mutants."""
    total = max(patients, 4)
    mutant = int(np.clip(round(total * design.n_mutant / design.patients), 2, total - 2))
    return replace(design, n_mutant=mutant, n_wildtype=total - mutant)


def _needed_patients(design: StudyDesign, mc_error: float, studies: int) -> NeededPatients:
    return NeededPatients(
        patients=design.patients,
        n_mutant=design.n_mutant,
        n_wildtype=design.n_wildtype,
        mc_error=mc_error,
        studies=studies,
    )
