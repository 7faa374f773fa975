"""Tiles of other tools: the images of each slide become its part of a TILES table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from idhray.config import settings_hash
from idhray.errors import TableError
from idhray.exchange.listing import Chunk, ListedImage
from idhray.exchange.masks import MaskError
from idhray.exchange.rows import safe_name
from idhray.exchange.sample import Reader, Sample, place_of, stored
from idhray.stages.runtime.items import Item, Outcome
from idhray.table_parts import part_path, publish_rows
from idhray.tables import TILES

ROWS_PER_GROUP = 8
MPP_SOURCE = "imported"
MOST_NAMED = 3  # broken images that a message names


@dataclass(frozen=True, kw_only=True)
class TileFile:
    """One tile in a source."""

    shard: str
    image: ListedImage
    rank: int
    """Its place among the tiles of its slide, from 1."""


@dataclass(frozen=True, kw_only=True)
class TileImportTask:
    """Task of a worker: import the tiles of one slide."""

    slide: str
    patient: str
    idh: str
    split: str
    files: tuple[TileFile, ...]
    format: str
    image_px: int
    out: str
    masks: bool


def tile_import_items(
    chunks: Sequence[Chunk], *, format_: str, image_px: int, out: str, masks: bool
) -> list[Item[TileImportTask]]:
    """One item for each slide, with its tiles by rank.

    Tiles have the ranks that their files name, as exports of tiles do, else those of their names in
    order. An image that names no slide belongs to a slide that is named after its patient.

    Raises:
        TableError: a shard cannot be read, or a slide has two patients.
    """
    tasks: dict[str, TileImportTask] = {}
    for chunk in chunks:
        if chunk.broken:
            raise TableError(f"{chunk.shard}: cannot be read; get it again, or take it away")
        for image in chunk.images:
            slide = str(image.slide or image.patient)
            idh, split = chunk.people[image.patient]
            task = tasks.setdefault(
                slide,
                TileImportTask(
                    slide=slide,
                    patient=image.patient,
                    idh=idh,
                    split=split,
                    files=(),
                    format=format_,
                    image_px=image_px,
                    out=out,
                    masks=masks,
                ),
            )
            if task.patient != image.patient:
                raise TableError(
                    f"{chunk.shard}: slide {slide} has tiles of {task.patient} and of "
                    f"{image.patient}; correct images.csv"
                )
            file = TileFile(shard=chunk.shard, image=image, rank=0)
            tasks[slide] = replace(task, files=(*task.files, file))
    return [_item(replace(task, files=_ranked(task))) for _, task in sorted(tasks.items())]


def _ranked(task: TileImportTask) -> tuple[TileFile, ...]:
    """The tiles with their ranks."""
    written = [file.image.rank for file in task.files]
    if None in written or len({*written}) < len(written):
        order = sorted(task.files, key=lambda file: file.image.name)
        return tuple(replace(file, rank=rank) for rank, file in enumerate(order, start=1))
    ranked = [replace(file, rank=int(file.image.rank or 0)) for file in task.files]
    return tuple(sorted(ranked, key=lambda file: file.rank))


def _item(task: TileImportTask) -> Item[TileImportTask]:
    """Item of one slide; the hash leaves out paths."""
    values = {
        "slide": task.slide,
        "image_px": task.image_px,
        "masks": task.masks,
        "files": [
            [file.image.name, file.image.metadata, file.image.span, file.image.mark, file.rank]
            for file in task.files
        ],
    }
    return Item(
        name=task.slide,
        settings_hash=settings_hash(values),
        people={task.patient: {"idh": task.idh, "split": task.split}},
        task=task,
        size=len(task.files),
    )


def import_slide(task: TileImportTask, reader: Reader) -> Outcome:
    """Publish the tiles of one slide, a few in memory at a time.

    Raises:
        TableError: tiles are broken; the message names the first of them.
    """
    masks: list[str] = []
    rows = _rows(task, reader, masks)
    published = publish_rows(
        part_path(task.out, task.slide), rows, TILES, rows_per_group=ROWS_PER_GROUP
    )
    note = f"{len(masks)} of {len(task.files)} images are masks" if masks else ""
    if not published.rows:
        return Outcome(status="skipped", note=note)
    return Outcome(published=[published], note=note)


def _rows(task: TileImportTask, reader: Reader, masks: list[str]) -> Iterator[dict[str, Any]]:
    """TILES rows of a slide; names of masks are added to `masks`."""
    broken: list[str] = []
    for shard in dict.fromkeys(file.shard for file in task.files):
        files = {file.image.name: file for file in task.files if file.shard == shard}
        spans = {name: file.image.span for name, file in files.items()}
        for sample in reader.images(shard, spans):
            file = files.pop(sample.name)
            try:
                yield _row(sample, file, task)
            except MaskError:
                masks.append(sample.name)
            except TableError as error:
                broken.append(f"{sample.name}: {error}")
        broken += [f"{name}: does not exist any more" for name in files]
    if broken:
        raise TableError(
            f"{task.slide}: {len(broken)} of {len(task.files)} tiles cannot be imported, get them "
            f"again or leave them out by --exclude: {'; '.join(broken[:MOST_NAMED])}"
        )


def _row(sample: Sample, file: TileFile, task: TileImportTask) -> dict[str, Any]:
    """TILES row of one image; the share of tissue is unknown."""
    if sample.broken:
        raise TableError(sample.broken)
    place = place_of({**file.image.metadata, **sample.metadata})
    data, ending = stored(sample.data, task.image_px, name=sample.name, masks=task.masks)
    name = f"{safe_name(task.slide)}_{file.rank}.{ending}"
    return {
        "patient": task.patient,
        "idh": task.idh,
        "split": task.split,
        **place,
        "slide": task.slide,
        "mpp_source": MPP_SOURCE if place["mpp"] is not None else None,
        "rank": file.rank,
        "image": {"bytes": data, "path": name},
    }
