"""Images of other tools -> PATCHES or TILES; patient, label and split come from the manifest."""

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from idhray import ledger
from idhray.cohorts.manifest import write_manifest
from idhray.cohorts.modality import COHORT, earlier_cohort
from idhray.config import Identity, settings_hash
from idhray.errors import ConfigError, StorageError, TableError
from idhray.exchange import folder, stylegan, tfrecord, webdataset
from idhray.exchange.listing import (
    ORIGIN,
    Chunk,
    ListedImage,
    chunks_of,
    cohort_with_split,
    first_side,
)
from idhray.exchange.masks import MaskError
from idhray.exchange.patients import checked_pattern
from idhray.exchange.rows import safe_name, size_of
from idhray.exchange.sample import Reader, Sample, place_of, stored
from idhray.exchange.selection import NameSelection
from idhray.ledger import Fate, check_failures, fates, tally
from idhray.stages.runtime.dry_run import with_dry_run
from idhray.stages.runtime.folder import stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.versions import stage_version
from idhray.stages.slide_tiling.imported import (
    TileImportTask,
    import_slide,
    tile_import_items,
)
from idhray.storage import absolute, is_remote, join
from idhray.tables import PATCHES, TILES

logger = logging.getLogger(__name__)

OTHER_SIZE = re.compile(r": is (\d+ x \d+) px, not ")

ImportFormat = Literal["folder", "tfrecord", "webdataset", "stylegan"]
READERS: dict[ImportFormat, Reader] = {
    "folder": folder.READER,
    "tfrecord": tfrecord.READER,
    "webdataset": webdataset.READER,
    "stylegan": stylegan.READER,
}


@dataclass(frozen=True, kw_only=True)
class ImportImagesFlags(ItemFlags):
    """Flags of `idhray import-images`."""

    source: str
    """Folder of images, one shard, or a folder of shards. A folder in it that is named train, val
    or test gives the split of its images, as images.csv does."""
    manifest: str
    """CSV, TSV or Parquet with the column patient, and idh, split and slide."""
    out: str
    """Folder of the table."""
    table: Literal["patches", "tiles"] = "patches"
    """Kind of the table that is made. tiles: large images, such as 1024 px at 10x, from which
    `cut-patches` cuts patches; images that name no slide count as one slide of their patient."""
    format: ImportFormat
    """folder: PNG, JPEG, TIFF, BMP or WebP files. tfrecord: files of slideflow. webdataset: tar
    files. stylegan: zips of images."""
    patient_pattern: str | None = None
    """Regular expression for the path of an image in the source. Its first group is the patient or
    the slide. It replaces the rule above."""
    include: tuple[str, ...] = ()
    """Patterns of names, such as "*.png" or "train/*": only images that match one are imported. A
    pattern without / is compared with the name of the file, others with the whole path."""
    exclude: tuple[str, ...] = ()
    """Patterns of names, such as "*_mask.tif": images that match one are left out."""
    masks: Literal["skip", "import"] = "skip"
    """skip: masks among the images (areas of single values, such as nuclei in white on black) are
    not imported; the ledger names them."""
    image_px: int | None = None
    """Side in pixels that every image must have. Default: the side of the first image."""
    resize: bool = False
    """Resize square images of another side to --image-px."""
    seed: int = 0
    """Seed of the patient split, used only if the manifest has no `split`."""


@dataclass(frozen=True, kw_only=True)
class ImportTask:
    """Task of a worker: import some images of one shard."""

    chunk: Chunk
    format: ImportFormat
    image_px: int
    out: str
    resize: bool = False
    masks: Literal["skip", "import"] = "import"
    separate: tuple[str, ...] = ()
    """Images of the chunk that have an item of their own."""
    alone: bool = False
    """True for an image with an item of its own, since an earlier run found it broken."""


