"""Work of one Ray task: do some items in turn, publish the parts of each and then its fate."""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import pyarrow as pa

from idhray import ledger
from idhray.errors import IdhrayError, OutputError, StorageError
from idhray.ledger import Fate
from idhray.stages.runtime.items import Item, ItemReport, Outcome, unpacked
from idhray.stages.runtime.time_limit import TimeLimit, failed_fate
from idhray.storage import delete_folder, exists, remove
from idhray.table_parts import (
    PublishedPart,
    further_parts,
    part_path,
    publish_table,
    replace_values,
)

BUG = "bug"
"""Status of an item that met a programming error. The driver raises it after all items are done."""
MUST_STOP = "must stop"
"""Status of an item that met an error of the storage, which ends the job."""

T = TypeVar("T")


def work_on_group(
    row: Mapping[str, str],
    *,
    work: Callable[[T], Outcome],
    task_type: type[T],
    out: str,
    schema: pa.Schema,
    limit_s: float | None,
    version: int = 1,
) -> list[ItemReport]:
    """Do the items of one Ray task in turn; return a report on each.

    Args:
        row: Row of a Ray data set; "group" holds the items, see `items.packed`.
        work: Work function of the stage.
        task_type: Dataclass that `work` takes.
        out: Output folder.
        schema: Schema of the rows.
        limit_s: Time limit of one item.
        version: Version of the stage's results.
    """
    reports: list[ItemReport] = []
    for item, attempt in unpacked(row["group"], task_type):
        limit = TimeLimit(limit_s, out, item, attempt)
        reports.append(_report(item, limit, work, schema, version))
        if reports[-1]["status"] == MUST_STOP:
            break
    return reports


def _report(
    item: Item[T],
    limit: TimeLimit,
    work: Callable[[T], Outcome],
    schema: pa.Schema,
    version: int,
) -> ItemReport:
    """Do one item, record its fate and report it."""
    try:
        # Ray repeats a task whose worker died, perhaps after the worker had recorded a fate.
        fate = limit.recorded()
        if fate is None:
            with limit.running():
                fate, scratch = _with_new_people(item, limit.out) or _fate(
                    item, limit, work, schema, version
                )
            ledger.record(limit.out, fate)
            for folder in scratch:
                delete_folder(folder)
        return ItemReport(input=item.name, status=fate.status, error=fate.error, rows=fate.rows)
    except StorageError as error:
        reason = ledger.reason(error)
        return ItemReport(input=item.name, status=MUST_STOP, error=reason, rows=0)
    except Exception as error:  # noqa: BLE001 - concerns this input only; the others are still done
        text = f"{item.name}: a bug ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ledger.record(limit.out, failed_fate(item, limit.attempts, text))
        return ItemReport(input=item.name, status=BUG, error=traceback.format_exc(), rows=0)


def _with_new_people(item: Item[T], out: str) -> tuple[Fate, Sequence[str]] | None:
    """Write the values of the manifest into the parts of an item that is done already.

    Returns:
        The same as `_fate`; None if the item must be done.
    """
    fate = ledger.fate(out, item.name) if item.people else None
    if fate is None or fate.status == "failed" or not item.is_work_of(fate):
        return None
    paths = [part_path(out, item.name, k) for k in range(fate.parts if fate.rows else 0)]
    if not all(exists(path) for path in paths):
        return None
    for path in paths:
        replace_values(path, item.people)
    return replace(fate, settings_hash=item.settings_hash, people_hash=item.people_hash), ()


def _fate(
    item: Item[T],
    limit: TimeLimit,
    work: Callable[[T], Outcome],
    schema: pa.Schema,
    version: int,
) -> tuple[Fate, Sequence[str]]:
    """Do one item and publish its parts; its fate, and folders that are of no use after it."""
    start, out = time.monotonic(), limit.out
    try:
        outcome = work(item.task)
        published = list(outcome.published)
        if outcome.rows:
            digest = publish_table(part_path(out, item.name), outcome.rows, schema)
            published = [PublishedPart(len(outcome.rows), digest)]
    except OutputError:
        raise  # not the fault of this input, and the others would fail, too
    except IdhrayError as error:
        outcome, published = Outcome(status="failed", note=ledger.reason(error)), []
    for path in further_parts(out, item.name, len(published)):
        remove(path)  # left by a run that was killed, or by an earlier version of the file
    fate = Fate(
        input=item.name,
        status=outcome.status,
        rows=sum(part.rows for part in published),
        parts=len(published),
        seconds=time.monotonic() - start,
        attempts=limit.attempts,
        error=outcome.note,
        settings_hash=item.settings_hash,
        digest="-".join(part.digest for part in published),
        people_hash=item.people_hash,
        stage_version=version,
        day=datetime.now(UTC).date().isoformat(),
        input_digest=outcome.input_digest,
        **outcome.columns,
    )
    return fate, outcome.scratch
