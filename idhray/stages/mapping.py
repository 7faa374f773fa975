"""Many inputs, one function, on Ray Data: each input's rows are a part file and a LEDGER row.

A worker publishes the part, then the fate. Killed in between, the part is written again with the
same bytes; killed before, the input is done again. Rows never pass through the driver.
"""

import functools
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import ray
from tqdm import tqdm

from idhray import ledger
from idhray.errors import IdhrayError, SettingsChangedError
from idhray.ledger import Fate
from idhray.tables import part_path, parts, publish_table

logger = logging.getLogger(__name__)

BUG = "bug"
RETRIES = 2
SECONDS_PER_LINE = 10


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one input gave. `note` says why it was skipped, or what was lost of it."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    status: ledger.Status = "done"
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Item:
    """An input: its name in the LEDGER, and what the work function gets (plain JSON values)."""

    name: str
    settings_hash: str
    values: dict[str, Any]


def map_items(
    items: Sequence[Item],
    work: Callable[[dict[str, Any]], Outcome],
    *,
    out: str,
    schema: pa.Schema,
    workers: int | None = None,
    cpus: float = 1,
    gpus: float = 0,
    memory_bytes: int = 0,
) -> dict[str, Fate]:
    """Do `work` on every item that is not yet done; the fates of all items come back.

    An IdhrayError in `work` makes a failed row; a worker that dies (out of memory, a file that
    crashes its reader) is tried again and then makes one, too. Failed items of an earlier run are
    tried anew.

    Args:
        workers: Items at a time; as many as the cluster has room for when None.
        cpus, gpus, memory_bytes: What one item takes; no more run on a node than it has room for.

    Raises:
        SettingsChangedError: `out` holds fates of other inputs than these, or made otherwise.
    """
    before = ledger.fates(out)
    _check_same(out, items, before)
    there = set(parts(out))
    todo = [item for item in items if is_open(out, before.get(item.name), there)]
    if todo:
        if len(todo) < len(items):
            logger.info("%s: %d of %d done before", out, len(items) - len(todo), len(items))
        room: dict[str, Any] = {
            "num_cpus": cpus,
            "num_gpus": gpus or None,
            "memory": memory_bytes or None,
        }
        _run(todo, work, before, out=out, schema=schema, workers=workers, room=room)
    return ledger.fates(out)


def is_open(out: str, fate: Fate | None, there: set[str]) -> bool:
    """Whether an input must be worked on: never done, failed, or its part is gone."""
    if fate is None or fate.status == "failed":
        return True
    return fate.rows > 0 and part_path(out, fate.input) not in there


def _check_same(out: str, items: Sequence[Item], before: dict[str, Fate]) -> None:
    now = {item.name: item.settings_hash for item in items}
    changed = [name for name, fate in before.items() if now.get(name) != fate.settings_hash]
    if changed:
        raise SettingsChangedError(
            f"{out}: {len(changed)} inputs were done otherwise or are gone ({changed[0]}, ...); "
            "choose another --out, or --overwrite to start anew"
        )


def _run(
    todo: Sequence[Item],
    work: Callable[[dict[str, Any]], Outcome],
    before: dict[str, Fate],
    *,
    out: str,
    schema: pa.Schema,
    workers: int | None,
    room: dict[str, Any],
) -> None:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a dead worker costs its input only; see _missing
    attempts = {i.name: before[i.name].attempts + 1 if i.name in before else 1 for i in todo}
    # Arrow has no type for what an item may hold; JSON it reads and writes for sure.
    rows = [{"item": json.dumps(asdict(i)), "attempts": attempts[i.name]} for i in todo]
    one = functools.partial(_work_on_one, work=work, out=out, schema=schema)
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        one,
        **room,
        max_retries=RETRIES,  # Ray Data's default is for ever
        compute=ray.data.TaskPoolStrategy(size=workers),
    )
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # only now: its first use sets it
    seen = set()
    for row in progress(dataset.iter_rows(), total=len(todo), what=out):
        if row["status"] == BUG:
            raise RuntimeError(f"{row['input']}: {row['error']}")
        seen.add(row["input"])
    for item in todo:
        if item.name not in seen:
            _record_death(out, item, attempts[item.name])


def progress(rows: Iterable[dict[str, Any]], *, total: int, what: str) -> Iterator[dict[str, Any]]:
    """Pass rows on, with a bar on a terminal and a line every ten seconds elsewhere."""
    if sys.stderr.isatty():
        yield from tqdm(rows, total=total, unit="input", desc=what)
        return
    said = time.monotonic()
    for count, row in enumerate(rows, start=1):
        yield row
        if time.monotonic() - said > SECONDS_PER_LINE or count == total:
            said = time.monotonic()
            logger.info("%s: %d of %d inputs", what, count, total)


def _record_death(out: str, item: Item, attempts: int) -> None:
    error = f"{item.name}: its worker died {RETRIES + 1} times (out of memory, or a crashing file)"
    fate = Fate(
        input=item.name,
        status="failed",
        attempts=attempts,
        error=error,
        settings_hash=item.settings_hash,
    )
    ledger.record(out, fate)


def _work_on_one(
    row: dict[str, Any],
    *,
    work: Callable[[dict[str, Any]], Outcome],
    out: str,
    schema: pa.Schema,
) -> dict[str, Any]:
    """In the worker: do one item, publish its part and then its fate."""
    item = Item(**json.loads(row["item"]))
    start = time.monotonic()
    try:
        try:
            outcome = work(item.values)
        except IdhrayError as error:
            outcome = Outcome(status="failed", note=ledger.reason(error))
        path = part_path(out, item.name)
        digest = publish_table(path, outcome.rows, schema) if outcome.rows else ""
        fate = Fate(
            input=item.name,
            status=outcome.status,
            rows=len(outcome.rows),
            seconds=time.monotonic() - start,
            attempts=row["attempts"],
            error=outcome.note,
            settings_hash=item.settings_hash,
            digest=digest,
        )
        ledger.record(out, fate)
    except Exception:  # noqa: BLE001 - the driver raises it; here it would cost its block silently
        return {"input": item.name, "status": BUG, "error": traceback.format_exc()}
    return {"input": item.name, "status": outcome.status, "error": outcome.note}
