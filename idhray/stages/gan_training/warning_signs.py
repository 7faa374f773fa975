"""Signs, in what a training reported, that it is out of hand."""

from dataclasses import dataclass
from typing import Any

from idhray.gan.guards import REPORTS, gap_limit, newly_beyond
from idhray.gan.run import Run
from idhray.stages.gan_training.fidelity_meter import EVALUATIONS, newly_worse


@dataclass(frozen=True)
class Sign:
    """That a training is out of hand."""

    line: str
    since_kimg: float
    """The first report that counted."""


def signs_of(history: list[dict[str, Any]], run: Run) -> list[Sign]:
    """Those that are complete with the last entry, and were not before."""
    gaps = [entry["score_gap"] for entry in history]
    limits = [gap_limit(run.settings, 4 << entry["level"]) for entry in history]
    kimg = history[-1]["kimg"]
    found = []
    if newly_beyond(gaps, limits):
        line = (
            f"the score gap is beyond {limits[-1]:g} in {REPORTS} reports, at {kimg:g} kimg: the "
            "discriminator is out of hand"
        )
        found.append(Sign(line, history[-REPORTS]["kimg"]))
    if newly_worse(history):
        line = f"fidelity is worse {EVALUATIONS} times in a row, at {kimg:g} kimg"
        measured = [entry for entry in history if entry.get("kid") is not None]
        found.append(Sign(line, measured[-EVALUATIONS]["kimg"]))
    return found
