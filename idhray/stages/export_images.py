"""Images of a table in the formats of other tools: TILES, PATCHES, SLICES or SYNTHETIC -> files."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, get_args

import pyarrow as pa
from pyarrow import csv

from idhray.config import identity_of, settings_hash
from idhray.errors import ConfigError, TableError
from idhray.exchange.coordinates import Tool, write_coordinates
from idhray.exchange.file_plan import ExportFormat, FilePlan, file_plans, planned_rows
from idhray.exchange.folder import INDEX, write_images
from idhray.exchange.output import new_file
from idhray.exchange.rows import KINDS, Kind, group_of, index_schema, kind_of, safe_name, stream
from idhray.exchange.stylegan import write_zip
from idhray.exchange.tfrecord import ENDING, write_tfrecord
from idhray.exchange.webdataset import write_shard
from idhray.generator_records import read_gate, read_generator, write_gate, write_generator
from idhray.ledger import check_failures, tally
from idhray.stages.runtime.dry_run import with_dry_run
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect
from idhray.storage import absolute, join
from idhray.table_parts import parts, read_part

FOLDERS: dict[ExportFormat, str] = {  # in the output folder
    "folder": "images",
    "tfrecord": "tfrecords",
    "h5": "patches",
    "webdataset": "shards",
    "stylegan": "zips",
}
FLAGS_OF_FORMAT = {"h5": ("h5_tool",), "webdataset": ("shard_mb",), "stylegan": ("stylegan_px",)}
"""Flags that decide the content of a folder of one format only."""
ANNOTATIONS = "annotations.csv"
MB = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ExportImagesFlags(ItemFlags):
    """Flags of `idhray export-images`."""

    images: str
    """Folder of the TILES, PATCHES, SLICES or SYNTHETIC table."""
    out: str
    """Folder of the export."""
    format: ExportFormat
    """folder: files in split/class/. tfrecord: one file per slide for slideflow. h5: places on the
    slides for TRIDENT or CLAM, without pixels. webdataset: tar files. stylegan: one zip per split
    for NVIDIA's trainers."""
    h5_tool: Tool = "trident"
    """Tool that reads the h5 files. The attribute `patch_size` means different things to the
    two."""
    shard_mb: int = 500
    """Approximate size of a tar file of webdataset, in 10^6 bytes."""
    stylegan_px: int | None = None
    """Side in pixels that the images of a zip are resized to, a power of two. Default: no
    resizing."""


@dataclass(frozen=True, kw_only=True)
class ExportTask:
    """Task of a worker: write the files of one slide, or one zip or tar."""

    name: str
    plan: FilePlan
    images: str
    """Folder of the table."""
    kind: str
    """Name of the kind of table; see `rows.KINDS`."""
    format: ExportFormat
    h5_tool: Tool
    stylegan_px: int | None
    out: str


