"""Images of a generator of another program -> SYNTHETIC; its training patients are declared.

The record `_generator.json` says `declared`, by whom and on which day. Experiment, gate, guard and
report treat these images like those of `synthesize`, and say which is which.
"""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import numpy as np

from idhray import ledger
from idhray.cohorts.folds import read_folds
from idhray.cohorts.text_table import is_table_file, read_text_table
from idhray.config import Identity, settings_hash
from idhray.errors import ConfigError, LeakageError, StorageError, TableError
from idhray.exchange import folder, parquet_images, stylegan, webdataset
from idhray.exchange.files import mark
from idhray.exchange.rows import size_of
from idhray.exchange.sample import Reader, Sample, stored
from idhray.fingerprints import marked_synthetic, packed_digests
from idhray.generator_records import (
    GATE,
    GENERATOR,
    GeneratorRecord,
    patients_hash,
    read_gate,
    read_generator,
    write_generator,
)
from idhray.images import decode, image_cell
from idhray.ledger import check_failures, tally
from idhray.patients import same_patients
from idhray.stages.gan_training.synthetic_card import write_synthetic_card
from idhray.stages.runtime.dry_run import with_dry_run
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.versions import stage_version
from idhray.storage import absolute, exists, is_remote, join, read_bytes, remove
from idhray.table_fingerprints import table_fingerprints
from idhray.tables import SYNTHETIC

logger = logging.getLogger(__name__)

SyntheticFormat = Literal["folder", "webdataset", "stylegan", "parquet"]
READERS: dict[SyntheticFormat, Reader] = {
    "folder": folder.READER,
    "webdataset": webdataset.READER,
    "stylegan": stylegan.READER,
    "parquet": parquet_images.READER,
}
IMAGES_PER_CHUNK = 256
MOST_NAMES = 3
"""Images or patients that a message names at most."""


@dataclass(frozen=True, kw_only=True)
class ImportSyntheticFlags(ItemFlags):
    """Flags of `idhray import-synthetic`."""

    source: str
    """Folder of images, one shard, or a folder of shards."""
    out: str
    """Folder of the SYNTHETIC table."""
    format: SyntheticFormat
    """folder: PNG, JPEG, TIFF, BMP or WebP files. webdataset: tar files. stylegan: zips of images.
    parquet: files with a column `image`."""
    idh: Literal["mutant", "wildtype"]
    """Class that the generator was made to show."""
    generator: str
    """Name of the generator, such as `ddpm-fold-2`. Two generators need two names."""
    declared_by: str
    """Person who answers for the list of training patients."""
    trained_on: str | None = None
    """Patients that the generator, and all that it started from, was trained on: a text file with
    one name in each line, a table with a column `patient`, or a file of folds, whose training
    patients of --fold are taken."""
    trained_on_external: bool = False
    """The generator never saw a patient of this cohort. Instead of --trained-on."""
    images: str | None = None
    """Folder of the PATCHES or SLICES table of the cohort. Images that equal one of its images are
    refused, and the pixels of the training patients join the record."""
    fold: int | None = None
    """Number of the fold whose training patients the generator saw."""
    training_seed: int | None = None
    """Seed of its training, if there are several for a fold; the record names it."""
    image_px: int | None = None
    """Side in pixels that every image must have. Default: the side of the first image."""
    resize: bool = False
    """Resize square images of another side to --image-px."""


@dataclass(frozen=True, kw_only=True)
class SyntheticChunk:
    """Some images of one shard."""

    shard: str
    names: tuple[str, ...]
    marks: tuple[str, ...]
    """Marks of their files, or of the shard."""
    spans: tuple[tuple[int, int] | None, ...]
    first: int
    """Index of the first image in the table."""


@dataclass(frozen=True, kw_only=True)
class ImportSyntheticTask:
    """Task of a worker: import one chunk."""

    chunk: SyntheticChunk
    format: SyntheticFormat
    image_px: int
    resize: bool
    generator: str
    idh: str
    trained_on: str
    """`patients_hash` of the declared patients."""


@with_dry_run(reads=("source", "trained_on", "images"), writes="SYNTHETIC")
def import_synthetic(flags: ImportSyntheticFlags) -> dict[str, Any]:
    """Take images of any generator into a SYNTHETIC table, with its declared training patients.

    Without a list of these patients the images are refused: nobody could tell whether a test
    patient is among them. `evaluate-gan --synthetic` then judges copies, diversity and fidelity.
    """
    patients = declared_patients(flags)
    if is_remote(flags.source):
        raise ConfigError(f"--source {flags.source}: copy it to a disk that every worker sees")
    source, out = absolute(flags.source), absolute(flags.out)
    if not os.path.exists(source):
        raise StorageError(f"{source}: no such file or folder")
    images = absolute(flags.images) if flags.images else None
    if images:
        _warn_of_unknown_patients(patients, images, flags)
    reader = READERS[flags.format]
    chunks = list(_chunks(source, reader))
    image_px = flags.image_px or _first_side(chunks, reader)
    trained_on = patients_hash(patients)
    values = {
        "stage": "import_synthetic",
        "format": flags.format,
        "image_px": image_px,
        "resize": flags.resize,
        "idh": flags.idh,
        "generator": flags.generator,
        "trained_on": trained_on,
    }
    with stage_folder(out, Identity(values), overwrite=flags.overwrite):
        connect(flags.address, flags)
        fates = map_items(
            [_item(chunk, flags, image_px, trained_on) for chunk in chunks],
            import_chunk,
            out=out,
            schema=SYNTHETIC,
            workers=flags.workers,
            on_change="redo and remove many",
            version=stage_version("import_synthetic"),
        )
        check_failures(out, fates, flags.max_failures)
        if images:
            refuse_real_images(out, images)
        write_generator(out, _record(flags, patients, images, out))
    _remove_old_gate(out)
    write_synthetic_card(out)
    return {
        "out": out,
        **tally(fates),
        "generator": flags.generator,
        "source": "declared",
        "patients": len(patients),
    }


