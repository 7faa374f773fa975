"""Warning signs in the reports of a training."""

from dataclasses import dataclass
from typing import Any

from idhray.gan.architectures import architecture_of
from idhray.gan.guards import REPORTS, newly_beyond
from idhray.gan.run import Run
from idhray.stages.gan_training.fidelity_meter import EVALUATIONS, newly_worse


@dataclass(frozen=True)
class Sign:
    """Warning that a training goes wrong."""

    line: str
    since_kimg: float
    """First report that belongs to the sign."""


def signs_of(history: list[dict[str, Any]], run: Run) -> list[Sign]:
    """Signs that the last entry completes."""
    kimg = history[-1]["kimg"]
    signs = _gap_sign(history, run)
    if newly_worse(history):
        line = f"fidelity is worse {EVALUATIONS} times in a row, at {kimg:g} kimg"
        measured = [entry for entry in history if entry.get("kid") is not None]
        signs.append(Sign(line, measured[-EVALUATIONS]["kimg"]))
    return signs


def _gap_sign(history: list[dict[str, Any]], run: Run) -> list[Sign]:
    """Sign of a score gap beyond its limit; none without a discriminator."""
    gap_limit = architecture_of(run.settings).gap_limit
    if gap_limit is None:
        return []
    limits = [gap_limit(run.settings, 4 << entry["level"]) for entry in history]
    if not newly_beyond([entry["score_gap"] for entry in history], limits):
        return []
    line = (
        f"the score gap is beyond {limits[-1]:g} in {REPORTS} reports, at "
        f"{history[-1]['kimg']:g} kimg: the discriminator is out of hand"
    )
    return [Sign(line, history[-REPORTS]["kimg"])]
