"""Time limit of one item. A worker that exceeds it records a failure and ends itself.

Nothing else stops a C library that never returns.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from idhray import ledger
from idhray.ledger import Fate
from idhray.stages.runtime.items import Item


@dataclass(frozen=True)
class TimeLimit:
    """Time limit of one item. Work that the item hands to other workers carries the limit and
    gets the same time again."""

    limit_s: float | None
    out: str
    item: Item[object]
    attempts: int

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """End this process if the block takes longer, after the item is recorded as failed."""
        global _current  # noqa: PLW0603 - a process works on one item at a time
        _current = self
        if self.limit_s is None:
            yield
            return
        clock = _Clock(self.limit_s, self._give_up)
        _clocks.append(clock)
        clock.start()
        try:
            yield
        finally:
            clock.stop()
            _clocks.remove(clock)

    def recorded(self) -> Fate | None:
        """Fate of the item, if this attempt already has one."""
        fate = ledger.fate(self.out, self.item.name)
        return None if fate is None or fate.attempts < self.attempts else fate

    def _give_up(self) -> None:
        name, seconds = self.item.name, self.limit_s
        error = f"{name}: took longer than {seconds:g} s; raise --limit-s if it is only large"
        try:
            ledger.record(self.out, failed_fate(self.item, self.attempts, error))
        finally:
            os._exit(1)


_current: TimeLimit


def time_limit() -> TimeLimit:
    """Time limit of the item that this process works on."""
    return _current


def failed_fate(item: Item[object], attempts: int, error: str) -> Fate:
    """Fate of an item that gave no rows."""
    return Fate(
        input=item.name,
        status="failed",
        parts=0,
        attempts=attempts,
        error=error,
        settings_hash=item.settings_hash,
    )


class _Clock:
    """Calls a function after some seconds, unless it is stopped before."""

    def __init__(self, limit_s: float, give_up: Callable[[], None]) -> None:
        self._limit_s, self._give_up = limit_s, give_up

    def start(self) -> None:
        """Begin at 0."""
        self._timer = threading.Timer(self._limit_s, self._give_up)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()


_clocks: list[_Clock] = []  # clock of the item that this process works on; empty without a limit


@contextlib.contextmanager
def unlimited() -> Iterator[None]:
    """Stop the clock while an item waits for others. It starts again at 0 afterwards."""
    running = list(_clocks)
    for clock in running:
        clock.stop()
    try:
        yield
    finally:
        for clock in running:
            clock.start()
