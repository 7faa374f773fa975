"""Several functions at the same time; if one fails, the others still finish."""

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from idhray.errors import IdhrayError, TrainingError
from idhray.stages.runtime.background import Background

T = TypeVar("T")

SECONDS_PER_LOOK = 0.2

logger = logging.getLogger(__name__)


def side_by_side(works: Mapping[str, Callable[[], T]], at_once: int) -> dict[str, T]:
    """Results of functions that run in threads, by name, in the order of `works`.

    The main thread only waits, so it is free for signals.

    Args:
        works: Functions by name.
        at_once: Number of functions that run at the same time.

    Raises:
        TrainingError: some of several functions failed; the message names them with their errors.
            The error of a single function, or one that is no IdhrayError, is raised unchanged.
    """
    waiting, running = list(works), dict[str, Background[T]]()
    done, failed = dict[str, T](), dict[str, Exception]()
    while waiting or running:
        while waiting and len(running) < at_once:
            name = waiting.pop(0)
            running[name] = Background(works[name])
        for name in [name for name, work in running.items() if work.ended(SECONDS_PER_LOOK)]:
            try:
                done[name] = running.pop(name).result()
            except Exception as error:  # noqa: BLE001 - raised when the others have ended
                failed[name] = error
                logger.warning("%s: %s", name, error)
    for failure in failed.values():
        if len(works) == 1 or not isinstance(failure, IdhrayError):
            raise failure
    if failed:
        raise TrainingError(_summary(done, failed))
    return {name: done[name] for name in works}


def _summary(done: Mapping[str, object], failed: Mapping[str, Exception]) -> str:
    errors = "; ".join(f"{name}: {error}" for name, error in failed.items())
    finished = f"finished: {', '.join(done)}" if done else "none is finished"
    return (
        f"{len(failed)} of {len(failed) + len(done)} did not come to their end ({errors}); "
        f"{finished}; the same command continues with the others"
    )
