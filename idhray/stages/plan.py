"""What a test cohort can detect, before any GPU hour is spent: a table, and its figures."""

from typing import Any

from idhray.errors import ConfigError
from idhray.planning.printing import plan_text
from idhray.planning.simulation import StudyDesign
from idhray.planning.tables import CORRELATIONS, make_plan, plan_figures
from idhray.storage import publish_json


def plan(
    *,
    patients: int,
    mutant: int,
    auc: float,
    gain: float | None = None,
    correlations: tuple[float, ...] = CORRELATIONS,
    power: float = 0.8,
    seed: int = 0,
    out: str | None = None,
) -> dict[str, Any]:
    """Say which gain over a baseline these test patients can show, and how many would be needed.

    Args:
        patients: Test patients, of both classes.
        mutant: How many of them are IDH-mutant.
        auc: True AUC of the baseline, as expected.
        gain: Gain in AUC to plan for; without it 0.02, 0.05 and 0.1.
        correlations: Of the two models' scores within a class; the more alike the models are, the
            higher, and the easier a gain is found.
        power: Wanted probability of finding a gain that is there.
        seed: Of the simulated studies.
        out: JSON file for the figures as well.
    """
    if not 2 <= mutant <= patients - 2:
        raise ConfigError(
            f"{mutant} mutant of {patients} patients: two mutant and two wildtype ones are needed "
            "at least"
        )
    design = StudyDesign(n_mutant=mutant, n_wildtype=patients - mutant, auc=auc)
    gains = () if gain is None else (gain,)
    made = make_plan(design, gains=gains, correlations=correlations, power=power, seed=seed)
    figures = plan_figures(made)
    if out is not None:
        publish_json(out, figures)
        figures["out"] = out
    return {**figures, "text": plan_text(made)}
