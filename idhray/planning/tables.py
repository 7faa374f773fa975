"""A study plan: what a test cohort can show of AUC and accuracy, and the patients that it lacks."""

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
from idhray.planning.auc import DetectableAuc, Needed, detectable_auc, patients_needed
from idhray.planning.simulation import STUDIES, Design, Power, auc_power

CORRELATIONS = (0.5, 0.8, 0.9)
GAINS = (0.02, 0.05, 0.1)
"""Gains in AUC that are planned for where none is named, as far as they stay below 1."""
DISCORDANCES = (0.1, 0.2, 0.3)
POINTS = (0.05, 0.1)
"""Gains in accuracy for which patients are counted."""
_SCORES = 500_000  # simulated per model and figure: a plan takes seconds


@dataclass(frozen=True, kw_only=True)
class GainPlan:
    """One gain in AUC at one correlation of the two models' scores."""

    gain: float
    correlation: float
    power: Power
    """With the patients there are."""
    needed: Needed


@dataclass(frozen=True, kw_only=True)
class AccuracyPlan:
    """McNemar's exact test where a given share of the patients changes sides."""

    discordance: float
    """NaN: only for the better, the best case; then it equals the gain."""
    detectable: float
    """Smallest gain that is found; NaN if none is."""
    needed: dict[float, int | None]
    """Gain -> patients; None where the gain is larger than the discordance."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All figures of a plan; `plan_text` makes a table of them."""

    design: Design
    """Its correlation is the first of `correlations`."""
    power: float
    correlations: tuple[float, ...]
    detectable: tuple[DetectableAuc, ...]
    """One per correlation."""
    gains: tuple[GainPlan, ...]
    """Gains in rows, correlations in columns, row by row."""
    fewest_exact: int
    """Patients who must change for the better, and none for the worse, to be significant."""
    fewest_mid_p: int
    accuracy: tuple[AccuracyPlan, ...]


def make_plan(
    design: Design,
    *,
    gains: Sequence[float] = (),
    correlations: Sequence[float] = CORRELATIONS,
    power: float = 0.8,
    studies: int = STUDIES,
    seed: int = 0,
) -> Plan:
    """The plan of a comparison of a new model with a baseline on the same test patients.

    Args:
        design: Its own correlation is replaced by each of `correlations`.
        gains: In AUC; without any, those of `GAINS` that stay below an AUC of 1.

    Raises:
        ConfigError: no correlation, or a value is out of range.
    """
    if not correlations:
        raise ConfigError("a plan needs a correlation of the two models' scores, such as 0.8")
    designs = [replace(design, correlation=float(one)) for one in correlations]
    planned = tuple(gains) or tuple(gain for gain in GAINS if design.auc + gain < 1)
    return Plan(
        design=designs[0],
        power=power,
        correlations=tuple(one.correlation for one in designs),
        detectable=tuple(
            detectable_auc(one, power, studies=studies, seed=seed, scores=_SCORES)
            for one in designs
        ),
        gains=tuple(
            GainPlan(
                gain=gain,
                correlation=one.correlation,
                needed=patients_needed(
                    one, gain, power, studies=studies, seed=seed, scores=_SCORES
                ),
                power=auc_power(
                    one, min(one.auc + gain, 1.0), studies=studies, seed=seed, scores=_SCORES
                ),
            )
            for gain in planned
            for one in designs
        ),
        fewest_exact=fewest_discordant("exact", design.alpha),
        fewest_mid_p=fewest_discordant("mid-P", design.alpha),
        accuracy=tuple(
            _accuracy(design, discordance, power) for discordance in (np.nan, *DISCORDANCES)
        ),
    )


def _accuracy(design: Design, discordance: float, power: float) -> AccuracyPlan:
    """NaN discordance: the best case."""
    n, alpha = design.patients, design.alpha
    if np.isnan(discordance):
        detectable = one_way_accuracy(n, power, alpha=alpha)
    else:
        detectable = detectable_accuracy(n, discordance, power, alpha=alpha)
    needed: dict[float, int | None] = {}
    for gain in POINTS:
        share = gain if np.isnan(discordance) else discordance
        possible = gain <= share
        needed[gain] = mcnemar_patients(gain, share, power, alpha=alpha) if possible else None
    return AccuracyPlan(discordance=discordance, detectable=detectable, needed=needed)


def plan_figures(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON values; what does not exist is null."""
    design = plan.design
    return {
        "patients": design.patients,
        "mutant": design.n_mutant,
        "wildtype": design.n_wildtype,
        "auc": design.auc,
        "alpha": design.alpha,
        "power": plan.power,
        "detectable_auc": [
            _plain({"correlation": correlation, **asdict(found)})
            for correlation, found in zip(plan.correlations, plan.detectable, strict=True)
        ],
        "gains": [
            {
                "gain": one.gain,
                "correlation": one.correlation,
                "power": _plain(asdict(one.power)),
                "needed": _plain(asdict(one.needed)),
            }
            for one in plan.gains
        ],
        "fewest_discordant": {"exact": plan.fewest_exact, "mid_p": plan.fewest_mid_p},
        "accuracy": [
            {
                **_plain({"discordance": one.discordance, "detectable_gain": one.detectable}),
                "needed": [{"gain": gain, "patients": n} for gain, n in one.needed.items()],
            }
            for one in plan.accuracy
        ],
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and np.isnan(value) else value
        for key, value in values.items()
    }
