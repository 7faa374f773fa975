"""What a test cohort can detect, before any GPU hour is spent: a table, and its figures."""

from dataclasses import dataclass
from typing import Any

from idhray.errors import ConfigError
from idhray.planning.printing import plan_text
from idhray.planning.simulation import StudyDesign
from idhray.planning.tables import CORRELATIONS, make_plan, plan_figures
from idhray.storage import publish_json


@dataclass(frozen=True, kw_only=True)
class PlanFlags:
    """Flags of `idhray plan`."""

    patients: int
    """Test patients, of both classes."""
    mutant: int
    """How many of them are IDH-mutant."""
    auc: float
    """True AUC of the baseline, as expected."""
    gain: float | None = None
    """Gain in AUC to plan for; without it 0.02, 0.05 and 0.1."""
    correlations: tuple[float, ...] = CORRELATIONS
    """Of the two models' scores within a class; the more alike the models are, the higher, and the
    easier a gain is found."""
    power: float = 0.8
    """Wanted probability of finding a gain that is there."""
    seed: int = 0
    """Of the simulated studies."""
    out: str | None = None
    """JSON file for the figures as well."""


def plan(flags: PlanFlags) -> dict[str, Any]:
    """Say which gain over a baseline these test patients can show, and how many would be needed."""
    if not 2 <= flags.mutant <= flags.patients - 2:
        raise ConfigError(
            f"{flags.mutant} mutant of {flags.patients} patients: at least two mutant and two "
            "wildtype patients are needed"
        )
    design = StudyDesign(
        n_mutant=flags.mutant, n_wildtype=flags.patients - flags.mutant, auc=flags.auc
    )
    gains = () if flags.gain is None else (flags.gain,)
    made = make_plan(
        design, gains=gains, correlations=flags.correlations, power=flags.power, seed=flags.seed
    )
    figures = plan_figures(made)
    if flags.out is not None:
        publish_json(flags.out, figures)
        figures["out"] = flags.out
    return {**figures, "text": plan_text(made)}
