"""Image files in folders split/class/, with a CSV of all columns beside them."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from idhray.errors import TableError
from idhray.exchange.files import files_under
from idhray.exchange.rows import Kind, Names, Row, index_row, portable
from idhray.exchange.sample import IMAGE_ENDINGS, LARGEST_BYTES, Reader, Sample
from idhray.storage import join, publish

INDEX = "images.csv"
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
    return f"{split}/{row.values.get('idh') or 'unlabelled'}/{names.of(row)}"


def plain(row: dict[str, str]) -> dict[str, Any]:
    """What a row of such a CSV says, numbers as numbers, nothing of empty cells.

    Raises:
        TableError: a number is none.
    """
    said: dict[str, Any] = {name: value for name, value in row.items() if name and value}
    for name, kind in NUMBERS.items():
        try:
            if name in said:
                said[name] = kind(said[name])
        except ValueError:
            raise TableError(f"{INDEX}: {name} is {said[name]!r}, not a number") from None
    return said


def _listing(source: str) -> Iterator[Sample]:
    """Every image file under a folder, and those that its images.csv promises."""
    said: dict[str, dict[str, Any]] = {}
    if os.path.isfile(path := os.path.join(source, INDEX)):
        with open(path, encoding="utf-8-sig", newline="") as handle:
            try:
                said = {row.pop("file"): plain(row) for row in csv.DictReader(handle)}
            except (csv.Error, KeyError, UnicodeError) as error:
                raise TableError(f"{path}: no table with a column `file` ({error})") from None
    if outside := [name for name in said if os.path.normpath(name).startswith(("..", "/"))]:
        raise TableError(f"{path}: {outside[0]} lies outside the folder")
    found = {os.path.relpath(file, source) for file in files_under(source, IMAGE_ENDINGS)}
    for name in sorted(found | set(said)):
        yield Sample(name=name, said=said.get(name, {}))


def _images(source: str, names: Sequence[str]) -> Iterator[Sample]:
    for name in names:
        path = os.path.join(source, name)
        if os.path.isfile(path):
            with open(path, "rb") as handle:
                yield Sample(name=name, data=handle.read(LARGEST_BYTES))


READER = Reader(files=lambda source: [source], listing=_listing, images=_images)
