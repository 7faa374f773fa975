"""The gains that a test cohort can detect, known before any GPU hour is spent."""

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
    """Number of test patients of both classes."""
    mutant: int
    """Number of IDH-mutant test patients."""
    auc: float
    """Expected true AUC of the baseline."""
    gain: float | None = None
    """Gain in AUC to plan for. Default: 0.02, 0.05 and 0.1."""
    correlations: tuple[float, ...] = CORRELATIONS
    """Correlations of the scores of the two models within a class. The more alike the models are,
    the higher is the correlation, and the easier it is to find a gain."""
    power: float = 0.8
    """Probability of finding a true gain."""
    seed: int = 0
    """Seed of the simulated studies."""
    out: str | None = None
    """JSON file that also receives the figures."""


def plan(flags: PlanFlags) -> dict[str, Any]:
    """Print the gains over a baseline that these test patients can show, and the numbers needed."""
    if not 2 <= flags.mutant <= flags.patients - 2:
        raise ConfigError(
            f"{flags.mutant} mutant of {flags.patients} patients: at least two mutant and two "
            "wildtype patients are needed"
        )
    design = StudyDesign(
        n_mutant=flags.mutant, n_wildtype=flags.patients - flags.mutant, auc=flags.auc
    )
    gains = () if flags.gain is None else (flags.gain,)
    planned = make_plan(
        design, gains=gains, correlations=flags.correlations, power=flags.power, seed=flags.seed
    )
    figures = plan_figures(planned)
    if flags.out is not None:
        publish_json(flags.out, figures)
        figures["out"] = flags.out
    return {**figures, "text": plan_text(planned)}
