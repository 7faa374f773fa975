"""One function mapped over many inputs by Ray Data. Each input gives part files and a ledger row.

A worker publishes the parts, then the fate. A worker that is killed between the two writes the
parts again with the same bytes; one that is killed before does the input again. Rows never pass
through the driver. An input that takes too long is given up by its own worker, which then ends.
"""

import functools
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from idhray import ledger
from idhray.errors import ConfigError, StorageError
from idhray.ledger import Fate
from idhray.stages.runtime.grouping import grouped
from idhray.stages.runtime.items import Item, ItemReport, Outcome
from idhray.stages.runtime.leased import leased
from idhray.stages.runtime.metrics import count, show
from idhray.stages.runtime.progress import progress
from idhray.stages.runtime.resuming import (
    Difference,
    OnChange,
    check_change,
    difference,
    is_given_up,
    remove_gone,
    remove_unlisted_parts,
)
from idhray.stages.runtime.session import cpus_in_sight, wait_for_room
from idhray.stages.runtime.tasks import Groups, TaskOptions, run_tasks
from idhray.stages.runtime.time_limit import failed_fate
from idhray.stages.runtime.worker import BUG, MUST_STOP, work_on_group
from idhray.storage import LEDGER

logger = logging.getLogger(__name__)

RETRIES = 2
MOST_REMARKS = 3  # that are logged
MAX_BUGS = 10
"""After so many inputs that met a programming error, the job stops."""

T = TypeVar("T")
Runner = Callable[[Groups], Iterator[ItemReport]]


def map_items(
    items: Sequence[Item[T]],
    work: Callable[[T], Outcome],
    *,
    out: str,
    schema: pa.Schema,
    workers: int | None = None,
    cpus: float = 1,
    gpus: float = 0,
    memory_bytes: int = 0,
    task_size: int = 0,
    limit_s: float | None = None,
    max_attempts: int | None = None,
    retries: int = RETRIES,
    other_inputs: bool = False,
    shared: bool = False,
    on_change: OnChange = "refuse",
    version: int = 1,
    keep_processes: bool = False,
) -> dict[str, Fate]:
    """Do `work` on every item that is not yet done; return the fates of all items.

    An IdhrayError in `work` makes a failed row. If a worker dies (out of memory, a file that
    crashes its reader), the item is tried again and then makes a failed row, too. Items that
    failed in an earlier run are tried again.

    Args:
        items: Inputs of the stage; their tasks are of one dataclass.
        work: Work function of the stage. Ray imports it in the worker.
        out: Output folder.
        schema: Schema of the rows.
        workers: Items at a time; None for as many as the cluster has room for.
        cpus: CPUs that one item takes. Fractions let several items share a CPU.
        gpus: GPUs that one item takes.
        memory_bytes: Memory that one item takes.
        task_size: Small items share a Ray task up to this sum of their sizes; see `grouped`.
        limit_s: Seconds after which an item fails.
        max_attempts: Runs after which an item that failed in each is left alone.
        retries: New starts of a Ray task whose worker died.
        other_inputs: `out` may hold inputs that are not among `items`; they stay as they are.
        shared: Other runs write to `out`, too; nothing that this run did not make is removed.
        on_change: Reaction to inputs of `out` that changed or are gone.
        version: Version of the stage's results, see `versions.py`.
        keep_processes: Processes that used a GPU work on further items, for work that loads a
            network. By default, Ray ends them after each task.

    Raises:
        SettingsChangedError: `out` holds fates of other inputs, or of inputs that changed, and
            `on_change` does not allow it.
        StorageError: the ledger cannot be written, or there is no space left.
    """
    check_numbers(workers, limit_s, max_attempts)
    earlier = ledger.fates(out, update_index=not shared)
    named = {item.name for item in items}
    others = other_inputs or shared
    compared = {name: f for name, f in earlier.items() if name in named or not others}
    change = difference(out, items, compared)
    check_change(out, change, compared, on_change)
    todo = _open_items(out, items, change, earlier, max_attempts)
    if todo:
        wait_for_room(cpus=cpus, gpus=gpus, memory_bytes=memory_bytes)
        slots = min(workers or math.inf, cpus_in_sight() / (cpus or 1))
        options = TaskOptions(
            cpus=cpus,
            gpus=gpus,
            memory_bytes=memory_bytes,
            retries=retries,
            at_once=workers,
            keep_processes=keep_processes,
        )
        attempts = _attempts(todo, earlier)
        work_on_row = functools.partial(
            work_on_group,
            work=work,
            task_type=type(todo[0].task),
            out=out,
            schema=schema,
            limit_s=limit_s,
            version=version,
        )
        run = functools.partial(
            run_tasks, attempts=attempts, work=leased(work_on_row), options=options
        )
        _run(out, grouped(todo, task_size, slots), attempts, run)
    if on_change != "refuse" and not shared:
        remove_gone(out, change.gone)
    # Nobody else writes here; a ledger of 10,000 inputs takes seconds to read.
    fates = ledger.fates(out, update_index=not shared) if todo or change.gone else earlier
    _log_remarks(out, [fates[item.name] for item in todo if item.name in fates])
    if shared:
        return {name: fate for name, fate in fates.items() if name in named}
    remove_unlisted_parts(out, fates)
    return fates


