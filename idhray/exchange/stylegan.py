"""A zip of square PNGs with `dataset.json`, as NVIDIA's StyleGAN repositories train on.

Wildtype is label 0, mutant 1. `rows.csv` in the zip says patient, split and all else of each image;
StyleGAN takes no notice of it.

Source: "dataset-tool-help.txt" and "Preparing datasets" of the StyleGAN2-ADA documentation:
uncompressed PNGs of one size, a power of two, in a zip that is not compressed; `labels` is a list
of [name, class], or null.
"""

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from idhray.cohorts.manifest import LABELS
from idhray.errors import TableError
from idhray.exchange.files import shards
from idhray.exchange.folder import by_file
from idhray.exchange.output import new_file
from idhray.exchange.rows import Kind, Row, index_row, index_schema, portable
from idhray.exchange.sample import (
    IMAGE_ENDINGS,
    LARGEST_BYTES,
    Reader,
    Sample,
    Span,
    refuse_twins,
)
from idhray.images import resize

ROWS = "rows.csv"
LABELS_FILE = "dataset.json"


def write_zip(
    path: str, rows: Iterable[Row], kind: Kind, file: str, side_px: int | None = None
) -> list[dict[str, Any]]:
    """A zip of the rows, the same bytes every time; what an index says of them comes back.

    Labels are null if no image has one.

    Args:
        file: How the index calls the zip.
        side_px: Side that images are resized to; as they are when None.

    Raises:
        TableError: images are not square, not of one size, the side is no power of two, or some
            have a label and some have none.
    """
    index: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    labels: list[tuple[str, int | None]] = []
    side = 0
    with new_file(path) as handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
        for number, row in enumerate(rows):
            name = f"{number // 1000:05d}/img{number:08d}.png"
            data, found = _png(row, side_px)
            side = side or found
            if found != side:
                raise TableError(f"{row.part} row {row.number}: {found} px among images of {side}")
            archive.writestr(zipfile.ZipInfo(name), data)
            idh = row.values.get("idh")
            labels.append((name, LABELS.index(idh) if idh in LABELS else None))
            kept.append(index_row(name, row))
            index.append(index_row(f"{file}#{name}", row))
        archive.writestr(zipfile.ZipInfo(LABELS_FILE), json.dumps({"labels": _labels(labels)}))
        archive.writestr(zipfile.ZipInfo(ROWS), _csv(kept, index_schema(kind).names))
    return index


def _png(row: Row, side_px: int | None) -> tuple[bytes, int]:
    """(uncompressed PNG, its side)."""
    with Image.open(io.BytesIO(portable(row)[0])) as picture:
        pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    side = side_px or width
    if width != height or side & (side - 1):
        raise TableError(
            f"{row.part} row {row.number}: {width} x {height} px; StyleGAN needs squares whose "
            "side is a power of two (--stylegan-px resizes)"
        )
    buffer = io.BytesIO()
    Image.fromarray(resize(pixels, side)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue(), side


def _labels(labels: list[tuple[str, int | None]]) -> list[tuple[str, int]] | None:
    known = [(name, label) for name, label in labels if label is not None]
    if known and len(known) < len(labels):
        raise TableError(f"{len(labels) - len(known)} of {len(labels)} images have no label")
    return known or None


def _csv(rows: list[dict[str, Any]], names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _listing(path: str) -> Iterator[Sample]:
    with _opened(path) as archive:
        said = {}
        if ROWS in archive.namelist():
            text = _member(archive, ROWS).decode(errors="replace")
            said = by_file(io.StringIO(text, newline=""), f"{path}: {ROWS}")
        names = [name for name in archive.namelist() if name.lower().endswith(IMAGE_ENDINGS)]
        refuse_twins(path, names)
        for name in sorted(names):
            yield Sample(name=name, said=said.get(name, {}))


def _images(path: str, names: Mapping[str, Span | None]) -> Iterator[Sample]:
    with _opened(path) as archive:
        there = set(archive.namelist())
        for name in names:
            if name in there:
                yield Sample(name=name, data=_member(archive, name))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Its bytes, none where they are broken, encrypted or far too many."""
    try:
        return archive.read(name) if archive.getinfo(name).file_size <= LARGEST_BYTES else b""
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError):
        return b""


def _opened(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise TableError(f"{path}: not a zip, or a broken one ({error})") from None


READER = Reader(files=lambda source: shards(source, (".zip",)), listing=_listing, images=_images)
