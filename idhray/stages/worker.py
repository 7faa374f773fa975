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
from idhray.errors import IdhrayError, StorageError
from idhray.ledger import Fate
from idhray.storage import remove
from idhray.tables import Published, further_parts, part_path, publish_table

BUG = "bug"  # what the driver raises when all inputs are done
NO_LEDGER = "no ledger"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one input gave: rows, or parts that the work function published itself."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    published: Sequence[Published] = ()
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


def work_on_one(
    row: dict[str, Any],
    *,
    work: Callable[[dict[str, Any]], Outcome],
    out: str,
    schema: pa.Schema,
    limit_s: float | None,
) -> dict[str, Any]:
    """Do one item, publish its part and then its fate.

    Args:
        row: The item as JSON, and which attempt this is.
        work, out, schema, limit_s: As of `map_items`.

    Returns:
        "input", "rows", "error" and "status": the fate's, or what must stop the job.
    """
    item = Item(**json.loads(row["item"]))
    said = {"input": item.name, "status": "", "error": "", "rows": 0}
    try:
        fate = ledger.fate(out, item.name)
        # A worker that died after it had recorded a fate is begun anew by Ray.
        if fate is None or fate.attempts < row["attempts"]:
            with _at_most(limit_s, out, item, row["attempts"]):
                fate = _done(item, row["attempts"], work, out, schema)
            ledger.record(out, fate)
        return {**said, "status": fate.status, "error": fate.error, "rows": fate.rows}
    except StorageError as error:
        return {**said, "status": NO_LEDGER, "error": ledger.reason(error)}
    except Exception as error:  # noqa: BLE001 - of this input; the others are still done
        text = f"{item.name}: a bug ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ledger.record(out, _failed(item, row["attempts"], text))
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
            published = [Published(len(outcome.rows), digest)]
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


def _failed(item: Item, attempts: int, error: str) -> Fate:
    return Fate(
        input=item.name,
        status="failed",
        parts=0,
        attempts=attempts,
        error=error,
        settings_hash=item.settings_hash,
    )


@contextlib.contextmanager
def _at_most(limit_s: float | None, out: str, item: Item, attempts: int) -> Iterator[None]:
    """End this process if the block takes longer, once the item is recorded as failed.

    Nothing else stops a C library that never returns.
    """
    if limit_s is None:
        yield
        return

    def give_up() -> None:
        error = f"{item.name}: took longer than {limit_s:g} s; raise --limit-s if it only is large"
        try:
            ledger.record(out, _failed(item, attempts, error))
        finally:
            os._exit(1)

    clock = _Clock(limit_s, give_up)
    _clocks.append(clock)
    clock.start()
    try:
        yield
    finally:
        clock.stop()
        _clocks.remove(clock)


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
