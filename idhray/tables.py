"""The Arrow schema of every table that passes between stages, and how parts are kept on disk.

A table is a folder of `part-<key>.parquet`; a large input has several, `part-<key>-0001.parquet`
and so on after the first. Images are `struct<bytes, path>` with the Hugging Face metadata, so that
`datasets`, pandas, Polars and DuckDB read them as they are.
"""

import contextlib
import hashlib
import io
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from idhray.errors import TableError
from idhray.storage import exists, filesystem, join, list_files, publishing

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _schema(**columns: pa.DataType) -> pa.Schema:
    """A schema with the metadata by which Hugging Face `datasets` knows the image column."""
    features = {
        name: {"_type": "Image"} if kind == IMAGE else {"_type": "Value", "dtype": _hf_name(kind)}
        for name, kind in columns.items()
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(columns.items()), metadata=metadata)


def _hf_name(kind: pa.DataType) -> str:
    return {"double": "float64", "float": "float32", "bool": "bool"}.get(str(kind), str(kind))


_WHO = {"patient": pa.string(), "idh": pa.string(), "split": pa.string()}
_PLACE = {
    "slide": pa.string(),
    "x_l0": pa.int64(),
    "y_l0": pa.int64(),
    "size_l0": pa.float64(),  # width in level-0 pixels; not whole when resampled
    "height_l0": pa.float64(),  # the same, unless the slide's pixels are not square
    "mpp": pa.float64(),  # um per pixel of the stored image
}

TILES = _schema(
    **_WHO,
    **_PLACE,
    mpp_source=pa.string(),
    tissue_fraction=pa.float64(),  # by the slide's mask
    own_tissue_fraction=pa.float64(),  # by the tile's own pixels
    rank=pa.int64(),  # 1 is the best of its slide
    image=IMAGE,
)
PATCHES = _schema(**_WHO, **_PLACE, image=IMAGE)
SLICES = _schema(
    **_WHO,
    study=pa.string(),  # one pair of scans
    z_mm=pa.float64(),  # height (RAS) of the slice in the space of the CE-T1w
    brain_fraction=pa.float64(),  # of the image's pixels
    tumor_fraction=pa.float64(),  # null where no tumor mask was given
    image=IMAGE,  # CE-T1w, FLAIR, null
)
SYNTHETIC = _schema(
    generator=pa.string(),
    seed=pa.int64(),
    index=pa.int64(),
    psi=pa.float64(),
    idh=pa.string(),
    trained_on=pa.string(),
    image=IMAGE,
)
PREDICTIONS = _schema(
    **_WHO,
    model=pa.string(),
    n_synthetic=pa.int64(),
    repeat=pa.int64(),
    fold=pa.int64(),
    p_mutant=pa.float64(),
    n_images=pa.int64(),
)
READINGS = _schema(
    **_WHO,  # patient: null for a synthetic image
    reader=pa.string(),
    case=pa.string(),  # one image as readers saw it
    real=pa.bool_(),  # the truth: of a patient, or synthetic
    judged_real=pa.bool_(),  # what the reader thought; null where no Turing test was held
    location=pa.string(),
    enhancement=pa.string(),
    necrosis=pa.string(),
    surrounding=pa.string(),
    margin=pa.string(),
)
LEDGER = _schema(
    input=pa.string(),
    status=pa.string(),
    rows=pa.int64(),
    parts=pa.int64(),  # files that hold them
    seconds=pa.float64(),
    attempts=pa.int64(),
    error=pa.string(),
    host=pa.string(),
    settings_hash=pa.string(),
    digest=pa.string(),
)


TRUTH = _schema(  # of a made-up slide
    patient=pa.string(),
    slide=pa.string(),
    idh=pa.string(),
    density_per_mm2=pa.float64(),
    pleomorphism=pa.float64(),
    necrosis_fraction=pa.float64(),
    proliferating_vessels_per_mm2=pa.float64(),
    stain_mix=pa.float64(),
    hematoxylin=pa.float64(),
    eosin=pa.float64(),
    white=pa.float64(),
    tissue_mm2=pa.float64(),
    tissue_fraction=pa.float64(),
    usable_fraction=pa.float64(),
    drawn_density_per_mm2=pa.float64(),
    drawn_necrosis_fraction=pa.float64(),
    drawn_nests=pa.int64(),
    pens=pa.string(),
    fold=pa.bool_(),
)


MRI_TRUTH = _schema(  # of a made-up patient with MRI
    patient=pa.string(),
    idh=pa.string(),  # normal where there is no tumor
    age=pa.int64(),
    sex=pa.string(),
    grade=pa.int64(),
    diagnosis=pa.string(),
    cohort=pa.string(),
    site=pa.string(),
    location=pa.string(),
    enhancement=pa.string(),
    necrosis=pa.string(),
    surrounding=pa.string(),
    margin=pa.string(),
    side=pa.string(),
    core_mm=pa.float64(),
    tumour_ml=pa.float64(),
    brain_ml=pa.float64(),
    motion_mm=pa.float64(),
    motion_degrees=pa.float64(),
    flair_from_t1ce=pa.list_(pa.float64()),
)


def part_path(folder: str, key: str, shard: int = 0) -> str:
    """Where a part of one input lies; `key` may be any text, a path or URI too.

    Args:
        shard: 0 is the first; small inputs have no other.
    """
    number = f"-{shard:04d}" if shard else ""
    return join(folder, f"{_part_name(key)}{number}.parquet")


def _part_name(key: str) -> str:
    return f"part-{hashlib.sha256(key.encode()).hexdigest()[:20]}"


