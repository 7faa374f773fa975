"""Many inputs, one function, on Ray Data: each input's rows are a part file and a LEDGER row.

A worker publishes the part, then the fate. Killed in between, the part is written again with the
same bytes; killed before, the input is done again. Rows never pass through the driver. An input
that takes too long is given up by its own worker, which then ends.
"""

import functools
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import ray

from idhray import ledger
from idhray.errors import ConfigError, SettingsChangedError, StorageError
from idhray.ledger import Fate
from idhray.stages.runtime.grouping import grouped
from idhray.stages.runtime.progress import progress
from idhray.stages.runtime.worker import BUG, MUST_STOP, failed_fate, work_on_group
from idhray.stages.runtime.worker import Item as Item
from idhray.stages.runtime.worker import Outcome as Outcome
from idhray.storage import remove
from idhray.tables import part_path, parts

logger = logging.getLogger(__name__)

RETRIES = 2
MOST_BUGS = 10
"""So many inputs that fail by a programming error say enough."""


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
    task_size: int = 0,
    limit_s: float | None = None,
    max_attempts: int | None = None,
) -> dict[str, Fate]:
    """Do `work` on every item that is not yet done; the fates of all items come back.

    An IdhrayError in `work` makes a failed row; a worker that dies (out of memory, a file that
    crashes its reader) is tried again and then makes one, too. Failed items of an earlier run are
    tried anew.

    Args:
        workers: Items at a time; as many as the cluster has room for when None.
        cpus, gpus, memory_bytes: What one item takes; no more run on a node than it has room for.
        task_size: Small items share a task, up to this sum of their sizes; see `grouped`.
        limit_s: An item that takes longer than this many seconds fails.
        max_attempts: An item that failed in this many runs is left alone.

    Raises:
        SettingsChangedError: `out` holds fates of other inputs than these, or made otherwise.
        StorageError: the ledger cannot be written; there is no space left.
    """
    check_numbers(workers, limit_s, max_attempts)
    before = ledger.fates(out)
    _check_same(out, items, before)
    there = set(parts(out))
    todo = [item for item in items if is_open(out, before.get(item.name), there)]
    given_up = [item.name for item in todo if is_given_up(before.get(item.name), max_attempts)]
    if given_up:
        logger.warning(
            "%s: %d inputs failed in %s runs and are left alone (%s); raise --max-attempts",
            *(out, len(given_up), max_attempts, ", ".join(given_up[:3])),
        )
        todo = [item for item in todo if item.name not in set(given_up)]
    if todo:
        if len(todo) + len(given_up) < len(items):
            done = len(items) - len(todo) - len(given_up)
            logger.info("%s: %d of %d done before", out, done, len(items))
        options: dict[str, Any] = {
            "num_cpus": cpus,
            "num_gpus": gpus or None,
            "memory": memory_bytes or None,
            "compute": ray.data.TaskPoolStrategy(size=workers),
            "max_retries": RETRIES,  # Ray Data's default is for ever
        }
        attempts = {i.name: before[i.name].attempts + 1 if i.name in before else 1 for i in todo}
        one = functools.partial(work_on_group, work=work, out=out, schema=schema, limit_s=limit_s)
        run = functools.partial(_on_ray, attempts=attempts, work=one, options=options)
        slots = min(workers or math.inf, ray.cluster_resources().get("CPU", 1) / (cpus or 1))
        _run(out, grouped(todo, task_size, slots), attempts, run)
    found = ledger.fates(out)
    _remove_unaccounted(out, found)
    return found


def check_numbers(workers: int | None, limit_s: float | None, max_attempts: int | None) -> None:
    for flag, value in (
        ("workers", workers),
        ("limit-s", limit_s),
        ("max-attempts", max_attempts),
    ):
        if value is not None and not value > 0:
            raise ConfigError(f"--{flag} must be above 0, got {value:g}")


def _remove_unaccounted(out: str, found: dict[str, Fate]) -> None:
    """Delete parts that no fate speaks of: of workers that were ended while they wrote."""
    known = {
        part_path(out, name, shard)
        for name, fate in found.items()
        for shard in range(fate.parts if fate.rows else 0)
    }
    for path in parts(out):
        if path not in known:
            remove(path)


def is_open(out: str, fate: Fate | None, there: set[str]) -> bool:
    """Whether an input must be worked on: never done, failed, or a part is gone."""
    if fate is None or fate.status == "failed":
        return True
    files = fate.parts if fate.rows else 0
    return any(part_path(out, fate.input, shard) not in there for shard in range(files))


def is_given_up(fate: Fate | None, max_attempts: int | None) -> bool:
    """Whether an input failed in so many runs that it is not tried again."""
    if fate is None or fate.status != "failed" or max_attempts is None:
        return False
    return fate.attempts >= max_attempts


def _check_same(out: str, items: Sequence[Item], before: dict[str, Fate]) -> None:
    now = {item.name: item.settings_hash for item in items}
    # What failed is done anew, and may have been mended.
    kept = {name: fate for name, fate in before.items() if fate.status != "failed"}
    changed = [name for name, fate in kept.items() if now.get(name) != fate.settings_hash]
    if changed:
        raise SettingsChangedError(
            f"{out}: {len(changed)} inputs have changed since, or are gone ({changed[0]}, ...): "
            "their files, their rows, or what was given beside them; choose another --out, or "
            "--overwrite to start anew"
        )


Groups = Sequence[Sequence[Item]]


def _run(
    out: str,
    groups: Groups,
    attempts: Mapping[str, int],
    run: Callable[[Groups], Iterator[dict[str, Any]]],
) -> None:
    todo = [item for group in groups for item in group]
    sizes = {item.name: item.size for item in todo}
    seen, bugs = set(), list[str]()
    for row in progress(_said_of(groups, run), sizes, what=out):
        if row["status"] == BUG:
            bugs.append(f"{row['input']}: {row['error']}")
        if len(bugs) == MOST_BUGS:
            break
        if row["status"] == MUST_STOP:
            raise StorageError(row["error"])
        seen.add(row["input"])
    if bugs:
        raise RuntimeError(f"{len(bugs)} inputs met bugs, please report them; {bugs[0]}")
    for item in todo:
        if item.name not in seen:
            _record_death(out, item, attempts[item.name])


def _said_of(
    groups: Groups, run: Callable[[Groups], Iterator[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """What became of the items; those whose worker died are not spoken of."""
    seen = set()
    for row in run(groups):
        seen.add(row["input"])
        yield row
    # One of them kills its worker: each has a task of its own now, and the others are done.
    alone = [[i] for group in groups if len(group) > 1 for i in group if i.name not in seen]
    if alone:
        logger.warning("%d inputs lost their worker; each has a task of its own now", len(alone))
        yield from run(alone)


def _on_ray(
    groups: Groups,
    *,
    attempts: Mapping[str, int],
    work: Callable[[dict[str, Any]], list[dict[str, Any]]],
    options: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # a dead worker costs its own group only
    # Arrow has no type for what an item may hold; JSON it reads and writes for sure.
    rows = [
        {"group": json.dumps([(vars(item), attempts[item.name]) for item in group])}
        for group in groups
    ]
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).flat_map(work, **options)
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # only now: its first use sets it
    yield from dataset.iter_rows()


def _record_death(out: str, item: Item, attempts: int) -> None:
    error = (
        f"{item.name}: its worker died again and again, out of memory or by a file that crashes "
        "its reader; give it more memory, or get the file again"
    )
    ledger.record(out, failed_fate(item, attempts, error))
