"""Dry run of a stage: what it would read and write, its state, and the time by earlier work."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from idhray.stages.runtime.cost import duration
from idhray.stages.runtime.folder import FolderReachedError, ending_at_folder
from idhray.stages.runtime.state import StageState, folder_state
from idhray.storage import absolute

DRY_RUN = "dry_run"

StageFlags = TypeVar("StageFlags")


def with_dry_run(
    *, reads: Sequence[str], writes: str
) -> Callable[[Callable[[StageFlags], dict[str, Any]]], Callable[[StageFlags], dict[str, Any]]]:
    """Give a stage a dry run that ends at its output folder, before Ray starts.

    All checks that come before are made: what the command would refuse, its dry run refuses.

    Args:
        reads: Names of the flags that name the inputs.
        writes: Content of the output folder.
    """

    def decorated(
        stage: Callable[[StageFlags], dict[str, Any]],
    ) -> Callable[[StageFlags], dict[str, Any]]:
        @functools.wraps(stage)
        def run(flags: StageFlags) -> dict[str, Any]:
            values: Any = flags
            if not values.dry_run:
                return stage(flags)
            try:
                with ending_at_folder():
                    stage(flags)
            except FolderReachedError as reached:
                return dry_run_result(
                    reached.out,
                    folder_state(reached.out, reached.identity),
                    reads=inputs_of(flags, reads),
                    writes=writes,
                    overwrite=values.overwrite,
                )
            raise AssertionError(f"{stage.__name__} has no output folder")

        return run

    return decorated


def inputs_of(flags: object, names: Sequence[str]) -> list[str]:
    """One line for each input that the flags name, such as `--images /data/tiles`."""
    lines = []
    for name in names:
        value = getattr(flags, name)
        paths = [value] if isinstance(value, str) else [*(value or ())]
        lines += [f"--{name.replace('_', '-')} {absolute(path)}" for path in paths if path]
    return lines


def dry_run_result(
    out: str,
    state: StageState,
    *,
    reads: Sequence[str],
    writes: str,
    overwrite: bool,
    timed: str = "by what is done in this folder",
) -> dict[str, Any]:
    """Result of a stage that was asked for a dry run; nothing is written.

    Args:
        out: Output folder of the stage.
        state: State of the folder.
        reads: One line for each input, such as `60 slides of manifest.csv`.
        writes: Content of the output folder, such as `TILES of 60 slides`.
        overwrite: The run would start again, whatever the folder holds.
        timed: Origin of the time, in words.
    """
    if overwrite:
        state = StageState(status="to do", reason="--overwrite", seconds=state.seconds)
    return {
        "out": out,
        DRY_RUN: True,
        "state": state.status,
        "reason": state.reason,
        "seconds": state.seconds,
        "text": "\n".join(
            [
                *(f"reads: {line}" for line in reads),
                f"writes: {writes} to {out}",
                f"state: {state_text(state)}",
                f"time: {time_text(state, timed)}",
            ]
        ),
    }


def state_text(state: StageState) -> str:
    """Status and reason."""
    return f"{state.status}: {state.reason}" if state.reason else state.status


def time_text(state: StageState, timed: str) -> str:
    """Time of the work that is left, in words."""
    if state.is_done:
        return "nothing is left to do"
    if state.status == "refused":
        return "none: the command would refuse; see the reason"
    if state.seconds is None:
        begun = state.reason or state.status != "to do"
        return "not known" if begun else "not known: no input was done in this folder yet"
    return f"about {duration(state.seconds)} of work, {timed}"


def several_results(out: str, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Dry runs of several outputs of one command as one result."""
    return {
        "out": out,
        DRY_RUN: True,
        "states": {name: each["state"] for name, each in results.items()},
        "text": "\n".join(f"{name}\n{each['text']}" for name, each in results.items()),
    }
