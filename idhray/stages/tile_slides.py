"""Slides to tiles: manifest -> TILES, one part (a large slide: several) and ledger row a slide.

quality/SLIDE.jpg shows the tissue that was found and the tiles, for a person's eye.
"""

import functools
import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import read_manifest, write_manifest
from idhray.cohorts.modality import (
    COHORT,
    earlier_cohort,
    tell_missing_files,
    with_earlier_split,
    with_slides,
    with_split_if_enough,
)
from idhray.cohorts.slide_names import slide_names
from idhray.config import Identity, identity_of, recorded_values
from idhray.errors import ConfigError, LeakageError
from idhray.input_digest import content_digest
from idhray.leakage import refuse_shared_images
from idhray.ledger import Fate, check_failures, tally
from idhray.slide_cache.cache import CACHE_FILE, Cache
from idhray.slide_cache.source import slide_files
from idhray.slides.tiling_settings import PRESETS as PRESETS
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.runtime.dry_run import dry_run_result
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.items import Item
from idhray.stages.runtime.mapping import check_numbers, map_items
from idhray.stages.runtime.options import FileTableFlags
from idhray.stages.runtime.resuming import FOLLOW, remove_unlisted_files
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.share import parse_share, shared_stage_folder
from idhray.stages.runtime.state import ItemsOf, StageState, folder_state
from idhray.stages.runtime.verification import forget_changed_inputs
from idhray.stages.runtime.versions import stage_version
from idhray.stages.slide_tiling.one_slide import tile_one
from idhray.stages.slide_tiling.task import TileRun, sidecars_of, tile_items
from idhray.storage import absolute, is_remote, join, publish_json
from idhray.tables import TILES

logger = logging.getLogger(__name__)

FETCHING_TASKS_PER_CPU = 2
"""Two tasks share a CPU while slides are fetched: one downloads, the other computes."""
TASK_BYTES = 10**9
"""Bytes of the slides of one Ray task, if there are several: some ten seconds of work."""
MOST_LISTED = 10
"""Slides that a log line names at most."""
SLOTS = os.path.join(tempfile.gettempdir(), f"idhray-places-{os.getuid()}")
"""On each node, a folder for each run: a process that holds one of its lock files computes."""


@dataclass(frozen=True, kw_only=True)
class TileSlidesFlags(FileTableFlags):
    """Flags of `idhray tile-slides`."""

    manifest: str
    """CSV, TSV or Parquet with the columns patient and slide, and idh for labels."""
    out: str
    """Folder of the TILES table."""
    settings: TilingSettings
    """Size, number and choice of the tiles."""
    seed: int = 0
    """Seed of the patient split, used only if the manifest has no `split`."""
    regions: str | None = None
    """Folder of QuPath's GeoJSON files, SLIDE.geojson each. Only tissue in these regions counts. A
    slide without a file is skipped."""
    coordinates: str | None = None
    """Folder of HDF5 files of CLAM (SLIDE.h5) or TRIDENT (SLIDE_patches.h5). One tile is cut in the
    middle of each of their squares and none elsewhere; --select and --min-tissue-fraction are
    ignored. A slide without a file is skipped."""
    cache: str | None = None
    """Folder on a local disk of each node. Slides on an object store or a slow disk are copied to
    it before they are read, the next slides while others are tiled."""
    cache_gb: float = 100.0
    """Most space that the copies of a node may take. Copies that are not in use make room."""
    limit_s: float | None = 3600.0
    """Seconds that one slide may take to fetch, and again to tile. A slide that takes longer
    fails."""
    max_attempts: int = 3
    """A slide that failed in this many runs is not tried again."""


def tile_slides(flags: TileSlidesFlags) -> dict[str, Any]:
    """Cut the best tiles of every slide of a manifest."""
    out, plan = absolute(flags.out), _plan(flags)
    if flags.dry_run:
        state = folder_state(out, plan.identity, items_of=plan.items)
        slides = f"{len(plan.cohort)} slides"
        reads, writes = [f"{slides} of {flags.manifest}"], f"TILES of {slides}"
        return dry_run_result(out, state, reads=reads, writes=writes, overwrite=flags.overwrite)
    owns = ("quality",)
    if flags.address is None:  # the disks of a cluster need not be those of this machine
        tell_missing_files(plan.cohort, ("slide",), flags.manifest)
    share = parse_share(flags.part, overwrite=flags.overwrite)
    folder = (
        shared_stage_folder(out, plan.identity, share)
        if share
        else stage_folder(out, plan.identity, overwrite=flags.overwrite, owns=owns)
    )
    with folder as recorded:
        connect(flags.address, flags)
        if flags.cache:
            publish_json(join(out, CACHE_FILE), {"folder": absolute(flags.cache)})
        fetched = flags.cache is not None or any(is_remote(path) for path in plan.cohort["slide"])
        tasks_per_cpu = FETCHING_TASKS_PER_CPU if fetched else 1
        items = plan.items(recorded)
        items = share.of(items) if share else items
        verified = {}
        if flags.verify_inputs:
            digest_of = {i.name: functools.partial(_digest, i.task.path) for i in items}
            verified = forget_changed_inputs(out, items, digest_of).counts()
        fates = map_items(
            items,
            tile_one,
            out=out,
            schema=TILES,
            workers=flags.workers and flags.workers * tasks_per_cpu,
            cpus=1 / tasks_per_cpu,
            task_size=TASK_BYTES,
            limit_s=flags.limit_s,
            max_attempts=flags.max_attempts,
            shared=share is not None,
            on_change=FOLLOW[flags.update],
            version=stage_version("tile_slides"),
        )
        if share:
            check_failures(out, fates, flags.max_failures)
            return {"out": out, "part": flags.part, **tally(fates), **verified}
        remove_unlisted_files(join(out, "quality"), fates)
        write_manifest(join(out, COHORT), plan.cohort)
        check_failures(out, fates, flags.max_failures)
        refuse_shared_slides(out, plan.cohort, fates)
    contradictions = _contradictions(fates)
    return {"out": out, **tally(fates), "mpp_contradictions": len(contradictions), **verified}


