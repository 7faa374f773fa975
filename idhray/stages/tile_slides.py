"""Slides to tiles: manifest -> TILES, one part (a large slide: several) and LEDGER row a slide.

quality/SLIDE.jpg: what was taken for tissue, and where the tiles lie, for a person's eye.
"""

import hashlib
import logging
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import (
    manifest_hash,
    read_manifest,
    slide_name,
    with_split,
    write_manifest,
)
from idhray.config import settings_dict, settings_hash
from idhray.errors import ConfigError, ManifestError, StorageError
from idhray.ledger import check_failures, counts
from idhray.slide_cache.cache import Cache
from idhray.slide_cache.source import source_of
from idhray.slides.tiling import PRESETS as PRESETS
from idhray.slides.tiling import TilingSettings
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.mapping import Item, check_numbers, map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect
from idhray.stages.tile_one import tile_one
from idhray.storage import absolute, is_uri, join, list_files, read_bytes
from idhray.tables import TILES

logger = logging.getLogger(__name__)

STATS_AT_ONCE = 32  # files whose size is asked for; an object store takes its time
TASKS_PER_CPU = 2
"""Where slides are fetched: one fetches while the other works."""
TASK_BYTES = 10**9
"""Of slides in one task, if they are several: some ten seconds of work."""
PLACES = os.path.join(tempfile.gettempdir(), f"idhray-places-{os.getuid()}")
"""On each node, a folder a run: who holds one of its files works."""
COHORT = "_cohort.parquet"


@dataclass(frozen=True, kw_only=True)
class TileSlidesFlags(ItemFlags):
    """Flags of `idhray tile-slides`."""

    manifest: str
    """CSV, TSV or Parquet with the columns patient and slide, and idh for labels."""
    out: str
    """Folder of the TILES table."""
    settings: TilingSettings
    """Which tiles."""
    seed: int = 0
    """Of the split by patient, where the manifest does not give one."""
    regions: str | None = None
    """Folder of QuPath's GeoJSON, SLIDE.geojson each: only tissue in these regions counts, and a
    slide without a file is skipped."""
    coordinates: str | None = None
    """Folder of HDF5 files of CLAM (SLIDE.h5) or TRIDENT (SLIDE_patches.h5): all tiles there are
    cut, in the middle of the squares, and none elsewhere, whatever --select and
    --min-tissue-fraction say; a slide without a file is skipped."""
    cache: str | None = None
    """Folder on a local disk of each node, to which slides (of an object store or a slow disk) are
    copied before they are read, the next ones while others are tiled."""
    cache_gb: float = 100.0
    """The most that the copies of a node may take; those not in use make room."""
    limit_s: float | None = 3600.0
    """Seconds that one slide may take to fetch, and as many to tile; then it counts as failed."""
    max_attempts: int = 3
    """A slide that failed in this many runs is left alone."""


def tile_slides(flags: TileSlidesFlags) -> dict[str, Any]:
    """Cut the best tiles of every slide of a manifest."""
    check_numbers(flags.workers, flags.limit_s, flags.max_attempts)
    if not flags.cache_gb > 0:
        raise ConfigError(f"--cache-gb must be above 0, got {flags.cache_gb:g}")
    manifest, out = absolute(flags.manifest), absolute(flags.out)
    kept = Cache(absolute(flags.cache), int(flags.cache_gb * 1e9)) if flags.cache else None
    cohort = with_split(with_slides(read_manifest(manifest), manifest), flags.seed)
    names = set(cohort["slide"].map(slide_name))
    beside = {
        "regions": _files(flags.regions, names, ".geojson"),
        "coordinates": _files(flags.coordinates, names, ".h5", "_patches"),
    }
    if flags.regions is None and (flags.settings.region_classes or flags.settings.region_exclude):
        raise ConfigError("--region-classes and --region-exclude need --regions")
    said = {
        "stage": "tile_slides",
        "manifest_hash": manifest_hash(_portable(cohort)),
        "seed": flags.seed,
        **settings_dict(flags.settings),
    }
    with stage_folder(out, said, overwrite=flags.overwrite, owns=("quality",)):
        connect(flags.address)
        write_manifest(join(out, COHORT), cohort)
        how = {
            "out": out,
            "workers": flags.workers,
            "cache": kept and settings_dict(kept),
            "places": join(PLACES, hashlib.sha256(out.encode()).hexdigest()[:16]),
        }
        with ThreadPoolExecutor(STATS_AT_ONCE) as pool:
            sizes = list(pool.map(_size, cohort["slide"]))
        rows = zip(cohort.to_dict("records"), sizes, strict=True)
        plain = settings_dict(flags.settings)  # one, that all items share
        items = [_item(row, size, plain, how, beside) for row, size in rows]
        fetched = kept is not None or any(is_uri(path) for path in cohort["slide"])
        tasks = TASKS_PER_CPU if fetched else 1
        found = map_items(
            items,
            tile_one,
            out=out,
            schema=TILES,
            workers=flags.workers and flags.workers * tasks,
            cpus=1 / tasks,
            task_size=TASK_BYTES,
            limit_s=flags.limit_s,
            max_attempts=flags.max_attempts,
        )
        check_failures(out, found, flags.max_failures)
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


def _files(
    folder: str | None, slides: set[str], ending: str, tail: str = ""
) -> dict[str, str] | None:
    """Slide -> file of a folder; None where no folder was given.

    A file is called after its slide, with or without the slide's own ending: QuPath keeps it.

    Raises:
        StorageError: the folder has no such file, or none for any of the slides.
    """
    if folder is None:
        return None
    found = list_files(absolute(folder), suffix=ending)
    if not found:
        raise StorageError(f"{folder}: no {ending} file there")
    files = {}
    for path in found:
        name = path.rsplit("/", 1)[-1].removesuffix(ending).removesuffix(tail)
        files[name if name in slides else slide_name(name)] = path
    if not slides & set(files):
        raise StorageError(
            f"{folder}: none of its {len(found)} files is of a slide of the manifest; they must be "
            f"called {min(slides)}{tail}{ending} and so on"
        )
    return files


def _item(
    row: dict[str, Any],
    size: int,
    settings: dict[str, Any],
    how: dict[str, Any],
    beside: dict[str, dict[str, str] | None],
) -> Item:
    slide = slide_name(row["slide"])
    files = {name: found and found.get(slide) for name, found in beside.items()}
    missing = [name for name, found in beside.items() if found and slide not in found]
    values = {
        "slide": slide,
        "bytes": size,
        "mpp": None if pd.isna(row["mpp"]) else row["mpp"],
        "objective_power": None if pd.isna(row["objective_power"]) else row["objective_power"],
        **{name: row[name] for name in ("patient", "idh", "split")},
        "settings": settings,
        "missing": missing,
        **{f"{name}_digest": _digest(path) for name, path in files.items() if path},
    }
    # Neither the path nor how it is read: an archive that was moved is the same archive.
    return Item(
        name=values["slide"],
        settings_hash=settings_hash(values),
        values={**values, "path": row["slide"], **files, **how},
        size=size,
    )


def _digest(path: str) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()[:16]


def _size(path: str) -> int:
    try:
        return source_of(path).size
    except StorageError:
        return 0  # the LEDGER will say it


def _portable(cohort: pd.DataFrame) -> pd.DataFrame:
    return cohort.assign(slide=cohort["slide"].map(slide_name))