def declared_patients(flags: ImportSyntheticFlags) -> tuple[str, ...]:
    """Patients that the generator was trained on, sorted; none for an external one.

    Raises:
        ConfigError: there is no list, or both a list and --trained-on-external; or it is empty.
    """
    if bool(flags.trained_on) == flags.trained_on_external:
        raise ConfigError(
            "give --trained-on FILE with the patients that the generator was trained on, or "
            "--trained-on-external if it never saw this cohort; without either, a test patient "
            "may be among them"
        )
    if not flags.declared_by.strip() or not flags.generator.strip():
        raise ConfigError("--declared-by and --generator need a name each")
    if flags.trained_on is None:
        return ()
    names = sorted(set(_names_of_file(absolute(flags.trained_on), flags.fold)) - {""})
    if not names:
        raise ConfigError(f"{flags.trained_on}: names no patient; list the training patients")
    return tuple(names)


def _names_of_file(path: str, fold: int | None) -> list[str]:
    """Names in a file of patients or folds."""
    table = read_text_table(path) if is_table_file(path) else None
    if table is None or (table.shape[1] == 1 and "patient" not in table.columns):
        return [line.strip() for line in read_bytes(path).decode().splitlines()]
    if {"fold", "role"} <= set(table.columns):
        if fold is None:
            raise ConfigError(
                f"{path}: a file of folds; give --fold, whose training patients count"
            )
        roles = read_folds(path).roles(fold)
        return [name for name, role in roles.items() if role == "train"]
    if "patient" not in table.columns:
        raise ConfigError(f"{path}: no column `patient` (columns: {', '.join(table.columns[:8])})")
    return [str(name).strip() for name in table["patient"]]


def _warn_of_unknown_patients(
    patients: Sequence[str], images: str, flags: ImportSyntheticFlags
) -> None:
    """Tell which declared patients the cohort does not have.

    Raises:
        ConfigError: it has none of them, so that the names are of another kind.
    """
    if not patients:
        return
    cohort = sorted(set(table_fingerprints(images).patients.tolist()))
    matched = same_patients(cohort, patients)
    unknown = sorted(set(patients) - set(matched.values()))
    if not matched:
        raise ConfigError(
            f"{flags.trained_on}: {images} has none of its {len(patients)} patients "
            f"({patients[0]}, ...; the table has {cohort[0]}, ...); write the names as there, or "
            "give --trained-on-external"
        )
    if unknown:
        logger.warning(
            "%s: %d of %d patients are not in %s: %s",
            *(flags.trained_on, len(unknown), len(patients), images),
            ", ".join(unknown[:MOST_NAMES]) + (", ..." if unknown[MOST_NAMES:] else ""),
        )


def _chunks(source: str, reader: Reader) -> Iterator[SyntheticChunk]:
    """Images of all shards, some at a time, numbered through.

    Raises:
        TableError: a shard is broken.
        StorageError: there are no images.
    """
    first = 0
    for shard in reader.files(source):
        samples = list(reader.listing(shard))
        shard_mark = "" if os.path.isdir(shard) else mark(shard)
        for start in range(0, len(samples), IMAGES_PER_CHUNK):
            some = samples[start : start + IMAGES_PER_CHUNK]
            yield SyntheticChunk(
                shard=shard,
                names=tuple(sample.name for sample in some),
                marks=tuple(sample.mark or shard_mark for sample in some),
                spans=tuple(sample.span for sample in some),
                first=first,
            )
            first += len(some)
    if not first:
        raise StorageError(f"{source}: no images there")


def _first_side(chunks: Sequence[SyntheticChunk], reader: Reader) -> int:
    """Side in pixels of the first image that can be opened.

    Raises:
        StorageError: none can be opened.
    """
    for chunk in chunks:
        for sample in reader.images(chunk.shard, {chunk.names[0]: chunk.spans[0]}):
            try:
                return size_of(sample.data)[0]
            except TableError:
                continue
    raise StorageError(f"{chunks[0].shard}: none of the images can be opened")


