"""Several pieces of work at a time; one that fails does not cost the others."""

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from idhray.errors import IdhrayError, TrainingError
from idhray.stages.runtime.background import Background

T = TypeVar("T")

SECONDS_PER_LOOK = 0.2

logger = logging.getLogger(__name__)


def side_by_side(works: Mapping[str, Callable[[], T]], at_once: int) -> dict[str, T]:
    """The result of each piece of work, by name, in the order given.

    The main thread only waits, so it is free for signals.

    Args:
        works: By name.
        at_once: How many run at a time, in threads; the others wait for their turn.

    Raises:
        TrainingError: some of several failed; it says which, and what their errors say. The error
            of a single piece of work, or one that is no IdhrayError, is raised as it is.
    """
    waiting, running = list(works), dict[str, Background[T]]()
    done, failed = dict[str, T](), dict[str, Exception]()
    while waiting or running:
        while waiting and len(running) < at_once:
            name = waiting.pop(0)
            running[name] = Background(works[name])
        for name in [name for name, one in running.items() if one.ended(SECONDS_PER_LOOK)]:
            try:
                done[name] = running.pop(name).result()
            except Exception as error:  # noqa: BLE001 - raised when the others have ended
                failed[name] = error
                logger.warning("%s: %s", name, error)
    for why in failed.values():
        if len(works) == 1 or not isinstance(why, IdhrayError):
            raise why
    if failed:
        raise TrainingError(_summary(done, failed))
    return {name: done[name] for name in works}


def _summary(done: Mapping[str, object], failed: Mapping[str, Exception]) -> str:
    why = "; ".join(f"{name}: {error}" for name, error in failed.items())
    finished = f"finished: {', '.join(done)}" if done else "none is finished"
    return (
        f"{len(failed)} of {len(failed) + len(done)} did not come to their end ({why}); "
        f"{finished}; the same command goes on with the others"
    )
