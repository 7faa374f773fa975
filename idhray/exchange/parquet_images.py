"""Images in a column `image` of Parquet files, as struct<bytes, path> or plain bytes."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from idhray.errors import TableError
from idhray.exchange.files import shard_files
from idhray.exchange.sample import LARGEST_BYTES, ByteRange, Reader, Sample

COLUMN = "image"
BATCH = 64
"""Rows that are decoded at once."""


def _listing(path: str) -> Iterator[Sample]:
    """One sample for each row, named by its number."""
    with _opened(path) as part:
        for number in range(part.metadata.num_rows):
            yield Sample(name=str(number))


def _images(path: str, names: Mapping[str, ByteRange | None]) -> Iterator[Sample]:
    with _opened(path) as part:
        number = 0
        for batch in part.iter_batches(BATCH, columns=[COLUMN]):
            for cell in batch.column(0).to_pylist():
                if str(number) in names:
                    yield Sample(name=str(number), data=_bytes(cell))
                number += 1


def _bytes(cell: Any) -> bytes:
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    return data if isinstance(data, bytes) and len(data) <= LARGEST_BYTES else b""


def _opened(path: str) -> pq.ParquetFile:
    """Open Parquet file with a column of images.

    Raises:
        TableError: it is no Parquet file, or has no such column.
    """
    try:
        part = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a Parquet file, or a broken one ({error})") from None
    if COLUMN not in part.schema_arrow.names:
        columns = ", ".join(part.schema_arrow.names[:8])
        raise TableError(f"{path}: no column {COLUMN} (columns: {columns}); rename it")
    return part


READER = Reader(
    files=lambda source: shard_files(source, (".parquet",)), listing=_listing, images=_images
)
