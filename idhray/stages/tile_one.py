"""In a Ray worker: the tiles of one slide, on as many workers as it has shards."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import ray

from idhray.config import settings_from
from idhray.errors import FullError, IdhrayError, SlideError
from idhray.exchange.coordinates import read_coordinates
from idhray.images import encode
from idhray.ledger import reason
from idhray.slide_cache.cache import Cache
from idhray.slide_cache.slots import slot
from idhray.slides.direct import open_slide
from idhray.slides.reader import Slide
from idhray.slides.tile_rows import tile_rows
from idhray.slides.tiling import RankedTile, TilePlan, TilingSettings, plan_tiles, shards
from idhray.stages.runtime.mapping import RETRIES, Outcome
from idhray.stages.runtime.worker import TimeLimit, time_limit, unlimited
from idhray.storage import is_uri, join, local_file, publish
from idhray.tables import TILES, PublishedPart, part_path, publish_rows

ROWS_PER_GROUP = 8
"""Tiles of 1024 px in a row group: 6 MB that a worker holds, and a reader reads at once. Groups of
32 took some 5 % more CPU time, of the kernel, which hands out larger memory anew each time."""
DOUBTFUL = 0.5
NOMINAL = 0.1
"""Squares of other tools may be larger or smaller than tiles by this fraction."""


def tile_one(values: dict[str, Any]) -> Outcome:
    """Publish the tiles of one slide; one of several shards is shared with other workers."""
    settings = settings_from(TilingSettings, values["settings"])
    if values["missing"]:
        which = " and ".join(values["missing"])
        return Outcome(status="skipped", note=f"{values['slide']}: no file of {which} for it")
    # Without a cache each worker would fetch a slide of an object store for itself.
    alone = values["cache"] is None and is_uri(values["path"])
    with _local(values) as path, _place(values), _opened(path, values) as slide:
        plan = _plan(slide, settings, values)
        _publish_sheet(plan, values)
        if plan.hidden:
            raise SlideError(
                f"{values['slide']}: {len(plan.hidden)} of {plan.grid} tiles cannot be seen on "
                f"the thumbnail, the first at {plan.hidden[0]} (level-0 px), for the file is "
                "damaged there; get it anew"
            )
        if plan.skipped_reason:
            return Outcome(status="skipped", note=f"{values['slide']}: {plan.skipped_reason}")
        runs = shards(plan.tiles, settings.tiles_per_shard)
        if alone or len(runs) == 1:
            cut = [cut_shard(slide, k, run, values) for k, run in enumerate(runs)]
    if len(runs) > 1 and not alone:  # the file is let go of: its room may be needed elsewhere
        cut = _shared(values, runs)
    doubtful = sum(shard.doubtful for shard in cut)
    note = f"{doubtful} of {len(plan.tiles)} tiles have under half the tissue of their thumbnail"
    return Outcome(published=[shard.published for shard in cut], note=note if doubtful else "")


def _plan(slide: Slide, settings: TilingSettings, values: dict[str, Any]) -> TilePlan:
    """The tiles, within the regions or at the places that were given for this slide."""
    with contextlib.ExitStack() as stack:
        regions, places = (
            values[name] and stack.enter_context(local_file(values[name]))
            for name in ("regions", "coordinates")
        )
        corners = _corners(places, slide, settings) if places else None
        return plan_tiles(slide, settings, regions=regions, corners=corners)


def _corners(path: str, slide: Slide, settings: TilingSettings) -> list[tuple[int, int]]:
    """The places of a file of CLAM or TRIDENT; tiles lie in the middle of its squares.

    Their scale is nominal (20x is 0.5 um), that of tiles is exact.
    """
    found = read_coordinates(path)
    tile = slide.extent_l0((settings.tile_px, settings.tile_px), settings.mpp)
    if abs(found.size_l0 - tile[0]) > NOMINAL * tile[0]:
        raise SlideError(
            f"{slide.name}: {path} has squares of {found.size_l0:g} level-0 px, tiles of these "
            f"settings have {tile[0]:g}; give --tile-px and --magnification to match"
        )
    middles = found.corners + found.size_l0 / 2
    off = np.asarray(((middles < 0) | (middles > slide.size_l0)).any(axis=1))
    if off.any():
        raise SlideError(
            f"{slide.name}: {int(off.sum())} of {len(off)} places of {path} lie off the slide; it "
            "is of another slide or level"
        )
    corners = np.rint(middles - np.asarray(tile) / 2).astype(int)
    return [(x, y) for x, y in corners.tolist()]


def _publish_sheet(plan: TilePlan, values: dict[str, Any]) -> None:
    if plan.sheet is not None:
        path = join(values["out"], "quality", f"{values['slide']}.jpg")
        publish(path, encode(plan.sheet, "jpeg"))


class CutShard(NamedTuple):
    """A shard that is on disk."""

    published: PublishedPart
    doubtful: int
    """Tiles on whose own pixels there is less than `DOUBTFUL` of the tissue the mask shows."""


def cut_shard(
    slide: Slide, shard: int, tiles: Sequence[RankedTile], values: dict[str, Any]
) -> CutShard:
    """Read, encode and publish a shard of a slide's tiles."""
    settings = settings_from(TilingSettings, values["settings"])
    who = {name: values[name] for name in ("patient", "idh", "split")}
    doubtful = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal doubtful
        for row in tile_rows(slide, tiles, settings):
            doubtful += row["own_tissue_fraction"] < DOUBTFUL * row["tissue_fraction"]
            yield {**who, **row}

    path = part_path(values["out"], values["slide"], shard)
    published = publish_rows(path, rows(), TILES, rows_per_group=ROWS_PER_GROUP)
    return CutShard(published, doubtful)


