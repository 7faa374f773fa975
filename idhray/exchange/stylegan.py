"""A zip of square PNGs with `dataset.json`, as NVIDIA's StyleGAN repositories train on.

Wildtype is label 0, mutant 1. `rows.csv` in the zip holds patient, split and all other columns of
each image; StyleGAN ignores it.

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
from idhray.exchange.files import shard_files
from idhray.exchange.folder import by_file
from idhray.exchange.output import new_file
from idhray.exchange.rows import Kind, Row, index_row, index_schema, portable
from idhray.exchange.sample import (
    IMAGE_ENDINGS,
    LARGEST_BYTES,
    ByteRange,
    Reader,
    Sample,
    refuse_twins,
)
from idhray.images import resize

ROWS = "rows.csv"
LABELS_FILE = "dataset.json"


def write_zip(
    path: str, rows: Iterable[Row], kind: Kind, file: str, side_px: int | None
) -> list[dict[str, Any]]:
    """Write a zip of the rows, the same bytes every time; return the rows of the index.

    Labels are null if no image has one.

    Args:
        path: Path of the zip.
        rows: Rows of the table.
        kind: Kind of the table.
        file: Name of the zip in the index.
        side_px: Side that images are resized to; unchanged when None.

    Raises:
        TableError: images are not square or differ in size, the side is no power of two, or only
            some of the images have a label.
    """
    index: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    labels: list[tuple[str, int | None]] = []
    side = 0
    with new_file(path) as handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
        for number, row in enumerate(rows):
            name = f"{number // 1000:05d}/img{number:08d}.png"
            data, image_side = _png(row, side_px)
            side = side or image_side
            if image_side != side:
                raise TableError(
                    f"{row.part} row {row.number}: {image_side} px among images of {side}"
                )
            archive.writestr(zipfile.ZipInfo(name), data)
            idh = row.values.get("idh")
            labels.append((name, LABELS.index(idh) if idh in LABELS else None))
            members.append(index_row(name, row))
            index.append(index_row(f"{file}#{name}", row))
        archive.writestr(zipfile.ZipInfo(LABELS_FILE), json.dumps({"labels": _labels(labels)}))
        archive.writestr(zipfile.ZipInfo(ROWS), _csv(members, index_schema(kind).names))
    return index


def _png(row: Row, side_px: int | None) -> tuple[bytes, int]:
    """(bytes of an uncompressed PNG, its side)."""
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
    labeled = [(name, label) for name, label in labels if label is not None]
    if labeled and len(labeled) < len(labels):
        raise TableError(f"{len(labels) - len(labeled)} of {len(labels)} images have no label")
    return labeled or None


def _csv(rows: list[dict[str, Any]], names: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _listing(path: str) -> Iterator[Sample]:
    with _opened(path) as archive:
        by_name = {}
        if ROWS in archive.namelist():
            text = _member(archive, ROWS).decode(errors="replace")
            by_name = by_file(io.StringIO(text, newline=""), f"{path}: {ROWS}")
        names = [name for name in archive.namelist() if name.lower().endswith(IMAGE_ENDINGS)]
        refuse_twins(path, names)
        for name in sorted(names):
            yield Sample(name=name, metadata=by_name.get(name, {}))


def _images(path: str, names: Mapping[str, ByteRange | None]) -> Iterator[Sample]:
    with _opened(path) as archive:
        members = set(archive.namelist())
        for name in names:
            if name in members:
                yield Sample(name=name, data=_member(archive, name))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Bytes of a member; none if they are broken, encrypted or far too many."""
    try:
        return archive.read(name) if archive.getinfo(name).file_size <= LARGEST_BYTES else b""
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError):
        return b""


def _opened(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise TableError(f"{path}: not a zip, or a broken one ({error})") from None


READER = Reader(
    files=lambda source: shard_files(source, (".zip",)), listing=_listing, images=_images
)