def _log_remarks(out: str, fates: Sequence[Fate]) -> None:
    """Log the first remarks of workers on inputs that are done or skipped; the ledger has all."""
    for status in ("done", "skipped"):
        remarks = [
            fate.error
            if fate.error.startswith(f"{fate.input}: ")
            else f"{fate.input}: {fate.error}"
            for fate in fates
            if fate.status == status and fate.error
        ]
        if remarks:
            logger.warning(
                "%s: %d of %d inputs are %s with a remark, see %s: %s",
                *(out, len(remarks), len(fates), status, LEDGER),
                "; ".join(remarks[:MOST_REMARKS]) + ("; ..." if remarks[MOST_REMARKS:] else ""),
            )


def check_numbers(workers: int | None, limit_s: float | None, max_attempts: int | None) -> None:
    """Refuse flags that are not above 0.

    Raises:
        ConfigError: naming the flag.
    """
    flags = {"workers": workers, "limit-s": limit_s, "max-attempts": max_attempts}
    for flag, value in flags.items():
        if value is not None and not value > 0:
            raise ConfigError(f"--{flag} must be above 0, got {value:g}")


def _open_items(
    out: str,
    items: Sequence[Item[T]],
    change: Difference,
    earlier: Mapping[str, Fate],
    max_attempts: int | None,
) -> list[Item[T]]:
    """The items to work on; log how many and why, and how many are given up."""
    unfinished = [item for item in items if item.name in change.reasons]
    given_up = [i.name for i in unfinished if is_given_up(i, earlier.get(i.name), max_attempts)]
    if given_up:
        logger.warning(
            "%s: %d inputs failed in %s runs and are left alone (%s); raise --max-attempts",
            *(out, len(given_up), max_attempts, ", ".join(given_up[:3])),
        )
    if earlier and (text := change.text()):
        done = len(items) - len(unfinished)
        logger.info("%s: %d of %d done before; %s", out, done, len(items), text)
    return [item for item in unfinished if item.name not in set(given_up)]


def _attempts(items: Sequence[Item[Any]], earlier: Mapping[str, Fate]) -> dict[str, int]:
    """The number of this attempt at each item."""
    return {i.name: earlier[i.name].attempts + 1 if i.name in earlier else 1 for i in items}


def _run(out: str, groups: Groups, attempts: Mapping[str, int], run: Runner) -> None:
    """Do all groups; record a failed fate for each item whose worker died.

    Raises:
        StorageError: a worker cannot write.
        RuntimeError: items met programming errors.
    """
    items = {item.name: item for group in groups for item in group}
    sizes = {item.name: item.size for item in items.values()}
    reported, bugs = set(), list[str]()
    show("idhray_open_inputs", out, len(items))
    for row in progress(_reports(out, groups, run), sizes, label=out):
        if row["status"] == BUG:
            bugs.append(f"{row['input']}: {row['error']}")
        if len(bugs) == MAX_BUGS:
            break
        if row["status"] == MUST_STOP:
            raise StorageError(row["error"])
        reported.add(row["input"])
        attempt = attempts[row["input"]]
        fields = {"out": out, "input": row["input"], "state": row["status"], "attempt": attempt}
        logger.debug("%s: %s", row["input"], row["status"], extra=fields)
        count("idhray_inputs", out, state=row["status"])
        count("idhray_rows", out, row["rows"])
        show("idhray_open_inputs", out, len(items) - len(reported))
    if bugs:
        raise RuntimeError(f"{len(bugs)} inputs met bugs, please report them; {bugs[0]}")
    for name in [name for name in items if name not in reported]:
        fate = ledger.fate(out, name)
        if fate is not None and fate.attempts >= attempts[name]:
            continue  # its worker was lost between the ledger and the report
        error = (
            f"{name}: its worker died again and again, out of memory or by a file that crashes "
            "its reader; give it more memory, or get the file again"
        )
        ledger.record(out, failed_fate(items[name], attempts[name], error))


def _reports(out: str, groups: Groups, run: Runner) -> Iterator[ItemReport]:
    """Reports of the workers, none for an item whose worker died."""
    reported = set()
    for row in run(groups):
        reported.add(row["input"])
        yield row
    # One item of a group killed the worker of all. Each gets a task of its own now.
    alone = [[i] for group in groups if len(group) > 1 for i in group if i.name not in reported]
    if alone:
        count("idhray_retries", out, len(alone))
        logger.warning("%d inputs lost their worker; each gets a task of its own now", len(alone))
        yield from run(alone)