@with_dry_run(reads=("source", "manifest"), writes="PATCHES or TILES")
def import_images(flags: ImportImagesFlags) -> dict[str, Any]:
    """Take images of another tool into a PATCHES or TILES table; JPEG and PNG keep their bytes.

    An image belongs to the patient or slide that its file names (images.csv, JSON, TFRecord).
    Otherwise it belongs to the patient or slide of the manifest that its file name, or the name of
    a folder, begins with. A name that continues with `-` or a blank and a letter or digit is
    another name (P1-3 is not P1), except for patients of TCGA and CPTAC.

    If the manifest has no split, one is drawn. If the manifest names slides, it is the split that
    tile_slides draws from the same manifest and seed, without patients who have no slide. A
    manifest that holds the split is safer: the `_cohort.parquet` of the tiles that the patients
    were first used in.
    """
    if is_remote(flags.source):
        raise ConfigError(f"--source {flags.source}: copy it to a disk that every worker sees")
    source, manifest, out = absolute(flags.source), absolute(flags.manifest), absolute(flags.out)
    if not os.path.exists(source):
        raise StorageError(f"{source}: no such file or folder")
    earlier = None if flags.overwrite else earlier_cohort(out)
    cohort = cohort_with_split(manifest, flags.seed, earlier)
    reader = READERS[flags.format]
    pattern = checked_pattern(flags.patient_pattern)
    selection = NameSelection(include=flags.include, exclude=flags.exclude)
    chunks = chunks_of(source, reader, cohort, manifest, pattern, selection=selection)
    if flags.table == "tiles" and flags.resize:
        raise ConfigError("--resize would change the scale of tiles; leave it out")
    image_px = flags.image_px or first_side(chunks, reader)
    values = {
        "stage": "import_images",
        "format": flags.format,
        "image_px": image_px,
        **({"resize": True} if flags.resize else {}),
        **({"masks": "import"} if flags.masks == "import" else {}),
    }
    if flags.table == "tiles":
        values["table"] = "tiles"
    identity = Identity(values, dropped=frozenset({"manifest_hash", "images"}))
    with stage_folder(out, identity, overwrite=flags.overwrite):
        connect(flags.address, flags)
        finished = (
            _imported_tiles(flags, chunks, image_px, out)
            if flags.table == "tiles"
            else _imported_patches(flags, chunks, image_px, out)
        )
        write_manifest(join(out, COHORT), cohort)
        _log_sizes(out, image_px, finished)
        check_failures(out, finished, flags.max_failures)
    patients = {patient for chunk in chunks for patient in chunk.people}
    return {"out": out, **tally(finished), "patients": len(patients)}


def _imported_patches(
    flags: ImportImagesFlags, chunks: list[Chunk], image_px: int, out: str
) -> dict[str, Fate]:
    """Import all chunks as PATCHES; the fates of all inputs."""
    tasks = [
        ImportTask(
            chunk=chunk,
            format=flags.format,
            image_px=image_px,
            out=out,
            resize=flags.resize,
            masks=flags.masks,
        )
        for chunk in chunks
    ]
    return map_items(
        import_items(tasks, fates(out)),
        import_some,
        out=out,
        schema=PATCHES,
        workers=flags.workers,
        on_change="redo and remove many",  # a further image moves all chunks after it
        version=stage_version("import_images"),
    )


def _imported_tiles(
    flags: ImportImagesFlags, chunks: list[Chunk], image_px: int, out: str
) -> dict[str, Fate]:
    """Import all slides as TILES; the fates of all slides."""
    masks = flags.masks == "import"
    return map_items(
        tile_import_items(chunks, format_=flags.format, image_px=image_px, out=out, masks=masks),
        import_tiles,
        out=out,
        schema=TILES,
        workers=flags.workers,
        on_change="redo and remove many",
        version=stage_version("import_images"),
    )


def import_tiles(task: TileImportTask) -> Outcome:
    """The tiles of one slide."""
    return import_slide(task, READERS[cast(ImportFormat, task.format)])


def _log_sizes(out: str, image_px: int, fates: Mapping[str, Fate]) -> None:
    """Log how many images have which other size."""
    sizes = Counter(match[1] for fate in fates.values() if (match := OTHER_SIZE.search(fate.error)))
    if sizes:
        logger.warning(
            "%s: images of %d px are imported, %s are not; --resize makes square ones %d px, "
            "--image-px with --include chooses another size",
            out,
            image_px,
            ", ".join(f"{count} of {size} px" for size, count in sizes.most_common(10)),
            image_px,
        )


def import_items(tasks: list[ImportTask], earlier: dict[str, Fate]) -> list[Item[ImportTask]]:
    """Items of all chunks, and of each image that an earlier run found broken.

    A hash covers the marks of the sources, so that a file that was replaced is noticed. A broken
    image may be replaced: its hash stays that of the broken file, and after the import that of the
    file that came in.
    """
    items, single_items = [], []
    for task in tasks:
        separate = tuple(
            image.name for image in task.chunk.images if _name(task.chunk, image) in earlier
        )
        items.append(_chunk_item(replace(task, separate=separate), earlier))
        single_items += [
            _single_item(task, image, earlier[_name(task.chunk, image)])
            for image in task.chunk.images
            if image.name in separate
        ]
    return items + single_items


def _chunk_item(task: ImportTask, earlier: dict[str, Fate]) -> Item[ImportTask]:
    """Item of one chunk."""
    chunk = task.chunk
    last = chunk.first + len(chunk.images) - 1
    name = f"{chunk.name} images {chunk.first}-{last}".strip() if chunk.images else chunk.name
    hashes = []
    for image in chunk.images:
        fate = earlier.get(_name(chunk, image))
        hashes.append(fate.settings_hash if fate else _image_hash(task.image_px, image.mark))
    values = {
        "name": chunk.name,
        "first": chunk.first,
        "images": chunk.identities,
        **({"broken": True} if chunk.broken else {"mark": chunk.mark}),
        "image_px": task.image_px,
        "each": hashes,
    }
    return Item(
        name=name,
        settings_hash=settings_hash(values),
        former_hashes=[settings_hash({**values, "people": chunk.people})],
        people=_people(chunk),
        task=task,
    )


