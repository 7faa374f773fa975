"""Shards of one slide's tiles: cut by this worker, or by as many workers as are free."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import ray

from idhray.errors import IdhrayError, OutputError, SlideError
from idhray.ledger import reason
from idhray.slide_cache.slots import slot
from idhray.slides.direct import open_slide
from idhray.slides.reader import Slide
from idhray.slides.tile_rows import tile_rows
from idhray.slides.tiling import RankedTile
from idhray.stages.runtime.leased import leased
from idhray.stages.runtime.mapping import RETRIES
from idhray.stages.runtime.placement import placed
from idhray.stages.runtime.time_limit import TimeLimit, time_limit, unlimited
from idhray.stages.slide_tiling.task import TileTask
from idhray.storage import local_file
from idhray.table_parts import PublishedPart, part_path, publish_rows
from idhray.tables import TILES

ROWS_PER_GROUP = 8
"""Tiles of 1024 px in a row group: 6 MB that a worker holds and a reader reads at once. Groups of
32 took some 5 % more CPU time, in the kernel, which provides larger memory anew each time."""
DOUBTFUL = 0.5


class CutShard(NamedTuple):
    """A shard that is on disk."""

    published: PublishedPart
    doubtful: int
    """Tiles whose pixels show less than `DOUBTFUL` of the tissue that the mask shows."""


@contextlib.contextmanager
def opened_slide(task: TileTask) -> Iterator[Slide]:
    """The slide, on this node and open, while this process holds one of the node's CPU slots."""
    settings = task.run.settings
    with (
        _local_path(task) as path,
        _cpu_slot(task),
        open_slide(
            path,
            name=task.slide,
            mpp=task.mpp,
            objective_power=task.objective_power,
            assume_mpp=settings.assume_mpp,
            to_srgb=settings.to_srgb,
            direct=settings.direct,
            second_reader=settings.second_reader,
        ) as slide,
    ):
        yield slide


def _local_path(task: TileTask) -> AbstractContextManager[str]:
    """Path of the slide on this node, in the cache if there is one."""
    if task.run.cache is None:
        return local_file(task.path)
    return task.run.cache.file(task.path, while_waiting=unlimited)


@contextlib.contextmanager
def _cpu_slot(task: TileTask) -> Iterator[None]:
    """A CPU of this node. More tasks run than there are CPUs; the others fetch or wait."""
    node_id = ray.get_runtime_context().get_node_id()
    (cpus,) = (n["Resources"].get("CPU", 1) for n in ray.nodes() if n["NodeID"] == node_id)
    count = max(1, min(int(cpus), task.run.workers or int(cpus)))
    with contextlib.ExitStack() as stack:
        with unlimited():
            stack.enter_context(slot(task.run.slots, count))
        yield


def cut_shard(
    slide: Slide,
    shard: int,
    tiles: Sequence[RankedTile],
    task: TileTask,
    green_limit: int | None,
) -> CutShard:
    """Read, encode and publish one shard of a slide's tiles."""
    patient = {"patient": task.patient, "idh": task.idh, "split": task.split}
    doubtful = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal doubtful
        for row in tile_rows(slide, tiles, task.run.settings, green_limit):
            doubtful += row["own_tissue_fraction"] < DOUBTFUL * row["tissue_fraction"]
            yield {**patient, **row}

    path = part_path(task.run.out, task.slide, shard)
    published = publish_rows(path, rows(), TILES, rows_per_group=ROWS_PER_GROUP)
    return CutShard(published, doubtful)


def cut_by_many_workers(
    task: TileTask, runs: Sequence[Sequence[RankedTile]], green_limit: int | None
) -> list[CutShard]:
    """Cut the shards of one slide on as many workers as are free.

    Raises:
        SlideError: the error of the first shard that has one, or whose worker died.
    """
    # While this task waits, Ray lends its CPU to others, and its time limit does not run.
    remote = ray.remote(num_cpus=1, max_retries=RETRIES, **placed())(leased(_cut_remotely))
    limit = time_limit()
    with unlimited():
        tasks = [
            remote.remote(shard, list(run), task, green_limit, limit)
            for shard, run in enumerate(runs)
        ]
        results = [_result(remote_task, task.slide) for remote_task in tasks]
    for shard in results:  # all have ended, so none publishes after this
        if isinstance(shard, Exception):
            raise shard
    errors = [shard for shard in results if isinstance(shard, str)]
    if errors:
        raise SlideError(errors[0])
    return [shard for shard in results if isinstance(shard, CutShard)]


def _result(remote_task: "ray.ObjectRef[Any]", slide: str) -> CutShard | str | Exception:
    """The shard that a remote task cut, its error in one line, or an exception to raise."""
    try:
        shard: CutShard | str = ray.get(remote_task)
        return shard
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        return cause if isinstance(cause, Exception) else error  # a bug, or a full disk
    except ray.exceptions.RayError as error:
        return (
            f"{slide}: a worker that read it died again and again ({type(error).__name__}), out of "
            "memory or by a file that crashes it; give it more memory, or get the file again"
        )


def _cut_remotely(
    shard: int,
    tiles: Sequence[RankedTile],
    task: TileTask,
    green_limit: int | None,
    limit: TimeLimit,
) -> CutShard | str:
    """A shard, or its error in one line: an exception would lose its type on the way."""
    try:
        # Ray repeats a task whose worker ended, also if the time limit ended it.
        if given_up := limit.recorded():
            return given_up.error
        with limit.running(), opened_slide(task) as slide:
            return cut_shard(slide, shard, tiles, task, green_limit)
    except OutputError:
        raise
    except IdhrayError as error:
        return reason(error)
