"""Images of a table in the formats of other tools: TILES, PATCHES, SLICES or SYNTHETIC -> files."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, get_args

import pyarrow as pa
from pyarrow import csv

from idhray.config import settings_hash
from idhray.errors import ConfigError, TableError
from idhray.exchange.coordinates import Tool, write_coordinates
from idhray.exchange.folder import INDEX, write_images
from idhray.exchange.output import new_file
from idhray.exchange.rows import (
    KINDS,
    Kind,
    Row,
    group_of,
    index_schema,
    kind_of,
    safe_name,
    stream,
)
from idhray.exchange.stylegan import write_zip
from idhray.exchange.tfrecord import ENDING, write_tfrecord
from idhray.exchange.webdataset import write_shard
from idhray.leakage import read_gate, read_generator, write_gate, write_generator
from idhray.ledger import check_failures, counts
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.mapping import Item, Outcome, map_items
from idhray.stages.runtime.options import ItemFlags
from idhray.stages.runtime.session import connect
from idhray.storage import absolute, filesystem, join
from idhray.tables import parts, read_part

Format = Literal["folder", "tfrecord", "h5", "webdataset", "stylegan"]
FOLDERS = {  # of a format, in the output folder
    "folder": "images",
    "tfrecord": "tfrecords",
    "h5": "patches",
    "webdataset": "shards",
    "stylegan": "zips",
}
ANNOTATIONS = "annotations.csv"
MB = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ExportImagesFlags(ItemFlags):
    """Flags of `idhray export-images`."""

    images: str
    """Folder of the TILES, PATCHES, SLICES or SYNTHETIC table."""
    out: str
    """Folder of the export."""
    format: Format
    """folder: files in split/class/. tfrecord: slideflow's, one file a slide. h5: places on the
    slides for TRIDENT or CLAM, no pixels. webdataset: tar files. stylegan: one zip a split, for
    NVIDIA's trainers."""
    h5_tool: Tool = "trident"
    """Whose attributes an h5 file has; `patch_size` means different things to the two."""
    shard_mb: int = 500
    """About how large a tar file of webdataset may be, in 10^6 bytes."""
    stylegan_px: int | None = None
    """Side that the images of a zip are resized to, a power of two; as they are when not given."""


def export_images(flags: ExportImagesFlags) -> dict[str, Any]:
    """Write the images of a table for another tool; JPEG and PNG keep their bytes.

    `images.csv` says of every image its file, patient, split and all other columns.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    if flags.stylegan_px is not None and (
        flags.stylegan_px < 4 or flags.stylegan_px & (flags.stylegan_px - 1)
    ):
        raise ConfigError(
            f"--stylegan-px must be a power of two from 4 on, got {flags.stylegan_px}"
        )
    if flags.shard_mb < 1:
        raise ConfigError(f"--shard-mb must be 1 or more, got {flags.shard_mb}")
    if not (found_parts := parts(images)):
        raise TableError(f"{images}: no part-*.parquet there; run the stage that makes it first")
    kind = kind_of(found_parts[0])
    if flags.format == "h5" and kind.name not in ("tiles", "patches"):
        raise ConfigError(f"{images}: {kind.name} have no place on a slide; h5 holds nothing else")
    said = {
        "stage": "export_images",
        "images": seal(images),
        "format": flags.format,
        **({"h5_tool": flags.h5_tool} if flags.format == "h5" else {}),
        **({"shard_mb": flags.shard_mb} if flags.format == "webdataset" else {}),
        **({"stylegan_px": flags.stylegan_px} if flags.format == "stylegan" else {}),
    }
    with stage_folder(out, said, overwrite=flags.overwrite, owns=(*FOLDERS.values(), "*.csv")):
        connect(flags.address)
        _keep_record_of_generator(images, out, kind)
        items = [
            _item(name, plan, {**said, "folder": images, "kind": kind.name, "out": out})
            for name, plan in _plan(found_parts, kind, flags.format, flags.shard_mb * MB).items()
        ]
        found = map_items(
            items, export_some, out=out, schema=index_schema(kind), workers=flags.workers
        )
        check_failures(out, found, flags.max_failures)
        _write_index(out, kind)
        if flags.format == "tfrecord":
            _write_annotations(out, kind)
    return {"out": out, "format": flags.format, "table": kind.name, **counts(found)}


def _keep_record_of_generator(images: str, out: str, kind: Kind) -> None:
    """Which patients a generator saw must go where its images go."""
    if kind.name == "synthetic":
        write_generator(out, read_generator(images))
        if gate := read_gate(images):
            write_gate(out, gate)


Plan = dict[str, Any]


def _plan(found: list[str], kind: Kind, format_: str, shard_bytes: int) -> dict[str, Plan]:
    """Name of a file, or of a slide's files -> which rows of which parts go there."""
    if format_ == "webdataset":
        return _shards(found, kind, shard_bytes)
    plans: dict[str, Plan] = {}
    for path in found:
        for name in dict.fromkeys(_key(row, kind, format_) for row in _without_images(path, kind)):
            plan = plans.setdefault(name, {"key": name, "parts": []})
            plan["parts"].append(path.rsplit("/", 1)[-1])
    return plans


