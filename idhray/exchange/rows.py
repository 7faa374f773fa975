"""The rows of a table as they go out to other tools: streamed, named, as JPEG or PNG."""

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

BATCH = 16  # rows in memory at a time: some 11 MB of 1024 px tiles
BUFFER_BYTES = 1 << 20
LONGEST = 80  # letters of a name; folders and tar headers have limits
ENDINGS = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png"}


class Kind(NamedTuple):
    """A kind of table that holds images."""

    name: str
    schema: pa.Schema
    group: str
    """The column that says what an image was taken from."""
    own: str
    """A column that tables below this one in the list do not have."""


KINDS = (
    Kind("tiles", TILES, "slide", "rank"),
    Kind("patches", PATCHES, "slide", "slide"),
    Kind("slices", SLICES, "study", "study"),
    Kind("synthetic", SYNTHETIC, "generator", "generator"),
)


class Row(NamedTuple):
    """One row and where it stands, which names it for ever."""

    values: dict[str, Any]
    part: str
    number: int


def kind_of(path: str) -> Kind:
    """The kind of the table that a part belongs to.

    Raises:
        TableError: its columns are of no table with images.
    """
    with _opened(path) as part:
        names = set(part.schema_arrow.names)
    for kind in KINDS:
        if {"image", kind.group, kind.own} <= names:
            return kind
    raise TableError(
        f"{path}: columns {', '.join(sorted(names))}; tiles, patches, slices or synthetic images "
        "are needed"
    )


def index_schema(kind: Kind) -> pa.Schema:
    """What a table of the exported images says of each: its file, and all columns but the image."""
    fields = [field for field in kind.schema if field.type != IMAGE]
    return pa.schema([pa.field("file", pa.string()), *fields])


def index_row(file: str, row: Row) -> dict[str, Any]:
    """The row of such a table."""
    return {"file": file, **facts(row)}


def facts(row: Row) -> dict[str, Any]:
    """All columns of a row but the image, as plain JSON values."""
    return {name: value for name, value in row.values.items() if name != "image"}


def stream(path: str, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """The rows of one part, a few in memory at a time.

    Raises:
        TableError: it is no Parquet file, or a broken one.
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
        # Else Arrow keeps what it read: the whole part in the end.
        return pq.ParquetFile(
            files.open_input_file(inner), buffer_size=BUFFER_BYTES, pre_buffer=False
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a Parquet file ({error})") from None


def group_of(row: Row, kind: Kind) -> str:
    """Slide, study or generator; the patient where a foreign table does not say it."""
    return str(row.values[kind.group] or row.values.get("patient") or "unnamed")


def portable(row: Row) -> tuple[bytes, str]:
    """The image of a row as (bytes, jpg or png): its own bytes where they are one of these.

    Raises:
        TableError: there is no image, or a broken one.
    """
    data = (row.values["image"] or {}).get("bytes") or b""
    for magic, ending in ENDINGS.items():
        if data.startswith(magic):
            return data, ending
    return encode(decode(data)), "png"


def size_of(data: bytes) -> tuple[int, int]:
    """(width, height) of an encoded image, by its header.

    Raises:
        TableError: it is none.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise TableError(f"an image of {len(data)} bytes cannot be opened ({error})") from None


def safe_name(text: str, *, dots: bool = True) -> str:
    """A file name for any text; what cannot be kept is replaced, and a hash keeps names apart.

    Args:
        dots: Keep them; WebDataset ends the name of a sample at the first.
    """
    kept = re.sub(r"[^A-Za-z0-9._-]" if dots else r"[^A-Za-z0-9_-]", "_", text)
    kept = kept.lstrip(".-")[:LONGEST]
    return kept if kept == text != "" else f"{kept or 'x'}-{_hash(text)}"


def image_name(row: Row, kind: Kind) -> str:
    """A name, without ending, that no other image of the table has: by its place on the slide, or
    by its row."""
    group = safe_name(group_of(row, kind), dots=False)
    values = row.values
    if values.get("x_l0") is not None and values.get("y_l0") is not None:
        return f"{group}_x{values['x_l0']}_y{values['y_l0']}"
    stem = re.sub(r"\.\w+$", "", (values["image"] or {}).get("path") or "").rsplit("/", 1)[-1]
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", stem)[:LONGEST]
    return f"{group}_{stem}-{_hash(f'{row.part} {row.number}')}"


class Names:
    """Image names, each given once: a place that is in a table twice gets another name."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._given: dict[str, int] = {}

    def of(self, row: Row) -> str:
        name = image_name(row, self._kind)
        again = self._given[name] = self._given.get(name, 0) + 1
        return name if again == 1 else f"{name}-{again}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