def publish_table(path: str, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> str:
    """Write rows as one Parquet file, atomically; 16 hex digits of its content come back."""
    # Small row groups: readers of single images need not decode a whole slide's column chunk.
    return publish_rows(path, rows, schema, rows_per_group=256).digest


class Published(NamedTuple):
    """A file of a table."""

    rows: int
    digest: str
    """16 hex digits of its content."""


def publish_rows(
    path: str, rows: Iterable[dict[str, Any]], schema: pa.Schema, *, rows_per_group: int
) -> Published:
    """Write rows as they come, atomically; memory holds one row group of them.

    Raises:
        StorageError: there is no space left. What `rows` raises comes through; no file appears.
    """
    count, content = 0, hashlib.sha256()
    with publishing(path) as handle:
        hashed = _Hashed(handle, content.update)
        with pq.ParquetWriter(hashed, schema, **_encoding(schema)) as writer:
            for group in _batched(rows, rows_per_group):
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                count += len(group)
    return Published(count, content.hexdigest()[:16])


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """Images are compressed already, and each is another: looking for more costs time only."""
    values = [field.name for field in schema if field.type != IMAGE]
    if len(values) == len(schema):
        return {"compression": "zstd", "write_page_checksum": True}
    values.append("image.path")
    return {
        "write_page_checksum": True,
        "compression": {**dict.fromkeys(values, "zstd"), "image.bytes": "none"},
        "use_dictionary": values,
        "write_statistics": values,
    }


class _Hashed(io.RawIOBase):
    """A file whose content is also shown to `see`, piece by piece."""

    def __init__(self, handle: BinaryIO, see: Callable[[Any], None]) -> None:
        self._handle, self._see = handle, see

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._see(data)
        return self._handle.write(data)


def _batched(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    left = iter(rows)
    while batch := list(itertools.islice(left, size)):
        yield batch


def parts(folder: str) -> list[str]:
    """The part files of a table, sorted by name."""
    return list_files(folder, prefix="part-", suffix=".parquet")


def further_parts(folder: str, key: str, shards: int) -> list[str]:
    """The part files of an input beside its first `shards`: of an earlier, larger version."""
    found = []
    while exists(part_path(folder, key, shards)):
        found.append(part_path(folder, key, shards))
        shards += 1
    return found


def read_part(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One part.

    Raises:
        TableError: it is no Parquet file, or a column is missing.
    """
    with _opened_part(path, columns) as part:
        return part.read(columns=columns)


@contextlib.contextmanager
def _opened_part(path: str, columns: Sequence[str] | None) -> Iterator[pq.ParquetFile]:
    files, inner = filesystem(path)
    try:
        with files.open_input_file(inner) as handle:
            part = pq.ParquetFile(handle, page_checksum_verification=True)
            if missing := sorted(set(columns or ()) - set(part.schema_arrow.names)):
                raise TableError(f"{path}: no column {', '.join(missing)}")
            yield part
    except FileNotFoundError:
        raise TableError(f"{path}: no such part; run the stage that makes it again") from None
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise TableError(
            f"{path}: not a Parquet file, or a damaged one ({why}); delete it and run the stage "
            "that makes it again"
        ) from None


def may_hold(path: str, wanted: Mapping[str, str]) -> bool:
    """Whether a part can have a row with these values, by its statistics: no row is read.

    Raises:
        TableError: it is no Parquet file, or a column is missing.
    """
    with _opened_part(path, list(wanted)) as part:
        groups = [part.metadata.row_group(k) for k in range(part.num_row_groups)]
        return any(_group_may_hold(group, wanted) for group in groups)


def _group_may_hold(group: pq.RowGroupMetaData, wanted: Mapping[str, str]) -> bool:
    columns = (group.column(k) for k in range(group.num_columns))
    found = {column.path_in_schema: column.statistics for column in columns}
    for name, value in wanted.items():
        known = found.get(name)
        if known is not None and known.has_min_max and not known.min <= value <= known.max:
            return False
    return True


def read_rows(
    folder: str,
    key: str,
    columns: Sequence[str] | None = None,
    *,
    only: tuple[str, Collection[Any]] | None = None,
) -> Iterator[dict[str, Any]]:
    """The rows of one input, shard after shard; memory holds one row group at a time.

    Args:
        columns: All when None.
        only: A column and the values of it that are wanted; of other rows no image is read, where
            their whole row group is not wanted.

    Raises:
        TableError: the input has no part, a shard is no Parquet file, or a column is missing.
    """
    shard = 0
    while shard == 0 or exists(part_path(folder, key, shard)):
        yield from _rows_of_part(part_path(folder, key, shard), columns, only)
        shard += 1


def _rows_of_part(
    path: str, columns: Sequence[str] | None, only: tuple[str, Collection[Any]] | None
) -> Iterator[dict[str, Any]]:
    with _opened_part(path, columns) as part:
        for group in range(part.num_row_groups):
            if only is None:
                yield from part.read_row_group(group, columns=columns).to_pylist()
                continue
            there = part.read_row_group(group, columns=[only[0]])[only[0]]
            wanted = pc.is_in(there, value_set=pa.array(list(only[1]), there.type))
            if pc.any(wanted).as_py():
                found = part.read_row_group(group, columns=columns)
                yield from found.filter(wanted).to_pylist()


def read_table(folder: str, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """All parts of a table, in the order of their names, cast to `schema`.

    Raises:
        TableError: there are no parts, or a part lacks a column of the schema.
    """
    names = list(columns or schema.names)
    wanted = pa.schema([schema.field(name) for name in names])
    found = [read_part(path, names) for path in parts(folder)]
    if not found:
        raise TableError(f"{folder}: no part-*.parquet there; run the stage that makes it first")
    return pa.concat_tables([table.select(names).cast(wanted) for table in found])