def _without_images(path: str, kind: Kind) -> Iterable[Row]:
    return _stream(path, kind, (kind.group,))


def _stream(path: str, kind: Kind, columns: Sequence[str]) -> Iterator[Row]:
    """All columns, or those named and what tells where a row goes."""
    known = [name for name in ("patient", "split") if name in kind.schema.names]
    return stream(path, [*columns, *known] if columns else None)


def _key(row: Row, kind: Kind, format_: str) -> str:
    """What a row is exported under: its split in a zip or tar, its slide elsewhere."""
    if format_ in ("stylegan", "webdataset"):
        return str(row.values.get("split") or kind.name)
    return group_of(row, kind)


def _shards(found: list[str], kind: Kind, shard_bytes: int) -> dict[str, Plan]:
    """Tar files of about so many bytes: rows of a split, in the order of the table."""
    plans: dict[str, Plan] = {}
    last: dict[str, tuple[int, float]] = {}  # of a split: number of its tar, bytes in it
    for path in found:
        files, inner = filesystem(path)
        rows = [_key(row, kind, "webdataset") for row in _without_images(path, kind)]
        each = files.get_file_info(inner).size / max(len(rows), 1)
        for number, split in enumerate(rows):
            shard, size = last.get(split, (0, 0.0))
            if size and size + each > shard_bytes:
                shard, size = shard + 1, 0.0
            last[split] = (shard, size + each)
            name, part = f"{split}-{shard:06d}", path.rsplit("/", 1)[-1]
            plan = plans.setdefault(name, {"key": split, "parts": [], "spans": {}})
            first, _ = plan["spans"].get(part, (number, number))
            plan["spans"][part] = (first, number + 1)
            if part not in plan["parts"]:
                plan["parts"].append(part)
    return plans


def _item(name: str, plan: Plan, said: dict[str, Any]) -> Item:
    values = {"name": name, **plan, **said}
    decides = {key: value for key, value in values.items() if key not in ("folder", "out")}
    return Item(name=name, settings_hash=settings_hash(decides), values=values)


def export_some(values: dict[str, Any]) -> Outcome:
    """One slide's files, or one shard: the index rows."""
    kind = next(kind for kind in KINDS if kind.name == values["kind"])
    name, out, format_ = values["name"], values["out"], values["format"]
    folder, rows = FOLDERS[format_], _rows(values, kind)
    if format_ == "folder":
        return Outcome(rows=write_images(out, rows, kind, folder))
    if format_ == "tfrecord":
        file = f"{folder}/{safe_name(name)}{ENDING}"
        return Outcome(rows=write_tfrecord(join(out, file), rows, kind, file))
    if format_ == "h5":
        ending = "_patches.h5" if values["h5_tool"] == "trident" else ".h5"
        file = f"{folder}/{safe_name(name)}{ending}"
        return Outcome(rows=write_coordinates(join(out, file), rows, kind, file, values["h5_tool"]))
    if format_ == "webdataset":
        file = f"{folder}/{safe_name(name)}.tar"
        return Outcome(rows=write_shard(join(out, file), rows, kind, file))
    assert format_ == "stylegan"
    file = f"{folder}/{safe_name(name)}.zip"
    labels = [row.values["idh"] for row in _rows(values, kind, ("idh",))]
    note, without = "", labels.count(None) + labels.count("")
    if 0 < without < len(labels):
        rows = (row for row in rows if row.values["idh"])
        note = f"{without} of {len(labels)} images have no label and are left out"
    index = write_zip(join(out, file), rows, kind, file, values["stylegan_px"])
    return Outcome(rows=index, note=note)


def _rows(values: dict[str, Any], kind: Kind, columns: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of one item, a few in memory at a time."""
    for part in values["parts"]:
        first, end = values.get("spans", {}).get(part, (0, None))
        for row in islice(_stream(join(values["folder"], part), kind, columns), first, end):
            if _key(row, kind, values["format"]) == values["key"]:
                yield row


def _write_index(out: str, kind: Kind) -> None:
    schema = index_schema(kind)
    with new_file(join(out, INDEX)) as handle, csv.CSVWriter(handle, schema) as writer:
        for path in parts(out):
            writer.write_table(read_part(path, schema.names).cast(schema))


def _write_annotations(out: str, kind: Kind) -> None:
    """The table by which slideflow knows the patient and the class of a slide."""
    slides: dict[str, dict[str, str]] = defaultdict(dict)
    for path in parts(out):
        for row in stream(path):
            slides[group_of(row, kind)] = {
                name: str(row.values.get(name) or "") for name in ("patient", "idh", "split")
            }
    rows = [{"slide": name, **said} for name, said in sorted(slides.items())]
    with new_file(join(out, ANNOTATIONS)) as handle:
        csv.write_csv(pa.Table.from_pylist(rows), handle)


assert set(FOLDERS) == set(get_args(Format))