def _item(
    chunk: SyntheticChunk, flags: ImportSyntheticFlags, image_px: int, trained_on: str
) -> Item[ImportSyntheticTask]:
    last = chunk.first + len(chunk.names) - 1
    values = {"names": chunk.names, "marks": chunk.marks, "first": chunk.first}
    return Item(
        name=f"images {chunk.first}-{last}",
        settings_hash=settings_hash(values),
        task=ImportSyntheticTask(
            chunk=chunk,
            format=flags.format,
            image_px=image_px,
            resize=flags.resize,
            generator=flags.generator,
            idh=flags.idh,
            trained_on=trained_on,
        ),
        size=len(chunk.names),
    )


def import_chunk(task: ImportSyntheticTask) -> Outcome:
    """SYNTHETIC rows of one chunk; the ledger names images that are broken or of another size."""
    chunk, reader = task.chunk, READERS[task.format]
    places = {name: chunk.first + k for k, name in enumerate(chunk.names)}
    spans = dict(zip(chunk.names, chunk.spans, strict=True))
    rows, problems = [], dict.fromkeys(chunk.names, "does not exist any more")
    for sample in reader.images(chunk.shard, spans):
        try:
            rows.append(_row(sample, places[sample.name], task))
            del problems[sample.name]
        except TableError as error:
            problems[sample.name] = ledger.reason(error)
    if problems and not rows:
        name, problem = next(iter(problems.items()))
        raise TableError(f"{chunk.shard}: none of {len(problems)} images fits; {name} {problem}")
    listed = [f"{name} {problem}" for name, problem in problems.items()]
    more = f"; and {len(listed) - MOST_NAMES} more" if listed[MOST_NAMES:] else ""
    note = f"{len(listed)} images left out: {'; '.join(listed[:MOST_NAMES])}{more}"
    rows.sort(key=lambda row: int(row["index"]))
    return Outcome(rows=rows, note=note if listed else "")


def _row(sample: Sample, index: int, task: ImportSyntheticTask) -> dict[str, Any]:
    """SYNTHETIC row of one image, as a PNG with the mark of synthetic images.

    Raises:
        TableError: the image is broken or of another size.
    """
    if sample.broken:
        raise TableError(sample.broken)
    data, _ = stored(sample.data, task.image_px, name=sample.name, resized=task.resize)
    cell = image_cell(decode(data), f"{task.idh}-{index}")
    return {
        "generator": task.generator,
        "seed": 0,
        "index": index,
        "psi": None,
        "idh": task.idh,
        "trained_on": task.trained_on,
        "image": {**cell, "bytes": marked_synthetic(cell["bytes"], task.generator)},
    }


def refuse_real_images(synthetic: str, images: str) -> None:
    """Refuse a table of synthetic images that holds images of the cohort.

    Raises:
        LeakageError: pixels are equal; the message names the first patient.
    """
    real, generated = table_fingerprints(images), table_fingerprints(synthetic)
    copies = np.flatnonzero(np.isin(generated.pixels, real.pixels))
    if not len(copies):
        return
    place = int(np.flatnonzero(real.pixels == generated.pixels[copies[0]])[0])
    raise LeakageError(
        f"{synthetic}: {len(copies)} images equal images of patients, the first one that of "
        f"{real.patients[place]} ({real.place(place)}); a generator that copies makes no new "
        "images: remove them from the source, and run `idhray evaluate-gan --synthetic`"
    )


def _record(
    flags: ImportSyntheticFlags, patients: tuple[str, ...], images: str | None, out: str
) -> GeneratorRecord:
    """Record of a declared generator."""
    pixels = table_fingerprints(out).pixels
    content = hashlib.sha256(np.sort(pixels).tobytes()).hexdigest()[:16]
    day = date.today().isoformat()
    if exists(join(out, GENERATOR)) and (earlier := read_generator(out)).declared_on:
        same = (earlier.trained_on, earlier.declared_by) == (
            patients_hash(patients),
            flags.declared_by,
        )
        day = earlier.declared_on if same else day
    training_pixels = table_fingerprints(images).of_patients(patients).pixels if images else None
    record = GeneratorRecord.of(
        flags.generator,
        flags.idh,
        patients,
        fold=flags.fold,
        seed=flags.training_seed,
        weights=content,  # so that the same images under another name are recognized
        image_digests=None
        if training_pixels is None
        else packed_digests(map(int, training_pixels)),
        ancestry=[_declaration(flags, len(patients), day)],
    )
    return replace(record, source="declared", declared_by=flags.declared_by, declared_on=day)


def _declaration(flags: ImportSyntheticFlags, patients: int, day: str) -> str:
    """Sentence that verdict, card and report repeat."""
    by = f"by {flags.declared_by} ({day}), not recorded by this package."
    if patients:
        return f"Generator {flags.generator}: its {patients} training patients are declared {by}"
    return f"Generator {flags.generator}: that it never saw this cohort is declared {by}"


def _remove_old_gate(out: str) -> None:
    """Remove the result of an evaluation of other images."""
    gate = read_gate(out)
    if gate is not None and gate.generator != seal(out):
        remove(join(out, GATE))
        logger.warning("%s: evaluated before its images changed; evaluate it again", out)
