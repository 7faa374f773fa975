"""Rows of a table for export: streamed, named, their images as JPEG or PNG."""

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from idhray.errors import TableError
from idhray.images import decode, encode
from idhray.storage import filesystem
from idhray.tables import IMAGE, PATCHES, SLICES, SYNTHETIC, TILES

BATCH = 16  # rows in memory at a time: about 11 MB of 1024 px tiles
BUFFER_BYTES = 1 << 20
MAX_NAME_LENGTH = 80  # letters; folders and tar headers have limits
ENDINGS = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png"}


class Kind(NamedTuple):
    """A kind of table that holds images."""

    name: str
    schema: pa.Schema
    group: str
    """Column with the slide, study or generator that an image comes from."""
    marker: str
    """Column that no table further down in `KINDS` has."""


KINDS = (
    Kind("tiles", TILES, "slide", "mpp_source"),
    Kind("patches", PATCHES, "slide", "slide"),
    Kind("slices", SLICES, "study", "study"),
    Kind("synthetic", SYNTHETIC, "generator", "generator"),
)


class Row(NamedTuple):
    """One row and its place in the table, which identifies it permanently."""

    values: dict[str, Any]
    part: str
    number: int


def kind_of(path: str) -> Kind:
    """Kind of the table that a part belongs to.

    Raises:
        TableError: no table with images has these columns.
    """
    with _opened(path) as part:
        names = set(part.schema_arrow.names)
    for kind in KINDS:
        if {"image", kind.group, kind.marker} <= names:
            return kind
    raise TableError(
        f"{path}: columns {', '.join(sorted(names))}; tiles, patches, slices or synthetic images "
        "are needed"
    )


def index_schema(kind: Kind) -> pa.Schema:
    """Schema of an export's index: the file of each image, and all columns but the image."""
    fields = [field for field in kind.schema if field.type != IMAGE]
    return pa.schema([pa.field("file", pa.string()), *fields])


def index_row(file: str, row: Row) -> dict[str, Any]:
    """Row of an export's index."""
    return {"file": file, **row_metadata(row)}


def row_metadata(row: Row) -> dict[str, Any]:
    """All columns of a row but the image, as plain JSON values."""
    return {name: value for name, value in row.values.items() if name != "image"}


def stream(path: str, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Rows of one part, a few in memory at a time.

    Args:
        path: Path of the part.
        columns: Names of the columns to read; all columns when None.

    Raises:
        TableError: the file is no Parquet file, or a broken one.
    """
    name, number = path.rsplit("/", 1)[-1], 0
    with _opened(path) as part:
        try:
            for batch in part.iter_batches(batch_size=BATCH, columns=columns):
                for values in batch.to_pylist():
                    yield Row(values, name, number)
                    number += 1
        except (pa.ArrowInvalid, OSError) as error:
            raise TableError(f"{path}: cannot be read ({error})") from None


def _opened(path: str) -> pq.ParquetFile:
    files, inner = filesystem(path)
    try:
        # With pre_buffer Arrow keeps all that it has read, in the end the whole part.
        return pq.ParquetFile(
            files.open_input_file(inner), buffer_size=BUFFER_BYTES, pre_buffer=False
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a Parquet file ({error})") from None


def group_of(row: Row, kind: Kind) -> str:
    """Slide, study or generator of a row; its patient in a foreign table that lacks them."""
    return str(row.values[kind.group] or row.values.get("patient") or "unnamed")


def portable(row: Row) -> tuple[bytes, str]:
    """Image of a row as (bytes, "jpg" or "png"); JPEG and PNG keep their bytes.

    Raises:
        TableError: the row has no image, or a broken one.
    """
    data = (row.values["image"] or {}).get("bytes") or b""
    for magic, ending in ENDINGS.items():
        if data.startswith(magic):
            return data, ending
    return encode(decode(data)), "png"


def size_of(data: bytes) -> tuple[int, int]:
    """(width, height) of an encoded image, from its header.

    Raises:
        TableError: the bytes are no image.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise TableError(f"an image of {len(data)} bytes cannot be opened ({error})") from None


def safe_name(text: str, *, dots: bool = True) -> str:
    """File name for any text; other characters are replaced, and a hash keeps names distinct.

    Args:
        text: Any text.
        dots: Keep dots. WebDataset ends the name of a sample at the first dot.
    """
    name = re.sub(r"[^A-Za-z0-9._-]" if dots else r"[^A-Za-z0-9_-]", "_", text)
    name = name.lstrip(".-")[:MAX_NAME_LENGTH]
    return name if name == text != "" else f"{name or 'x'}-{_hash(text)}"


def image_name(row: Row, kind: Kind) -> str:
    """Name of an image, without ending, by its place on the slide or else by its row."""
    group = safe_name(group_of(row, kind), dots=False)
    values = row.values
    if values.get("x_l0") is not None and values.get("y_l0") is not None:
        return f"{group}_x{values['x_l0']}_y{values['y_l0']}"
    stem = re.sub(r"\.\w+$", "", (values["image"] or {}).get("path") or "").rsplit("/", 1)[-1]
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", stem)[:MAX_NAME_LENGTH]
    return f"{group}_{stem}-{_hash(f'{row.part} {row.number}')}"


class Names:
    """Image names, each used once: a place that a table holds twice gets a second name."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._uses: dict[str, int] = {}

    def of(self, row: Row) -> str:
        """Name of a row's image that no earlier row got."""
        name = image_name(row, self._kind)
        uses = self._uses[name] = self._uses.get(name, 0) + 1
        return name if uses == 1 else f"{name}-{uses}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