def _people(chunk: Chunk) -> dict[str, dict[str, str]]:
    """Label and split of the patients of a chunk."""
    return {name: {"idh": idh, "split": split} for name, (idh, split) in chunk.people.items()}


def _single_item(task: ImportTask, image: ListedImage, fate: Fate) -> Item[ImportTask]:
    """Item of one image that an earlier run found broken."""
    digest = fate.settings_hash
    if fate.status == "done" and fate.error != _replacement_note(image.mark):
        digest = _image_hash(task.image_px, image.mark)  # the file that came in was replaced, too
    chunk = replace(task.chunk, images=(image,))
    return Item(
        name=_name(chunk, image),
        settings_hash=digest,
        people={image.patient: _people(chunk)[image.patient]},
        task=replace(task, chunk=chunk, alone=True),
    )


def _name(chunk: Chunk, image: ListedImage) -> str:
    """Name of one image in the ledger."""
    return f"{chunk.name}#{image.name}" if chunk.name else image.name


def _image_hash(image_px: int, mark: str) -> str:
    return settings_hash({"image_px": image_px, "mark": mark})


def _replacement_note(mark: str) -> str:
    """Note in the ledger for an image that was broken and was imported later."""
    return f"was broken at first, came in as {mark}"


def import_some(task: ImportTask) -> Outcome:
    """The PATCHES rows of some images. Broken images get rows of the ledger."""
    chunk, reader = task.chunk, READERS[task.format]
    if chunk.broken:
        list(reader.listing(chunk.shard))  # raises the error that the listing met
        raise TableError(f"{chunk.shard}: could not be read at first; run the command again")
    images = {image.name: image for image in chunk.images if image.name not in task.separate}
    rows, reasons, masks = [], dict.fromkeys(images, "does not exist any more"), set[str]()
    spans = {name: image.span for name, image in images.items()}
    for sample in reader.images(chunk.shard, spans):
        try:
            rows.append(_row(sample, images[sample.name], task))
            del reasons[sample.name]
        except TableError as error:
            reasons[sample.name] = ledger.reason(error)
            masks |= {sample.name} if isinstance(error, MaskError) else set()
    if task.alone:
        return _outcome_of_one(task, rows, reasons, masks)
    for name, reason in reasons.items():
        fate = Fate(
            input=_name(chunk, images[name]),
            status="skipped" if name in masks else "failed",
            error=f"{name}: {reason}",
            settings_hash=_image_hash(task.image_px, images[name].mark),
        )
        ledger.record(task.out, fate)
    counts = {"are broken": len(reasons) - len(masks), "are masks": len(masks)}
    notes = [f"{count} of {len(images)} images {what}" for what, count in counts.items() if count]
    return Outcome(rows=rows, status="done" if rows else "skipped", note="; ".join(notes))


def _outcome_of_one(
    task: ImportTask, rows: list[dict[str, Any]], reasons: dict[str, str], masks: set[str]
) -> Outcome:
    """Outcome of an image with an item of its own.

    Raises:
        TableError: it is still broken.
    """
    for name, reason in reasons.items():
        if name in masks:
            return Outcome(status="skipped", note=f"{name}: {reason}")
        raise TableError(f"{name}: {reason}")
    return Outcome(rows=rows, note=_replacement_note(task.chunk.images[0].mark))


def _row(sample: Sample, image: ListedImage, task: ImportTask) -> dict[str, Any]:
    """PATCHES row of one image.

    Raises:
        TableError: the image is broken, or contradicts its listing.
    """
    if sample.broken:
        raise TableError(sample.broken)
    for name in ORIGIN:
        value, listed = sample.metadata.get(name), image.metadata.get(name)
        if value and value != listed:
            raise TableError(f"is of {name} {value}, in a file of {listed}")
    place = place_of({**image.metadata, **sample.metadata})
    data, ending = stored(
        sample.data,
        task.image_px,
        name=sample.name,
        resized=task.resize,
        masks=task.masks == "import",
    )
    if task.resize and place["mpp"] is not None:
        place["mpp"] *= size_of(sample.data)[0] / task.image_px
    idh, split = task.chunk.people[image.patient]
    stem = safe_name(os.path.splitext(os.path.basename(sample.name))[0])
    stem = f"{safe_name(place['slide'] or image.patient)}-{stem}" if stem.isdecimal() else stem
    cell = {"bytes": data, "path": f"{stem}.{ending}"}
    return {"patient": image.patient, "idh": idh, "split": split, **place, "image": cell}
