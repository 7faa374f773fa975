"""Image files in folders split/class/, with a CSV of all columns beside them."""

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
from idhray.exchange.sample import IMAGE_ENDINGS, LARGEST_BYTES, Reader, Sample, Span, refuse_twins
from idhray.storage import join, publish

INDEX = "images.csv"
ABOVE = 3  # folders of an export from images.csv down to the images: images/split/class
AT_ONCE = 16  # files: each waits for the disk, and disks take many at a time
NUMBERS = {"x_l0": int, "y_l0": int, "size_l0": float, "height_l0": float, "mpp": float}


def write_images(out: str, rows: Iterable[Row], kind: Kind, folder: str) -> list[dict[str, Any]]:
    """One file an image, its own bytes; what an index says of them comes back.

    Args:
        out: Root of the export.
        folder: In it, where the folders of the splits go.
    """
    index: list[dict[str, Any]] = []
    names, rows = Names(kind), iter(rows)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while batch := list(islice(rows, 4 * AT_ONCE)):
            files = [_file(row, kind, names) for row in batch]
            images = [portable(row) for row in batch]
            named = [
                f"{folder}/{file}.{ending}" for file, (_, ending) in zip(files, images, strict=True)
            ]
            list(pool.map(lambda file, image: publish(join(out, file), image[0]), named, images))
            index += [index_row(file, row) for file, row in zip(named, batch, strict=True)]
    return index


def _file(row: Row, kind: Kind, names: Names) -> str:
    split = row.values.get("split") or ("synthetic" if kind.name == "synthetic" else "unsplit")
    return f"{split}/{row.values.get('idh') or 'unlabeled'}/{names.of(row)}"


def by_file(handle: IO[str], where: str) -> dict[str, dict[str, Any]]:
    """What a CSV says of each file.

    Args:
        where: How a message calls the CSV.

    Raises:
        TableError: there is no column `file`, a row has more or fewer cells than the header or a
            number that is none, or a file has two rows.
    """
    rows = csv.DictReader(handle)
    found: list[tuple[str, dict[str, Any]]] = []
    try:
        if "file" not in (rows.fieldnames or ()):
            raise TableError(f"{where} is no table with a column `file`")
        for row in rows:
            if any(row.pop(None, ())) or None in row.values() or not row["file"]:
                raise TableError(
                    f"{where}: line {rows.line_num} has no file, or other cells than the header"
                )
            found.append((row.pop("file"), _plain(row, where)))
    except (csv.Error, UnicodeError) as error:
        raise TableError(f"{where} is no table with a column `file` ({error})") from None
    refuse_twins(where, [name for name, _ in found])
    return dict(found)


def _plain(row: dict[str, str], where: str) -> dict[str, Any]:
    """Numbers as numbers, nothing of empty cells."""
    said: dict[str, Any] = {name: value for name, value in row.items() if name and value}
    for name, kind in NUMBERS.items():
        try:
            if name in said:
                said[name] = kind(said[name])
        except ValueError:
            raise TableError(f"{where}: {name} is {said[name]!r}, not a number") from None
    return said


def _listing(source: str) -> Iterator[Sample]:
    """Every image file under a folder, and those that its images.csv promises."""
    said = _said(source)
    found = {os.path.relpath(file, source) for file in files_under(source, IMAGE_ENDINGS)}
    names = iter(sorted(found | set(said)))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while batch := list(islice(names, 64 * AT_ONCE)):
            marks = pool.map(mark, [os.path.join(source, name) for name in batch])
            for name, found_mark in zip(batch, marks, strict=True):
                yield Sample(name=name, said=_with_split(name, said.get(name, {})), mark=found_mark)


def _said(source: str) -> dict[str, dict[str, Any]]:
    """What the nearest images.csv says of the files of a folder: it lies there or, where the source
    is a folder of an export, above it."""
    for above in range(ABOVE + 1):
        root = os.path.abspath(os.path.join(source, *[os.pardir] * above))
        path = os.path.join(root, INDEX)
        if not os.path.isfile(path) or (above and not _has_files(path)):
            continue
        with open(path, encoding="utf-8-sig", newline="") as handle:
            rows = by_file(handle, path)
        for name in rows:
            if os.path.normpath(name).startswith(("..", "/")):
                raise TableError(f"{path}: {name} lies outside the folder")
        inside = os.path.relpath(source, root)
        here = {os.path.relpath(name, inside): said for name, said in rows.items()}
        mine = {name: said for name, said in here.items() if not name.startswith("..")}
        if mine or not above:
            return mine
    return {}


def _has_files(path: str) -> bool:
    """Whether a CSV that lies above the source has a column `file`; another one is not meant."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as handle:
        try:
            return "file" in next(csv.reader(handle), [])
        except csv.Error:
            return False


def _with_split(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """A folder that is called like a split says that its images are of this split.

    Raises:
        TableError: images.csv says another one.
    """
    folders = (part.lower() for part in name.split("/")[:-1])
    split = next((part for part in folders if part in SPLITS), None)
    if split is None:
        return said
    if said.get("split") in SPLITS and said["split"] != split:
        raise TableError(f"{name}: {INDEX} says that it is in {said['split']}, not in {split}")
    return {**said, "split": split}


def _images(source: str, names: Mapping[str, Span | None]) -> Iterator[Sample]:
    for name in names:
        path = os.path.join(source, name)
        if os.path.isfile(path):
            with open(path, "rb") as handle:
                yield Sample(name=name, data=handle.read(LARGEST_BYTES))


READER = Reader(files=lambda source: [source], listing=_listing, images=_images)
