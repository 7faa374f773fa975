"""Tasks of `tile_slides`: one slide each, with the files of other tools that belong to it."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pandas as pd

from idhray.cohorts.slide_names import row_slide_name, slide_name
from idhray.config import settings_hash
from idhray.entity_tags import entity_tags
from idhray.errors import StorageError
from idhray.slide_cache.cache import Cache
from idhray.slide_cache.source import file_to_open, slide_files, source_of
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.runtime.items import Item
from idhray.storage import absolute, list_files, read_bytes

STATS_AT_ONCE = 32
"""Files whose size is requested at the same time; an object store takes its time."""


@dataclass(frozen=True, kw_only=True)
class TileRun:
    """Values that the tasks of all slides share."""

    settings: TilingSettings
    out: str
    workers: int | None
    cache: Cache | None
    slots: str
    """Folder on each node with a lock file for each process that computes."""


@dataclass(frozen=True, kw_only=True)
class TileTask:
    """Task of a worker: tile one slide."""

    path: str
    slide: str
    patient: str
    idh: str
    split: str
    mpp: float | None
    """um per pixel of level 0, if the manifest overrides the file."""
    objective_power: float | None
    """Objective power, if the manifest overrides the file."""
    missing_sidecars: tuple[str, ...]
    """Kinds of files that other slides have and this slide lacks; it is skipped then."""
    regions: str | None
    """GeoJSON file of the regions."""
    coordinates: str | None
    """HDF5 file of the tiles' places."""
    run: TileRun


@dataclass(frozen=True, kw_only=True)
class Sidecars:
    """Files of other tools by slide; None if no folder was named."""

    regions: dict[str, str] | None
    coordinates: dict[str, str] | None


def sidecars_of(slides: set[str], *, regions: str | None, coordinates: str | None) -> Sidecars:
    """The files in two folders, by slide.

    Args:
        slides: Names of the slides of the manifest.
        regions: Folder of QuPath's GeoJSON files.
        coordinates: Folder of CLAM's or TRIDENT's HDF5 files.

    Raises:
        StorageError: a folder has no such file, or none for any of the slides.
    """
    return Sidecars(
        regions=_files_by_slide(regions, slides, ".geojson"),
        coordinates=_files_by_slide(coordinates, slides, ".h5", "_patches"),
    )


def _files_by_slide(
    folder: str | None, slides: set[str], ending: str, tail: str = ""
) -> dict[str, str] | None:
    """Slide -> file of a folder.

    A file is named after its slide, with or without the ending of the slide: QuPath keeps it.
    """
    if folder is None:
        return None
    paths = list_files(absolute(folder), suffix=ending)
    if not paths:
        raise StorageError(f"{folder}: no {ending} file there")
    files = {}
    for path in paths:
        name = path.rsplit("/", 1)[-1].removesuffix(ending).removesuffix(tail)
        files[name if name in slides else slide_name(name)] = path
    if not slides & set(files):
        raise StorageError(
            f"{folder}: none of its {len(paths)} files belongs to a slide of the manifest; name "
            f"them {min(slides)}{tail}{ending} and so on"
        )
    return files


@dataclass(frozen=True, kw_only=True)
class _SlideFileState:
    """A slide's files as the storage describes them."""

    size: int
    """Bytes of all files together."""
    tags: list[str]
    """Entity tags of the files on an object store."""


def tile_items(
    cohort: pd.DataFrame, sidecars: Sidecars, run: TileRun, settings: dict[str, Any]
) -> list[Item[TileTask]]:
    """One item for each slide of a cohort; the hash of an item is made of `settings`."""
    cohort = cohort.assign(slide=cohort["slide"].map(file_to_open))
    with ThreadPoolExecutor(STATS_AT_ONCE) as pool:
        states = list(pool.map(_file_state, cohort["slide"]))
    rows = zip(cohort.to_dict("records"), states, strict=True)
    return [_item(_task(row, sidecars, run), state, settings) for row, state in rows]


def _task(row: dict[Any, Any], sidecars: Sidecars, run: TileRun) -> TileTask:
    """Task of one row of the cohort."""
    slide = row_slide_name(row)
    files = {"regions": sidecars.regions, "coordinates": sidecars.coordinates}
    return TileTask(
        path=row["slide"],
        slide=slide,
        patient=row["patient"],
        idh=row["idh"],
        split=row["split"],
        mpp=_number(row["mpp"]),
        objective_power=_number(row["objective_power"]),
        missing_sidecars=tuple(
            kind for kind, by_slide in files.items() if by_slide and slide not in by_slide
        ),
        regions=sidecars.regions.get(slide) if sidecars.regions else None,
        coordinates=sidecars.coordinates.get(slide) if sidecars.coordinates else None,
        run=run,
    )


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else value


def _item(task: TileTask, state: _SlideFileState, settings: dict[str, Any]) -> Item[TileTask]:
    """Item of one slide. The hash leaves out paths: a moved archive is the same archive."""
    sidecar_files = {"regions": task.regions, "coordinates": task.coordinates}
    values = {
        "slide": task.slide,
        "bytes": state.size,
        "mpp": task.mpp,
        "objective_power": task.objective_power,
        "settings": settings,
        "missing": task.missing_sidecars,
        **{f"{kind}_digest": _digest(path) for kind, path in sidecar_files.items() if path},
    }
    person = {"idh": task.idh, "split": task.split}
    former = [values, {**values, "patient": task.patient, **person}]
    present = {**values, "entity_tags": state.tags} if state.tags else values
    return Item(
        name=task.slide,
        settings_hash=settings_hash(present),
        former_hashes=[settings_hash(each) for each in former],
        people={task.patient: person},
        task=task,
        size=state.size,
    )


def _digest(path: str) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()[:16]


def _file_state(path: str) -> _SlideFileState:
    try:
        return _SlideFileState(size=source_of(path).size, tags=entity_tags(slide_files(path)))
    except StorageError:
        return _SlideFileState(size=0, tags=[])  # the worker meets the same error and records it