@with_dry_run(reads=("images",), writes="images for other tools and their index")
def export_images(flags: ExportImagesFlags) -> dict[str, Any]:
    """Write the images of a table for another tool; JPEG and PNG keep their bytes.

    `images.csv` lists the file, patient, split and all other columns of every image.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    _check(flags)
    if not (paths := parts(images)):
        raise TableError(f"{images}: no part-*.parquet there; run the stage that makes it first")
    kind = kind_of(paths[0])
    if flags.format == "h5" and kind.name not in ("tiles", "patches"):
        raise ConfigError(f"{images}: {kind.name} have no place on a slide; h5 holds nothing else")
    identity = identity_of(
        inputs={"stage": "export_images", "images": seal(images)},
        flags=flags,
        names=("format", *FLAGS_OF_FORMAT.get(flags.format, ())),
    )
    owns = (*FOLDERS.values(), "*.csv")
    with stage_folder(out, identity, overwrite=flags.overwrite, owns=owns) as recorded:
        connect(flags.address, flags)
        _copy_generator_records(images, out, kind)
        plans = file_plans(paths, kind, flags.format, flags.shard_mb * MB)
        items = [
            _item(
                ExportTask(
                    name=name,
                    plan=plan,
                    images=images,
                    kind=kind.name,
                    format=flags.format,
                    h5_tool=flags.h5_tool,
                    stylegan_px=flags.stylegan_px,
                    out=out,
                ),
                recorded,
            )
            for name, plan in plans.items()
        ]
        schema = index_schema(kind)
        fates = map_items(items, export_some, out=out, schema=schema, workers=flags.workers)
        check_failures(out, fates, flags.max_failures)
        _write_index(out, kind)
        if flags.format == "tfrecord":
            _write_annotations(out, kind)
    return {"out": out, "format": flags.format, "table": kind.name, **tally(fates)}


def _check(flags: ExportImagesFlags) -> None:
    """Refuse flags that are out of range.

    Raises:
        ConfigError: naming the flag.
    """
    side = flags.stylegan_px
    if side is not None and (side < 4 or side & (side - 1)):
        raise ConfigError(f"--stylegan-px must be a power of two from 4 on, got {side}")
    if flags.shard_mb < 1:
        raise ConfigError(f"--shard-mb must be 1 or more, got {flags.shard_mb}")


def _copy_generator_records(images: str, out: str, kind: Kind) -> None:
    """Copy the records of a generator, its training patients among them, to its exported images."""
    if kind.name == "synthetic":
        write_generator(out, read_generator(images))
        if gate := read_gate(images):
            write_gate(out, gate)


def _item(task: ExportTask, recorded: dict[str, Any]) -> Item[ExportTask]:
    """Item of one file, or of the files of one slide; its hash leaves out the folders."""
    values = {
        **recorded,
        "name": task.name,
        "key": task.plan.key,
        "parts": task.plan.parts,
        "kind": task.kind,
        **({"spans": task.plan.spans} if task.plan.spans else {}),
    }
    return Item(name=task.name, settings_hash=settings_hash(values), task=task)


def export_some(task: ExportTask) -> Outcome:
    """Write the files of one slide, or one zip or tar; return the rows of the index."""
    kind = next(kind for kind in KINDS if kind.name == task.kind)
    folder = FOLDERS[task.format]
    stem = f"{folder}/{safe_name(task.name)}"
    rows = planned_rows(task.images, task.plan, kind, task.format)
    if task.format == "folder":
        return Outcome(rows=write_images(task.out, rows, kind, folder))
    if task.format == "tfrecord":
        file = f"{stem}{ENDING}"
        return Outcome(rows=write_tfrecord(join(task.out, file), rows, kind, file))
    if task.format == "h5":
        file = f"{stem}_patches.h5" if task.h5_tool == "trident" else f"{stem}.h5"
        index = write_coordinates(join(task.out, file), rows, kind, file, task.h5_tool)
        return Outcome(rows=index)
    if task.format == "webdataset":
        file = f"{stem}.tar"
        return Outcome(rows=write_shard(join(task.out, file), rows, kind, file))
    assert task.format == "stylegan"
    return _export_zip(task, kind, f"{stem}.zip")


def _export_zip(task: ExportTask, kind: Kind, file: str) -> Outcome:
    """Write one zip. Images without a label are left out if others have one."""
    rows = planned_rows(task.images, task.plan, kind, task.format)
    labels = [
        row.values["idh"]
        for row in planned_rows(task.images, task.plan, kind, task.format, ("idh",))
    ]
    note, unlabeled = "", labels.count(None) + labels.count("")
    if 0 < unlabeled < len(labels):
        rows = (row for row in rows if row.values["idh"])
        note = f"{unlabeled} of {len(labels)} images have no label and are left out"
    index = write_zip(join(task.out, file), rows, kind, file, task.stylegan_px)
    return Outcome(rows=index, note=note)


def _write_index(out: str, kind: Kind) -> None:
    """Write images.csv."""
    schema = index_schema(kind)
    with new_file(join(out, INDEX)) as handle, csv.CSVWriter(handle, schema) as writer:
        for path in parts(out):
            writer.write_table(read_part(path, schema.names).cast(schema))


def _write_annotations(out: str, kind: Kind) -> None:
    """Write the table that gives slideflow the patient and the class of each slide."""
    slides: dict[str, dict[str, str]] = defaultdict(dict)
    for path in parts(out):
        for row in stream(path):
            slides[group_of(row, kind)] = {
                name: str(row.values.get(name) or "") for name in ("patient", "idh", "split")
            }
    rows = [{"slide": name, **columns} for name, columns in sorted(slides.items())]
    with new_file(join(out, ANNOTATIONS)) as handle:
        csv.write_csv(pa.Table.from_pylist(rows), handle)


assert set(FOLDERS) == set(get_args(ExportFormat))
