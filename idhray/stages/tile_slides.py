"""Slides to tiles: manifest -> TILES, one part (a large slide: several) and LEDGER row a slide.

quality/SLIDE.jpg: what was taken for tissue, and where the tiles lie, for a person's eye.
"""

import hashlib
import logging
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
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


def tile_slides(
    manifest: str,
    out: str,
    settings: TilingSettings,
    *,
    seed: int = 0,
    workers: int | None = None,
    address: str | None = None,
    regions: str | None = None,
    coordinates: str | None = None,
    cache: str | None = None,
    cache_gb: float = 100.0,
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
        regions: Folder of QuPath's GeoJSON, SLIDE.geojson each: only tissue in these regions
            counts, and a slide without a file is skipped.
        coordinates: Folder of HDF5 files of CLAM (SLIDE.h5) or TRIDENT (SLIDE_patches.h5): all
            tiles there are cut, in the middle of the squares, and none elsewhere, whatever --select
            and --min-tissue-fraction say; a slide without a file is skipped.
        cache: Folder on a local disk of each node, to which slides (of an object store or a slow
            disk) are copied before they are read, the next ones while others are tiled.
        cache_gb: The most that the copies of a node may take; those not in use make room.
        limit_s: Seconds that one slide may take to fetch, and as many to tile; then it counts as
            failed.
        max_attempts: A slide that failed in this many runs is left alone.
        address: Of a running Ray cluster; Ray starts on this machine when not given.
        max_failures: Slides that may fail before the command does; the others are done anyway.
        overwrite: Start anew where the folder was made with other settings.
    """
    check_numbers(workers, limit_s, max_attempts)
    if not cache_gb > 0:
        raise ConfigError(f"--cache-gb must be above 0, got {cache_gb:g}")
    manifest, out = absolute(manifest), absolute(out)
    kept = Cache(absolute(cache), int(cache_gb * 1e9)) if cache else None
    cohort = with_split(with_slides(read_manifest(manifest), manifest), seed)
    names = set(cohort["slide"].map(slide_name))
    beside = {
        "regions": _files(regions, names, ".geojson"),
        "coordinates": _files(coordinates, names, ".h5", "_patches"),
    }
    if regions is None and (settings.region_classes or settings.region_exclude):
        raise ConfigError("--region-classes and --region-exclude need --regions")
    said = {
        "stage": "tile_slides",
        "manifest_hash": manifest_hash(_portable(cohort)),
        "seed": seed,
        **settings_dict(settings),
    }
    with stage_folder(out, said, overwrite=overwrite, owns=("quality",)):
        connect(address)
        write_manifest(join(out, COHORT), cohort)
        how = {
            "out": out,
            "workers": workers,
            "cache": kept and settings_dict(kept),
            "places": join(PLACES, hashlib.sha256(out.encode()).hexdigest()[:16]),
        }
        with ThreadPoolExecutor(STATS_AT_ONCE) as pool:
            sizes = list(pool.map(_size, cohort["slide"]))
        rows = zip(cohort.to_dict("records"), sizes, strict=True)
        plain = settings_dict(settings)  # one, that all items share
        items = [_item(row, size, plain, how, beside) for row, size in rows]
        fetched = kept is not None or any(is_uri(path) for path in cohort["slide"])
        tasks = TASKS_PER_CPU if fetched else 1
        found = map_items(
            items,
            tile_one,
            out=out,
            schema=TILES,
            workers=workers and workers * tasks,
            cpus=1 / tasks,
            task_size=TASK_BYTES,
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