def _contradictions(fates: Mapping[str, Fate]) -> dict[str, str]:
    """Slide -> stated resolutions that contradict each other, which are also logged."""
    texts = {n: f.mpp_contradiction for n, f in sorted(fates.items()) if f.mpp_contradiction}
    if texts:
        logger.warning(
            "the resolution of %d of %d slides is contradicted, see mpp_contradiction in the "
            "ledger: %s",
            len(texts),
            len(fates),
            "; ".join(f"{name}: {text}" for name, text in list(texts.items())[:MOST_LISTED])
            + ("; ..." if len(texts) > MOST_LISTED else ""),
        )
    return texts


def _digest(path: str) -> str:
    return content_digest(slide_files(path))


def refuse_shared_slides(out: str, cohort: pd.DataFrame, fates: Mapping[str, Fate]) -> None:
    """Refuse one slide file, or one image, under two patients.

    Args:
        out: Folder of the TILES table.
        cohort: Rows of the manifest.
        fates: Ledger of the slides.

    Raises:
        LeakageError: naming both patients and both slides.
    """
    patients = dict(zip(slide_names(cohort), cohort["patient"], strict=True))
    by_digest: dict[str, str] = {}
    for name, fate in sorted(fates.items()):
        for digest in filter(None, (fate.input_digest, fate.quickhash)):
            other = by_digest.setdefault(digest, name)
            if patients.get(name) != patients.get(other) and {name, other} <= set(patients):
                raise LeakageError(
                    f"{out}: slides {other} of patient {patients[other]} and {name} of patient "
                    f"{patients[name]} are one slide; find out whose it is, and remove the other "
                    "row of the manifest"
                )
    refuse_shared_images(out)


def tiles_state(flags: TileSlidesFlags) -> StageState:
    """State of the TILES table; no slide is read."""
    plan = _plan(flags)
    return folder_state(absolute(flags.out), plan.identity, items_of=plan.items)


@dataclass(frozen=True, kw_only=True)
class _TilesPlan:
    """Work of a run, before anything is done."""

    cohort: pd.DataFrame
    """Rows of the manifest, with their split."""
    identity: Identity
    items: ItemsOf


def _plan(flags: TileSlidesFlags) -> _TilesPlan:
    """Cohort, identity and items of a run; everything is checked before Ray starts."""
    _check(flags)
    manifest, out = absolute(flags.manifest), absolute(flags.out)
    slide_cache = Cache(absolute(flags.cache), int(flags.cache_gb * 1e9)) if flags.cache else None
    cohort = with_slides(read_manifest(manifest), manifest)
    earlier = None if flags.overwrite else earlier_cohort(out)
    cohort = with_split_if_enough(with_earlier_split(cohort, earlier), flags.seed, manifest)
    slides = set(slide_names(cohort))
    sidecars = sidecars_of(slides, regions=flags.regions, coordinates=flags.coordinates)
    run = TileRun(
        settings=flags.settings,
        out=out,
        workers=flags.workers,
        cache=slide_cache,
        slots=join(SLOTS, hashlib.sha256(out.encode()).hexdigest()[:16]),
    )

    def items(recorded: dict[str, Any]) -> Sequence[Item[Any]]:
        return tile_items(cohort, sidecars, run, recorded_values(flags.settings, recorded))

    identity = identity_of(
        inputs={"stage": "tile_slides"},
        flags=flags,
        names=("seed",),
        settings=flags.settings,
        dropped=("manifest_hash",),
    )
    return _TilesPlan(cohort=cohort, identity=identity, items=items)


def _check(flags: TileSlidesFlags) -> None:
    """Refuse flags that are out of range or contradict each other.

    Raises:
        ConfigError: naming the flag.
    """
    check_numbers(flags.workers, flags.limit_s, flags.max_attempts)
    if not flags.cache_gb > 0:
        raise ConfigError(f"--cache-gb must be above 0, got {flags.cache_gb:g}")
    if flags.regions is None and (flags.settings.region_classes or flags.settings.region_exclude):
        raise ConfigError("--region-classes and --region-exclude need --regions")
