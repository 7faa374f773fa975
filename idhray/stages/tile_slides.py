"""Slides to tiles: manifest -> TILES, one part and one LEDGER row a slide.

quality/SLIDE.jpg: what was taken for tissue, and where the tiles lie, for a person's eye.
"""

import logging
from typing import Any

import pandas as pd

from idhray.cohort import manifest_hash, read_manifest, slide_name, with_split, write_manifest
from idhray.config import settings_dict, settings_from, settings_hash
from idhray.errors import ManifestError, SlideError
from idhray.images import encode
from idhray.ledger import check_failures, counts
from idhray.slides.tiling import PRESETS as PRESETS
from idhray.slides.tiling import TilingSettings, cut_tiles
from idhray.stages.folder import stage_folder
from idhray.stages.mapping import Item, Outcome, map_items
from idhray.stages.session import connect
from idhray.storage import absolute, join, local_file, publish
from idhray.tables import TILES

logger = logging.getLogger(__name__)

COHORT = "_cohort.parquet"


def tile_slides(
    manifest: str,
    out: str,
    settings: TilingSettings,
    *,
    seed: int = 0,
    workers: int | None = None,
    address: str | None = None,
    max_failures: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Cut the best tiles of every slide of a manifest.

    Args:
        manifest: CSV, TSV or Parquet with the columns patient and slide, and idh for labels.
        out: Folder of the TILES table.
        settings: Which tiles.
        seed: Of the split by patient, where the manifest does not give one.
        workers: Slides at a time; as many as there are CPUs when not given.
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
        items = [_item(row, settings, out) for row in cohort.to_dict("records")]
        found = map_items(items, tile_one, out=out, schema=TILES, workers=workers)
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
    """The tiles of one slide as TILES rows."""
    settings = settings_from(TilingSettings, values["settings"])
    with local_file(values["path"]) as path:
        found = cut_tiles(
            path,
            name=values["slide"],
            settings=settings,
            mpp=values["mpp"],
            objective_power=values["objective_power"],
        )
    if found.sheet is not None:
        sheet = encode(found.sheet, "jpeg")
        publish(join(values["out"], "quality", f"{values['slide']}.jpg"), sheet)
    if found.unreadable:
        # The best tiles may be among the lost ones: half a slide is not the slide.
        raise SlideError(
            f"{values['slide']}: {len(found.unreadable)} tiles are unreadable, the first at "
            f"{found.unreadable[0]} (level-0 px), {len(found.rows)} can be read; get the file anew"
        )
    if found.skipped_reason:
        return Outcome(status="skipped", note=f"{values['slide']}: {found.skipped_reason}")
    who = {name: values[name] for name in ("patient", "idh", "split")}
    return Outcome(rows=[{**who, **row} for row in found.rows])


def _item(row: dict[str, Any], settings: TilingSettings, out: str) -> Item:
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
    )


def _portable(cohort: pd.DataFrame) -> pd.DataFrame:
    return cohort.assign(slide=cohort["slide"].map(slide_name))
