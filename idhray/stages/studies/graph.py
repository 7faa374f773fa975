"""A study as a list of stages: their states are printed first, then those with work left are run.

A stage that depends on one with work left is `after` it: its state is known at its turn.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from idhray.errors import ConfigError, SettingsChangedError
from idhray.stages.runtime.cost import duration
from idhray.stages.runtime.state import StageState
from idhray.stages.studies.record import add_to_record, study_record
from idhray.stages.studies.settings import StudyFlags

logger = logging.getLogger(__name__)

SECONDS = "seconds"


@dataclass(frozen=True, kw_only=True)
class StudyStage:
    """One stage of a study."""

    name: str
    state: Callable[[], StageState]
    """State of its folders. Nothing is done; earlier stages are finished when it is called."""
    run: Callable[[], object]
    """Bring its folders up to date."""
    reuse: Callable[[], bool] | None = None
    """Take finished outputs of another study; True if there were any."""
    has_results: Callable[[], bool] | None = None
    """True if trainings of the experiment are finished: the stage then changes by --amend only."""
    is_cheap: bool = False
    """Made again in seconds whenever an input changed."""


@dataclass(frozen=True, kw_only=True)
class PlannedStage:
    """State of one stage before anything starts."""

    stage: StudyStage
    state: StageState | None
    """None if it depends on a stage with work left."""
    after: str = ""
    """Name of that stage."""
    seconds: float | None = None
    """Time of the work, by earlier work; of the whole stage if its state is unknown. None if no
    work was timed."""

    def line(self) -> str:
        """Line for a terminal."""
        if self.state is None:
            cost = "" if self.seconds is None else f" ({duration_text(self.seconds)} if made anew)"
            return f"{self.stage.name}: after {self.after}{cost}"
        reason = f": {self.state.reason}" if self.state.reason else ""
        because = reason.replace(": ", " because ", 1) if self._is_outdated else reason
        timed = "" if self.state.is_done else f" ({duration_text(self.seconds)})"
        return f"{self.stage.name}: {self.state.status}{because}{timed}"

    @property
    def _is_outdated(self) -> bool:
        return self.state is not None and self.state.status == "out of date"


def chosen_stages(
    stages: Sequence[StudyStage], first: str | None, last: str | None
) -> list[StudyStage]:
    """Stages from --from to --until.

    Raises:
        ConfigError: there is no such stage, or --until comes before --from.
    """
    names = [stage.name for stage in stages]
    for flag, name in (("--from", first), ("--until", last)):
        if name is not None and name not in names:
            raise ConfigError(f"{flag} {name}: no such stage; the stages are {', '.join(names)}")
    begin = 0 if first is None else names.index(first)
    end = len(names) if last is None else names.index(last) + 1
    if begin >= end:
        raise ConfigError(f"--until {last} comes before --from {first}; exchange them")
    return list(stages[begin:end])


def planned_stages(stages: Sequence[StudyStage], study: str) -> list[PlannedStage]:
    """State of each stage, as far as it is known before anything is done."""
    planned: list[PlannedStage] = []
    after = ""
    for stage in stages:
        state = None if after else stage.state()
        seconds = expected_seconds(stage, state or StageState(status="to do"), study)
        planned.append(PlannedStage(stage=stage, state=state, after=after, seconds=seconds))
        if state is None or not state.is_done:
            after = stage.name
    return planned


def expected_seconds(stage: StudyStage, state: StageState, study: str) -> float | None:
    """Time of the work on a stage: by its ledger, else by what the whole stage took before."""
    if state.seconds is not None:
        return state.seconds
    recorded = study_record(study).get(SECONDS, {}).get(stage.name)
    return None if recorded is None else recorded * state.share


def refuse_unconfirmed(
    stage: StudyStage, state: StageState, flags: StudyFlags, seconds: float | None
) -> None:
    """Refuse work that would replace what is expensive, or what decides results.

    Raises:
        SettingsChangedError: the message names the input or setting, and the flag to give.
    """
    cost = duration_text(seconds)
    if state.status == "refused":
        raise SettingsChangedError(
            f"{stage.name}: made with other settings ({state.reason}); give the old ones, or "
            f"choose another --out to make all of it anew ({cost})"
        )
    is_changed = state.status == "out of date" or state.replaces
    if not is_changed or stage.is_cheap:
        return
    _refuse_results(stage, f"{state.status} ({state.reason})", flags)
    limit = flags.confirm_above
    expensive = seconds is None or seconds > 60 * limit
    if state.status != "out of date":
        return
    if state.is_finished and expensive and not flags.update:
        raise SettingsChangedError(
            f"{stage.name}: out of date ({state.reason}); making it anew takes {cost}, and "
            f"--confirm-above is {limit:g} minutes; give --update to do it"
        )


def _refuse_results(stage: StudyStage, reason: str, flags: StudyFlags) -> None:
    """Refuse to change a stage after results without --amend."""
    if stage.has_results is not None and stage.has_results() and not flags.amend:
        raise SettingsChangedError(
            f"{stage.name}: {reason}, but the experiment has results; give --amend REASON to train "
            "on the new images (the comparison is then exploratory), or --until the stage before"
        )


def refuse_unconfirmed_later(planned: Sequence[PlannedStage], flags: StudyFlags) -> None:
    """Refuse, before anything starts, a changed cohort whose trainings would be refused later.

    Stages `after` one with work left are judged at their turn, which may come after days of
    tiling. If the training patients changed, trainings made before will follow.

    Raises:
        SettingsChangedError: naming the stages, their cost, and the flag to give.
    """
    followers = [
        each
        for each in planned
        if each.state is None and not each.stage.is_cheap and each.seconds is not None
    ]
    for each in followers:
        _refuse_results(each.stage, "the training patients changed", flags)
    seconds = sum(each.seconds or 0.0 for each in followers)
    if seconds > 60 * flags.confirm_above and not flags.update:
        names = ", ".join(each.stage.name for each in followers)
        raise SettingsChangedError(
            f"{names}: the training patients changed; making these anew takes "
            f"{duration_text(seconds)}, and --confirm-above is "
            f"{flags.confirm_above:g} minutes; give --update to do it, or --until the stage before"
        )


def run_stages(stages: Sequence[StudyStage], flags: StudyFlags, study: str) -> None:
    """Bring each stage up to date, in their order."""
    for stage in stages:
        state = stage.state()
        if state.status == "to do" and stage.reuse is not None and stage.reuse():
            state = stage.state()
        if state.is_done:
            continue
        refuse_unconfirmed(stage, state, flags, expected_seconds(stage, state, study))
        logger.info("%s", stage.name)
        _run_timed(stage, state, study)


def _run_timed(stage: StudyStage, state: StageState, study: str) -> None:
    """Run a stage, and record the seconds of the whole stage for later estimates."""
    begin = time.monotonic()
    earlier = study_record(study).get(SECONDS, {}).get(stage.name, 0.0)
    try:
        stage.run()
    finally:
        seconds = time.monotonic() - begin
        whole = earlier + seconds if state.status == "to do" else max(earlier, seconds)
        add_to_record(study, SECONDS, {stage.name: round(whole, 1)})


def duration_text(seconds: float | None) -> str:
    """Time in words, such as `about 12.0 minutes`."""
    return "time unknown" if seconds is None else f"about {duration(seconds)}"


def plan_lines(planned: Sequence[PlannedStage], notes: Sequence[str]) -> list[str]:
    """Lines for a terminal: changes of the manifest, and one line for each stage."""
    return [*(f"manifest: {note}" for note in notes), *(each.line() for each in planned)]


def statuses(planned: Sequence[PlannedStage]) -> Mapping[str, str]:
    """Status of each stage by name."""
    return {
        each.stage.name: each.state.status if each.state else f"after {each.after}"
        for each in planned
    }