def _shared(values: dict[str, Any], runs: Sequence[Sequence[RankedTile]]) -> list[CutShard]:
    """Cut the shards of one slide on as many workers as are free.

    Raises:
        SlideError: of the first shard that has one, or whose worker died.
    """
    # While this task waits, Ray gives its CPU to others, and its time does not run.
    remote = ray.remote(num_cpus=1, max_retries=RETRIES)(_cut_remotely)
    limit = time_limit()
    with unlimited():
        tasks = [remote.remote(shard, list(run), values, limit) for shard, run in enumerate(runs)]
        found: list[CutShard | str | Exception] = [_ended(task, values["slide"]) for task in tasks]
    for shard in found:  # all have ended: none publishes after this
        if isinstance(shard, Exception):
            raise shard
    errors = [shard for shard in found if isinstance(shard, str)]
    if errors:
        raise SlideError(errors[0])
    return [shard for shard in found if isinstance(shard, CutShard)]


def _ended(task: "ray.ObjectRef[Any]", slide: str) -> CutShard | str | Exception:
    """What a task gave, however it ended."""
    try:
        found: CutShard | str = ray.get(task)
        return found
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        return cause if isinstance(cause, Exception) else error  # a bug, or there is no space
    except ray.exceptions.RayError as error:
        return (
            f"{slide}: a worker that read it died again and again ({type(error).__name__}), out of "
            "memory or by a file that crashes it; give it more memory, or get the file again"
        )


def _cut_remotely(
    shard: int, tiles: Sequence[RankedTile], values: dict[str, Any], limit: TimeLimit
) -> CutShard | str:
    """A shard, or in one line why not; an exception would lose its type on the way."""
    try:
        if given_up := limit.recorded():  # by a shard that took too long; Ray begins it anew
            return given_up.error
        with (
            limit.running(),
            _local(values) as path,
            _place(values),
            _opened(path, values) as slide,
        ):
            return cut_shard(slide, shard, tiles, values)
    except FullError:
        raise
    except IdhrayError as error:
        return reason(error)


def _local(values: dict[str, Any]) -> AbstractContextManager[str]:
    """The slide as a file of this node, in its cache if there is one."""
    if values["cache"] is None:
        return local_file(values["path"])
    return settings_from(Cache, values["cache"]).file(values["path"], while_waiting=unlimited)


@contextlib.contextmanager
def _place(values: dict[str, Any]) -> Iterator[None]:
    """A CPU of this node: more tasks run than there are CPUs, the others fetch or are ready."""
    here = ray.get_runtime_context().get_node_id()
    (cpus,) = (n["Resources"].get("CPU", 1) for n in ray.nodes() if n["NodeID"] == here)
    count = max(1, min(int(cpus), values["workers"] or int(cpus)))
    with contextlib.ExitStack() as held:
        with unlimited():
            held.enter_context(slot(values["places"], count))
        yield


def _opened(path: str, values: dict[str, Any]) -> Slide:
    return open_slide(
        path,
        name=values["slide"],
        mpp=values["mpp"],
        objective_power=values["objective_power"],
        assume_mpp=values["settings"]["assume_mpp"],
        to_srgb=values["settings"]["to_srgb"],
        direct=values["settings"]["direct"],
    )
