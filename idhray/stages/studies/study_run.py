"""Run of a study: its plan is printed, refused or confirmed, and then its stages are run."""

import dataclasses
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from idhray.config import Identity
from idhray.errors import SettingsChangedError
from idhray.stages.runtime.session import connect, provenance
from idhray.stages.runtime.state import StageState
from idhray.stages.studies.graph import (
    PlannedStage,
    StudyStage,
    chosen_stages,
    plan_lines,
    planned_stages,
    refuse_unconfirmed,
    refuse_unconfirmed_later,
    run_stages,
    statuses,
)
from idhray.stages.studies.settings import MriStudySettings, StudyFlags, StudySettings
from idhray.storage import SETTINGS, absolute, exists, join, output_folder, read_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StudyOutline:
    """A study of any kind, before anything starts."""

    kind: Literal["slides", "mri", "application"]
    flags: StudyFlags
    settings: StudySettings | MriStudySettings
    owns: tuple[str, ...]
    """Names that the study makes in its folder."""
    changes: tuple[str, ...]
    """Changes of the manifest, as lines for a terminal."""
    trains_anew: bool = False
    """True if the changes concern what trainings read."""
    write_inputs: Callable[[str], None]
    """Write cohort and folds into a folder."""
    before_start: Callable[[], None]
    """Work of every run once it is confirmed, before the first stage."""
    stages: Callable[[str], Sequence[StudyStage]]
    """Stages that read cohort and folds from a folder."""
    further_lines: Callable[[], str] | None = None
    """Further lines of --dry-run, unless the study is finished."""


def study_identity(outline: StudyOutline) -> Identity:
    """Identity of the folder of a study: its kind and its seed.

    The folder of each stage has its own. Studies of earlier versions record the manifest and all
    settings as well.
    """
    names = {setting.name for setting in dataclasses.fields(outline.settings)}
    return Identity(
        {"stage": "study", "kind": outline.kind, "seed": outline.flags.seed},
        {"kind": "slides"},
        frozenset({"manifest_hash", "normals_hash", *names}),
    )


def run_study(outline: StudyOutline) -> dict[str, Any] | None:
    """Print one line for each stage, refuse what is not confirmed, and run the stages.

    Returns:
        Result of the command if it ends before the last stage; None if the study is finished.

    Raises:
        SettingsChangedError: the folder has another kind or seed, or work needs --update or
            --amend.
    """
    flags, out = outline.flags, absolute(outline.flags.out)
    identity = study_identity(outline)
    _refuse_other_study(out, identity, overwrite=flags.overwrite)
    with tempfile.TemporaryDirectory() as folder:  # nothing of the study is written yet
        outline.write_inputs(folder)
        stages = chosen_stages(outline.stages(folder), flags.from_, flags.until)
        planned = _new_stages(stages) if flags.overwrite else planned_stages(stages, out)
    lines = plan_lines(planned, outline.changes)
    if flags.dry_run:
        is_finished = all(each.state and each.state.is_done for each in planned)
        if outline.further_lines and not is_finished:
            lines.append(outline.further_lines())
        return {"out": out, "stages": statuses(planned), "text": "\n".join(lines)}
    for line in lines:
        logger.info("%s", line)
    for each in planned:
        _refuse_planned(each, flags)
    if outline.trains_anew and not flags.overwrite:
        refuse_unconfirmed_later(planned, flags)
    origin = provenance("study")
    with output_folder(
        out, identity, provenance=origin, overwrite=flags.overwrite, owns=outline.owns
    ):
        connect(flags.address, flags)
        outline.before_start()
        everything = outline.stages(out)
        run_stages(chosen_stages(everything, flags.from_, flags.until), flags, out)
    if flags.until in (None, everything[-1].name):
        return None
    return {"out": out, "until": flags.until}


def _new_stages(stages: Sequence[StudyStage]) -> list[PlannedStage]:
    """States of the stages of a study that starts again."""
    state = StageState(status="to do", reason="--overwrite")
    return [PlannedStage(stage=stage, state=state) for stage in stages]


def _refuse_planned(planned: PlannedStage, flags: StudyFlags) -> None:
    """Refuse a stage whose state is known and that needs a confirmation."""
    if planned.state is not None:
        refuse_unconfirmed(planned.stage, planned.state, flags, planned.seconds)


def _refuse_other_study(out: str, identity: Identity, *, overwrite: bool) -> None:
    """Refuse a folder of another kind of study or another seed.

    Raises:
        SettingsChangedError: naming the value.
    """
    if overwrite or not exists(join(out, SETTINGS)):
        return
    if changes := identity.changes(read_json(join(out, SETTINGS))):
        raise SettingsChangedError(
            f"{out}: made with other settings ({'; '.join(changes)}); give the old ones to "
            "continue, another --out, or --overwrite to start again"
        )
