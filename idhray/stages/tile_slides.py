"""Slides to tiles: manifest -> TILES, one part (a large slide: several) and LEDGER row a slide.

quality/SLIDE.jpg: what was taken for tissue, and where the tiles lie, for a person's eye.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd
import ray

from idhray.cohort import manifest_hash, read_manifest, slide_name, with_split, write_manifest
from idhray.config import settings_dict, settings_from, settings_hash
from idhray.errors import IdhrayError, ManifestError, SlideError
from idhray.images import encode
from idhray.ledger import check_failures, counts, reason
from idhray.slides.direct import open_slide
from idhray.slides.reader import Slide
from idhray.slides.tile_rows import tile_rows
from idhray.slides.tiling import PRESETS as PRESETS
from idhray.slides.tiling import RankedTile, TilingSettings, plan_tiles, shards
from idhray.stages.folder import stage_folder
from idhray.stages.mapping import RETRIES, Item, Outcome, map_items
from idhray.stages.session import connect
from idhray.storage import absolute, file_sizes, join, local_file, publish
from idhray.tables import TILES, Published, part_path, publish_rows

logger = logging.getLogger(__name__)

COHORT = "_cohort.parquet"
ROWS_PER_GROUP = 32
"""Tiles of 1024 px in a row group: 25 MB that a worker holds, and a reader reads at once."""
DOUBTFUL = 0.5


def tile_slides(
    manifest: str,
    out: str,
    settings: TilingSettings,
    *,
    seed: int = 0,
    workers: int | None = None,
    address: str | None = None,
    limit_s: float | None = 3600.0,
    max_attempts: int = 3,
    max_failures: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Cut the best tiles of every slide of a manifest.

    Args:
        manifest: CSV, TSV or Parquet with the columns patient and slide, and idh for labels.
        out: Folder of the TILES table.
        settings: Which tiles.
        seed: Of the split by patient, where the manifest does not give one.
        workers: Slides at a time; as many as there are CPUs when not given. A slide of several
            shards takes other free CPUs, too.
        limit_s: Seconds that one slide may take; then it counts as failed.
        max_attempts: A slide that failed in this many runs is left alone.
        address: Of a running Ray cluster; Ray starts on this machine when not given.
        max_failures: Slides that may fail before the command does; the others are done anyway.
        overwrite: Start anew where the folder was made with other settings.
    """
    manifest, out = absolute(manifest), absolute(out)
    cohort = with_split(with_slides(read_manifest(manifest), manifest), seed)
    said = {
        "stage": "tile_slides",
        "manifest_hash": manifest_hash(_portable(cohort)),
        "seed": seed,
        **settings_dict(settings),
    }
    with stage_folder(out, said, overwrite=overwrite, owns=("quality",)):
        connect(address)
        write_manifest(join(out, COHORT), cohort)
        rows = cohort.to_dict("records")
        sizes = file_sizes([row["slide"] for row in rows])
        items = [_item(*row, settings, out) for row in zip(rows, sizes, strict=True)]
        found = map_items(
            items,
            tile_one,
            out=out,
            schema=TILES,
            workers=workers,
            limit_s=limit_s,
            max_attempts=max_attempts,
        )
        check_failures(out, found, max_failures)
    return {"out": out, **counts(found)}


def with_slides(cohort: pd.DataFrame, manifest: str) -> pd.DataFrame:
    """The rows with a slide: a patient without any must not take a place in the split.

    Raises:
        ManifestError: there are none.
    """
    slides = cohort[cohort["slide"] != ""].reset_index(drop=True)
    if slides.empty:
        raise ManifestError(f"{manifest}: no row names a slide")
    if left_out := cohort["patient"].nunique() - slides["patient"].nunique():
        logger.warning("%s: %d patients have no slide and are left out", manifest, left_out)
    return slides


def tile_one(values: dict[str, Any]) -> Outcome:
    """Publish the tiles of one slide; one of several shards is shared with other workers."""
    settings = settings_from(TilingSettings, values["settings"])
    with local_file(values["path"]) as path, _opened(path, values) as slide:
        plan = plan_tiles(slide, settings)
        if plan.sheet is not None:
            sheet = encode(plan.sheet, "jpeg")
            publish(join(values["out"], "quality", f"{values['slide']}.jpg"), sheet)
        if plan.hidden:
            raise SlideError(
                f"{values['slide']}: {len(plan.hidden)} of {plan.grid} tiles cannot be seen on the "
                f"thumbnail, the first at {plan.hidden[0]} (level-0 px), for the file is damaged "
                "there; get it anew"
            )
        if plan.skipped_reason:
            return Outcome(status="skipped", note=f"{values['slide']}: {plan.skipped_reason}")
        runs = shards(plan.tiles, settings.tiles_per_shard)
        if len(runs) == 1:
            cut = [cut_shard(slide, 0, runs[0], values)]
    if len(runs) > 1:
        cut = _shared(values, runs)
    doubtful = sum(shard.doubtful for shard in cut)
    note = f"{doubtful} of {len(plan.tiles)} tiles have under half the tissue of their thumbnail"
    return Outcome(published=[shard.published for shard in cut], note=note if doubtful else "")


class CutShard(NamedTuple):
    """A shard that is on disk."""

    published: Published
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
    # While this task waits, Ray gives its CPU to others.
    remote = ray.remote(num_cpus=1, max_retries=RETRIES)(_cut_remotely)
    tasks = [remote.remote(shard, list(run), values) for shard, run in enumerate(runs)]
    try:
        found: list[CutShard | str] = ray.get(tasks)
    except ray.exceptions.WorkerCrashedError:
        raise SlideError(f"{values['slide']}: a worker that read it died") from None
    errors = [shard for shard in found if isinstance(shard, str)]
    if errors:
        raise SlideError(errors[0])
    return [shard for shard in found if isinstance(shard, CutShard)]


def _cut_remotely(
    shard: int, tiles: Sequence[RankedTile], values: dict[str, Any]
) -> CutShard | str:
    """A shard, or in one line why not; an exception would lose its type on the way."""
    try:
        with local_file(values["path"]) as path, _opened(path, values) as slide:
            return cut_shard(slide, shard, tiles, values)
    except IdhrayError as error:
        return reason(error)


def _opened(path: str, values: dict[str, Any]) -> Slide:
    return open_slide(
        path,
        name=values["slide"],
        mpp=values["mpp"],
        objective_power=values["objective_power"],
        direct=values["settings"]["direct"],
    )


def _item(row: dict[str, Any], size: int, settings: TilingSettings, out: str) -> Item:
    values = {
        "slide": slide_name(row["slide"]),
        "mpp": None if pd.isna(row["mpp"]) else row["mpp"],
        "objective_power": None if pd.isna(row["objective_power"]) else row["objective_power"],
        **{name: row[name] for name in ("patient", "idh", "split")},
        "settings": settings_dict(settings),
    }
    # The path is left out: an archive that was moved is the same archive.
    return Item(
        name=values["slide"],
        settings_hash=settings_hash(values),
        values={**values, "path": row["slide"], "out": out},
        size=size,
    )


def _portable(cohort: pd.DataFrame) -> pd.DataFrame:
    return cohort.assign(slide=cohort["slide"].map(slide_name))
