"""State of a stage's output folder: up to date, to do or out of date, told without any work."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from idhray.config import Identity
from idhray.ledger import Fate, fates
from idhray.stages.runtime.folder import DONE
from idhray.stages.runtime.items import Item
from idhray.stages.runtime.resuming import Difference, OpenReason, difference
from idhray.storage import SETTINGS, exists, join, read_json

StageStatus = Literal["up to date", "to do", "out of date", "refused"]
"""`refused`: made with another setting, which cannot be changed in place."""
ORDER: tuple[StageStatus, ...] = ("up to date", "to do", "out of date", "refused")
CONTINUED: tuple[OpenReason, ...] = ("new", "failed before", "with a lost part")
"""Reasons to work on an input that do not make the finished ones out of date."""

_DIGESTS = re.compile(r'(\w+): was "[0-9a-f-]{16,}", now "[0-9a-f-]{16,}"')

ItemsOf = Callable[[dict[str, Any]], Sequence[Item[Any]]]
"""Items of a stage, from the settings that its folder records."""


@dataclass(frozen=True, kw_only=True)
class StageState:
    """State of a stage, and the reason."""

    status: StageStatus
    reason: str = ""
    seconds: float | None = None
    """Time of the work that is left, by what earlier work took; None if unknown."""
    share: float = 1.0
    """Share of the stage that is left."""
    is_finished: bool = True
    """False for a folder whose stage was begun and never finished."""
    replaces: bool = False
    """True if a finished output becomes another one, as a generator that is trained longer."""

    @property
    def is_done(self) -> bool:
        """True if nothing is left."""
        return self.status == "up to date"


UP_TO_DATE = StageState(status="up to date", seconds=0.0, share=0.0)


def folder_state(
    out: str,
    identity: Identity,
    *,
    inputs: Collection[str] | None = (),
    items_of: ItemsOf | None = None,
) -> StageState:
    """State of the output folder of a stage.

    Args:
        out: Output folder.
        identity: Identity that this run would give it.
        inputs: Names of identity values that come from earlier stages: the folder is out of date
            if these changed, and refused if others changed. None for all values.
        items_of: Items of a stage that works input by input.
    """
    if not exists(join(out, SETTINGS)):
        return StageState(status="to do")
    recorded = read_json(join(out, SETTINGS))
    finished = exists(join(out, DONE))
    finished = exists(join(out, DONE))
    if changes := identity.changes(recorded):
        names = {line.split(":")[0].split(".")[0] for line in changes}
        follows = inputs is None or names <= set(inputs)
        return StageState(
            status="out of date" if follows else "refused",
            reason="; ".join(_readable(line) for line in changes),
            is_finished=finished,
        )
    if grown := identity.grown(recorded):
        lines = [f"{name}: was {recorded[name]}, now {value}" for name, value in grown.items()]
        return StageState(status="to do", reason="; ".join(lines), replaces=finished)
    if items_of is not None:
        earlier = fates(out)
        state = change_state(difference(out, items_of(recorded), earlier), earlier)
        if finished or not state.is_done:
            return replace(state, is_finished=finished)
    return UP_TO_DATE if finished else StageState(status="to do", reason="unfinished")


def _readable(change: str) -> str:
    """A line of `Identity.changes`, without the digests if an input has changed."""
    match = _DIGESTS.fullmatch(change)
    return (
        f"other {match[1].removesuffix('_hash').replace('_', ' ')} than before" if match else change
    )


def change_state(change: Difference, earlier: Mapping[str, Fate]) -> StageState:
    """State of a folder whose stage works input by input.

    Args:
        change: Difference between the folder and the inputs of this run.
        earlier: Fates of the folder.
    """
    if not change.reasons and not change.gone:
        return UP_TO_DATE
    reasons = set(change.reasons.values())
    followed = bool(change.gone) or not reasons <= set(CONTINUED)
    works = [
        name for name, reason in change.reasons.items() if reason != "with other patient values"
    ]
    worked = [fate.seconds for fate in earlier.values() if fate.status != "failed"]
    mean = sum(worked) / len(worked) if worked else None
    return StageState(
        status="out of date" if followed else "to do",
        reason=change.text(),
        seconds=None if works and mean is None else len(works) * (mean or 0.0),
        share=len(works) / max(len(change.reasons), len(earlier), 1),
    )


def combined_state(states: Mapping[str, StageState]) -> StageState:
    """State of a stage with several folders.

    Args:
        states: State of each folder by its name in messages.
    """
    left = {name: state for name, state in states.items() if not state.is_done}
    if not left:
        return UP_TO_DATE
    status = max((state.status for state in left.values()), key=ORDER.index)
    name, first = next((n, state) for n, state in left.items() if state.status == status)
    times = [state.seconds for state in left.values()]
    count = f"{len(left)} of {len(states)}" if len(states) > 1 else ""
    named = f"{name}: {first.reason}" if first.reason and len(states) > 1 else first.reason
    return StageState(
        status=status,
        reason=", ".join(filter(None, [count, named])),
        seconds=None if None in times else sum(time for time in times if time is not None),
        share=sum(state.share for state in left.values()) / len(states),
        is_finished=any(state.is_finished for state in left.values()),
        replaces=any(state.replaces for state in left.values()),
    )
