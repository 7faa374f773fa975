"""Image files in folders split/class/, with a CSV of all other columns."""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import IO, Any

from idhray.cohorts.manifest import SPLITS
from idhray.errors import TableError
from idhray.exchange.files import files_under, mark
from idhray.exchange.rows import Kind, Names, Row, index_row, portable
from idhray.exchange.sample import (
    IMAGE_ENDINGS,
    LARGEST_BYTES,
    ByteRange,
    Reader,
    Sample,
    refuse_twins,
)
from idhray.storage import join, publish

INDEX = "images.csv"
MAX_PARENTS = 3  # folders between images.csv and the images of an export: images/split/class
PARALLEL_FILES = 16  # each file waits for the disk, and disks serve many requests at a time
NUMBERS = {"x_l0": int, "y_l0": int, "size_l0": float, "height_l0": float, "mpp": float}


def write_images(out: str, rows: Iterable[Row], kind: Kind, folder: str) -> list[dict[str, Any]]:
    """Write one file per image, with the image's own bytes; return the rows of the index.

    Args:
        out: Root folder of the export.
        rows: Rows of the table.
        kind: Kind of the table.
        folder: Folder in `out` that holds the folders of the splits.
    """
    index: list[dict[str, Any]] = []
    names, rows = Names(kind), iter(rows)
    with ThreadPoolExecutor(PARALLEL_FILES) as pool:
        while batch := list(islice(rows, 4 * PARALLEL_FILES)):
            stems = [_stem(row, kind, names) for row in batch]
            images = [portable(row) for row in batch]
            files = [
                f"{folder}/{stem}.{ending}" for stem, (_, ending) in zip(stems, images, strict=True)
            ]
            list(pool.map(lambda file, image: publish(join(out, file), image[0]), files, images))
            index += [index_row(file, row) for file, row in zip(files, batch, strict=True)]
    return index


def _stem(row: Row, kind: Kind, names: Names) -> str:
    """Path of an image below the export's image folder, without its ending."""
    split = row.values.get("split") or ("synthetic" if kind.name == "synthetic" else "unsplit")
    # Exports on disk have a folder of this spelling.
    return f"{split}/{row.values.get('idh') or 'unlabelled'}/{names.of(row)}"


def by_file(handle: IO[str], location: str) -> dict[str, dict[str, Any]]:
    """Metadata of each file that a CSV lists, by the file's name.

    Args:
        handle: The open CSV.
        location: Name of the CSV in messages.

    Raises:
        TableError: the CSV has no column `file`; a row has more or fewer cells than the header, or
            text where a number belongs; or a file has two rows.
    """
    rows = csv.DictReader(handle)
    entries: list[tuple[str, dict[str, Any]]] = []
    try:
        if "file" not in (rows.fieldnames or ()):
            raise TableError(f"{location} is no table with a column `file`")
        for row in rows:
            if any(row.pop(None, ())) or None in row.values() or not row["file"]:
                raise TableError(
                    f"{location}: line {rows.line_num} has no file, or other cells than the header"
                )
            entries.append((row.pop("file"), _parsed(row, location)))
    except (csv.Error, UnicodeError) as error:
        raise TableError(f"{location} is no table with a column `file` ({error})") from None
    refuse_twins(location, [name for name, _ in entries])
    return dict(entries)


def _parsed(row: dict[str, str], location: str) -> dict[str, Any]:
    """Cells of a row, numbers converted; empty cells are dropped."""
    metadata: dict[str, Any] = {name: value for name, value in row.items() if name and value}
    for name, number_type in NUMBERS.items():
        try:
            if name in metadata:
                metadata[name] = number_type(metadata[name])
        except ValueError:
            raise TableError(f"{location}: {name} is {metadata[name]!r}, not a number") from None
    return metadata


def _listing(source: str) -> Iterator[Sample]:
    """Every image file under a folder, and every file that its images.csv lists."""
    by_name = _csv_metadata(source)
    on_disk = {os.path.relpath(file, source) for file in files_under(source, IMAGE_ENDINGS)}
    names = iter(sorted(on_disk | set(by_name)))
    with ThreadPoolExecutor(PARALLEL_FILES) as pool:
        while batch := list(islice(names, 64 * PARALLEL_FILES)):
            marks = pool.map(mark, [os.path.join(source, name) for name in batch])
            for name, file_mark in zip(batch, marks, strict=True):
                metadata = _with_split(name, by_name.get(name, {}))
                yield Sample(name=name, metadata=metadata, mark=file_mark)


def _csv_metadata(source: str) -> dict[str, dict[str, Any]]:
    """Metadata of the files in a folder, from the nearest images.csv.

    The CSV lies in the folder or, if the source is a folder inside an export, above it.
    """
    for parents in range(MAX_PARENTS + 1):
        root = os.path.abspath(os.path.join(source, *[os.pardir] * parents))
        path = os.path.join(root, INDEX)
        if not os.path.isfile(path) or (parents and not _has_file_column(path)):
            continue
        with open(path, encoding="utf-8-sig", newline="") as handle:
            rows = by_file(handle, path)
        for name in rows:
            if os.path.normpath(name).startswith(("..", "/")):
                raise TableError(f"{path}: {name} lies outside the folder")
        inside = os.path.relpath(source, root)
        relative = {os.path.relpath(name, inside): metadata for name, metadata in rows.items()}
        below = {name: data for name, data in relative.items() if not name.startswith("..")}
        if below or not parents:
            return below
    return {}


def _has_file_column(path: str) -> bool:
    """True if a CSV has a column `file`; one above the source without it belongs to others."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as handle:
        try:
            return "file" in next(csv.reader(handle), [])
        except csv.Error:
            return False


def _with_split(name: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata of an image with the split that a folder on its path is named after, if any.

    Raises:
        TableError: images.csv names another split.
    """
    folders = (part.lower() for part in name.split("/")[:-1])
    split = next((part for part in folders if part in SPLITS), None)
    if split is None:
        return metadata
    if metadata.get("split") in SPLITS and metadata["split"] != split:
        raise TableError(f"{name}: {INDEX} says that it is in {metadata['split']}, not in {split}")
    return {**metadata, "split": split}


def _images(source: str, names: Mapping[str, ByteRange | None]) -> Iterator[Sample]:
    for name in names:
        path = os.path.join(source, name)
        if os.path.isfile(path):
            with open(path, "rb") as handle:
                yield Sample(name=name, data=handle.read(LARGEST_BYTES))


READER = Reader(files=lambda source: [source], listing=_listing, images=_images)
