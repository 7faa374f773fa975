"""Tiles of one slide, cut in a Ray worker; several shards are shared with other workers."""

import contextlib

import numpy as np

from idhray.errors import SlideError
from idhray.exchange.coordinates import read_coordinates
from idhray.images import encode
from idhray.input_digest import content_digest
from idhray.slide_cache.source import slide_files
from idhray.slides.reader import Slide
from idhray.slides.tiling import TilePlan, plan_tiles, tile_mpp, tile_shards
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.runtime.items import Outcome
from idhray.stages.slide_tiling.shards import cut_by_many_workers, cut_shard, opened_slide
from idhray.stages.slide_tiling.task import TileTask
from idhray.storage import is_remote, join, local_file, publish

NOMINAL = 0.1
"""Squares of other tools may be larger or smaller than tiles by this fraction."""


def tile_one(task: TileTask) -> Outcome:
    """Publish the tiles of one slide."""
    if task.missing_sidecars:
        kinds = " and ".join(task.missing_sidecars)
        return Outcome(status="skipped", note=f"{task.slide}: no file of {kinds} for it")
    # Without a cache, each worker would fetch the slide from the object store again.
    alone = task.run.cache is None and is_remote(task.path)
    with opened_slide(task) as slide:
        plan = _plan(slide, task)
        _publish_sheet(plan, task)
        if plan.hidden:
            raise SlideError(
                f"{task.slide}: {len(plan.hidden)} of {plan.grid} tiles cannot be seen on the "
                f"thumbnail, the first at {plan.hidden[0]} (level-0 px), since the file is damaged "
                "there; get it anew"
            )
        digest = content_digest(slide_files(slide.path))
        contradiction = slide.mpp_contradiction
        columns = {
            "mpp": slide.mpp,
            "mpp_source": slide.mpp_source,
            "mpp_contradiction": contradiction,
            "quickhash": slide.quickhash,
        }
        if plan.skipped_reason:
            note = _note(f"{task.slide}: {plan.skipped_reason}", contradiction)
            return Outcome(status="skipped", note=note, input_digest=digest, columns=columns)
        runs = tile_shards(plan.tiles, task.run.settings.tiles_per_shard)
        if alone or len(runs) == 1:
            cut = [
                cut_shard(slide, shard, tiles, task, plan.green_limit)
                for shard, tiles in enumerate(runs)
            ]
    if len(runs) > 1 and not alone:  # after the file is closed: others may need its room
        cut = cut_by_many_workers(task, runs, plan.green_limit)
    doubtful = sum(shard.doubtful for shard in cut)
    half = f"{doubtful} of {len(plan.tiles)} tiles have under half the tissue of their thumbnail"
    return Outcome(
        published=[shard.published for shard in cut],
        note=_note(half if doubtful else "", contradiction),
        input_digest=digest,
        columns=columns,
    )


def _note(*remarks: str) -> str:
    """Remarks of a ledger row as one text."""
    return "; ".join(filter(None, remarks))


def _plan(slide: Slide, task: TileTask) -> TilePlan:
    """The tiles, within the regions or at the coordinates of this slide if there are any."""
    settings = task.run.settings
    with contextlib.ExitStack() as stack:
        regions, coordinates = (
            path and stack.enter_context(local_file(path))
            for path in (task.regions, task.coordinates)
        )
        corners = _corners(coordinates, slide, settings) if coordinates else None
        return plan_tiles(slide, settings, regions=regions, corners=corners)


def _corners(path: str, slide: Slide, settings: TilingSettings) -> list[tuple[int, int]]:
    """Corners of tiles that lie in the middle of the squares of CLAM or TRIDENT.

    The scale of the squares is nominal (20x is 0.5 um), that of tiles is exact.
    """
    squares = read_coordinates(path)
    tile = slide.extent_l0((settings.tile_px, settings.tile_px), tile_mpp(slide, settings))
    if abs(squares.size_l0 - tile[0]) > NOMINAL * tile[0]:
        raise SlideError(
            f"{slide.name}: {path} has squares of {squares.size_l0:g} level-0 px, tiles of these "
            f"settings have {tile[0]:g}; give --tile-px and --magnification to match"
        )
    middles = squares.corners + squares.size_l0 / 2
    outside = np.asarray(((middles < 0) | (middles > slide.size_l0)).any(axis=1))
    if outside.any():
        raise SlideError(
            f"{slide.name}: {int(outside.sum())} of {len(outside)} places of {path} lie off the "
            "slide; the file belongs to another slide or level"
        )
    corners = np.rint(middles - np.asarray(tile) / 2).astype(int)
    return [(x, y) for x, y in corners.tolist()]


def _publish_sheet(plan: TilePlan, task: TileTask) -> None:
    """Publish the thumbnail that shows tissue and tiles."""
    if plan.sheet is not None:
        path = join(task.run.out, "quality", f"{task.slide}.jpg")
        publish(path, encode(plan.sheet, "jpeg"))
