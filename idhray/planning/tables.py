"""A study plan: the gains in AUC and accuracy that a test cohort can show, and patients needed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from idhray.errors import ConfigError
from idhray.planning.accuracy import (
    detectable_accuracy,
    fewest_discordant,
    mcnemar_patients,
    one_way_accuracy,
)
from idhray.planning.auc import DetectableAuc, NeededPatients, detectable_auc, patients_needed
from idhray.planning.simulation import STUDIES, Power, StudyDesign, auc_power

CORRELATIONS = (0.5, 0.8, 0.9)
GAINS = (0.02, 0.05, 0.1)
"""Gains in AUC to plan for if none is named; those that lead to 1 or more are skipped."""
DISCORDANCES = (0.1, 0.2, 0.3)
POINTS = (0.05, 0.1)
"""Gains in accuracy for which patients are counted."""
_SCORES = 500_000  # simulated scores per model and figure; a plan takes seconds


@dataclass(frozen=True, kw_only=True)
class GainPlan:
    """One gain in AUC at one correlation of the two models' scores."""

    gain: float
    correlation: float
    power: Power
    """Power with the patients of the cohort."""
    needed: NeededPatients


@dataclass(frozen=True, kw_only=True)
class AccuracyPlan:
    """McNemar's exact test at one share of discordant patients."""

    discordance: float
    """NaN is the best case: patients change for the better only, so it equals the gain."""
    detectable: float
    """Smallest gain that is found; NaN if none is."""
    needed: dict[float, int | None]
    """Gain -> patients; None if the gain is larger than the discordance."""


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """All figures of a plan; `plan_text` makes a table of them."""

    design: StudyDesign
    """Design with the first of `correlations`."""
    power: float
    correlations: tuple[float, ...]
    detectable: tuple[DetectableAuc, ...]
    """One per correlation."""
    gains: tuple[GainPlan, ...]
    """Gains in rows, correlations in columns, row by row."""
    fewest_exact: int
    """Patients who must change for the better, with none for the worse, to be significant."""
    fewest_mid_p: int
    accuracy: tuple[AccuracyPlan, ...]


def make_plan(
    design: StudyDesign,
    *,
    gains: Sequence[float] = (),
    correlations: Sequence[float] = CORRELATIONS,
    power: float = 0.8,
    studies: int = STUDIES,
    seed: int = 0,
) -> StudyPlan:
    """The plan of a comparison of a new model with a baseline on the same test patients.

    Args:
        design: Cohort and baseline; each of `correlations` replaces its correlation.
        gains: Gains in AUC; if empty, those of `GAINS` that stay below an AUC of 1.

    Raises:
        ConfigError: there is no correlation, or a value is out of range.
    """
    if not correlations:
        raise ConfigError("a plan needs a correlation of the two models' scores, such as 0.8")
    designs = [replace(design, correlation=float(correlation)) for correlation in correlations]
    planned_gains = tuple(gains) or tuple(gain for gain in GAINS if design.auc + gain < 1)
    return StudyPlan(
        design=designs[0],
        power=power,
        correlations=tuple(study.correlation for study in designs),
        detectable=tuple(
            detectable_auc(study, power, studies=studies, seed=seed, scores=_SCORES)
            for study in designs
        ),
        gains=tuple(
            GainPlan(
                gain=gain,
                correlation=study.correlation,
                needed=patients_needed(
                    study, gain, power, studies=studies, seed=seed, scores=_SCORES
                ),
                power=auc_power(
                    study, min(study.auc + gain, 1.0), studies=studies, seed=seed, scores=_SCORES
                ),
            )
            for gain in planned_gains
            for study in designs
        ),
        fewest_exact=fewest_discordant("exact", design.alpha),
        fewest_mid_p=fewest_discordant("mid-P", design.alpha),
        accuracy=tuple(
            _accuracy(design, discordance, power) for discordance in (np.nan, *DISCORDANCES)
        ),
    )


def _accuracy(design: StudyDesign, discordance: float, power: float) -> AccuracyPlan:
    """Figures of McNemar's test; a discordance of NaN is the best case."""
    patients, alpha = design.patients, design.alpha
    if np.isnan(discordance):
        detectable = one_way_accuracy(patients, power, alpha=alpha)
    else:
        detectable = detectable_accuracy(patients, discordance, power, alpha=alpha)
    needed: dict[float, int | None] = {}
    for gain in POINTS:
        share = gain if np.isnan(discordance) else discordance
        possible = gain <= share
        needed[gain] = mcnemar_patients(gain, share, power, alpha=alpha) if possible else None
    return AccuracyPlan(discordance=discordance, detectable=detectable, needed=needed)


def plan_figures(plan: StudyPlan) -> dict[str, Any]:
    """The plan as plain JSON values; null is a figure that does not exist."""
    design = plan.design
    return {
        "patients": design.patients,
        "mutant": design.n_mutant,
        "wildtype": design.n_wildtype,
        "auc": design.auc,
        "alpha": design.alpha,
        "power": plan.power,
        "detectable_auc": [
            _plain({"correlation": correlation, **asdict(detectable)})
            for correlation, detectable in zip(plan.correlations, plan.detectable, strict=True)
        ],
        "gains": [
            {
                "gain": row.gain,
                "correlation": row.correlation,
                "power": _plain(asdict(row.power)),
                "needed": _plain(asdict(row.needed)),
            }
            for row in plan.gains
        ],
        "fewest_discordant": {"exact": plan.fewest_exact, "mid_p": plan.fewest_mid_p},
        "accuracy": [
            {
                **_plain({"discordance": row.discordance, "detectable_gain": row.detectable}),
                "needed": [{"gain": gain, "patients": n} for gain, n in row.needed.items()],
            }
            for row in plan.accuracy
        ],
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values with None for NaN."""
    return {
        key: None if isinstance(value, float) and np.isnan(value) else value
        for key, value in values.items()
    }
