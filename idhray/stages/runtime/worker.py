"""In a Ray worker: one input's work, its parts published and then its fate, within a time limit."""

import contextlib
import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from idhray import ledger
from idhray.errors import FullError, IdhrayError, StorageError
from idhray.ledger import Fate
from idhray.storage import remove
from idhray.tables import PublishedPart, further_parts, part_path, publish_table

BUG = "bug"  # what the driver raises when all inputs are done
MUST_STOP = "must stop"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one input gave: rows, or parts that the work function published itself."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    published: Sequence[PublishedPart] = ()
    """The files at `part_path(out, name, 0)` and on."""
    status: ledger.Status = "done"
    note: str = ""
    """Why it was skipped, or what was lost of it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """An input: its name in the LEDGER, and what the work function gets (plain JSON values)."""

    name: str
    settings_hash: str
    values: dict[str, Any]
    size: int = 0
    """Bytes, or any other measure of work: the largest are begun first, so that no worker is left
    alone with a large one at the end; and how far the work is goes by it."""


def work_on_group(
    row: dict[str, Any],
    *,
    work: Callable[[dict[str, Any]], Outcome],
    out: str,
    schema: pa.Schema,
    limit_s: float | None,
) -> list[dict[str, Any]]:
    """Do some items in turn: publish the part of each, and then its fate.

    Args:
        row: "group": the items and which attempt this is of each, as JSON.
        work, out, schema, limit_s: As of `map_items`.

    Returns:
        One an item, "input", "rows", "error" and "status": the fate's, or what must stop the job.
    """
    said: list[dict[str, Any]] = []
    for fields, attempts in json.loads(row["group"]):
        limit = TimeLimit(limit_s, out, Item(**fields), attempts)
        said.append(_work_on_one(limit, work, schema))
        if said[-1]["status"] == MUST_STOP:
            break
    return said


def _work_on_one(
    limit: "TimeLimit", work: Callable[[dict[str, Any]], Outcome], schema: pa.Schema
) -> dict[str, Any]:
    global _limit  # noqa: PLW0603 - a worker does one item at a time
    item, attempts, out = limit.item, limit.attempts, limit.out
    said = {"input": item.name, "status": "", "error": "", "rows": 0}
    try:
        # A worker that died after it had recorded a fate is begun anew by Ray.
        fate = limit.recorded()
        if fate is None:
            _limit = limit
            with limit.running():
                fate = _done(item, attempts, work, out, schema)
            ledger.record(out, fate)
        return {**said, "status": fate.status, "error": fate.error, "rows": fate.rows}
    except StorageError as error:
        return {**said, "status": MUST_STOP, "error": ledger.reason(error)}
    except Exception as error:  # noqa: BLE001 - of this input; the others are still done
        text = f"{item.name}: a bug ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ledger.record(out, failed_fate(item, attempts, text))
        return {**said, "status": BUG, "error": traceback.format_exc()}


def _done(
    item: Item,
    attempts: int,
    work: Callable[[dict[str, Any]], Outcome],
    out: str,
    schema: pa.Schema,
) -> Fate:
    """The fate of an item whose parts are published."""
    start = time.monotonic()
    try:
        outcome = work(item.values)
        published = list(outcome.published)
        if outcome.rows:
            digest = publish_table(part_path(out, item.name), outcome.rows, schema)
            published = [PublishedPart(len(outcome.rows), digest)]
    except FullError:
        raise  # it is not this input's fault, and the others would fail, too
    except IdhrayError as error:
        outcome, published = Outcome(status="failed", note=ledger.reason(error)), []
    for path in further_parts(out, item.name, len(published)):
        remove(path)  # of a run that was killed, or of a file that has changed since
    return Fate(
        input=item.name,
        status=outcome.status,
        rows=sum(part.rows for part in published),
        parts=len(published),
        seconds=time.monotonic() - start,
        attempts=attempts,
        error=outcome.note,
        settings_hash=item.settings_hash,
        digest="-".join(part.digest for part in published),
    )


def failed_fate(item: Item, attempts: int, error: str) -> Fate:
    """Of an item that gave nothing."""
    return Fate(
        input=item.name,
        status="failed",
        parts=0,
        attempts=attempts,
        error=error,
        settings_hash=item.settings_hash,
    )


@dataclass(frozen=True)
class TimeLimit:
    """Of one item; work that it hands to other workers takes this along, and has as long again."""

    limit_s: float | None
    out: str
    item: Item
    attempts: int

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """End this process if the block takes longer, once the item is recorded as failed.

        Nothing else stops a C library that never returns.
        """
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
        """The fate of the item, if this attempt has one already."""
        fate = ledger.fate(self.out, self.item.name)
        return None if fate is None or fate.attempts < self.attempts else fate

    def _give_up(self) -> None:
        name, seconds = self.item.name, self.limit_s
        error = f"{name}: took longer than {seconds:g} s; raise --limit-s if it only is large"
        try:
            ledger.record(self.out, failed_fate(self.item, self.attempts, error))
        finally:
            os._exit(1)


_limit: TimeLimit


def time_limit() -> TimeLimit:
    """Of the item that this process works on."""
    return _limit


class _Clock:
    """Calls a function when it has run for so many seconds without being stopped."""

    def __init__(self, limit_s: float, give_up: Callable[[], None]) -> None:
        self._limit_s, self._give_up = limit_s, give_up

    def start(self) -> None:
        """Begin at 0."""
        self._timer = threading.Timer(self._limit_s, self._give_up)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()


_clocks: list[_Clock] = []  # of the item that this process works on; none without a limit


@contextlib.contextmanager
def unlimited() -> Iterator[None]:
    """Within, an item waits for others, which is not its fault: its time begins anew afterwards."""
    running = list(_clocks)
    for clock in running:
        clock.stop()
    try:
        yield
    finally:
        for clock in running:
            clock.start()
