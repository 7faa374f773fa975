"""Parts: Parquet files of a table, published atomically and read one row group at a time.

A table is a folder of parts, `part-<key>.parquet`. A large input has further parts after the first,
`part-<key>-0001.parquet` and so on.
"""

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from idhray.errors import LeakageError, TableError
from idhray.fingerprints import columns_of, is_marked_synthetic
from idhray.storage import exists, filesystem, join, list_files, publishing
from idhray.tables import ADDED, DERIVED, FROM_MANIFEST, IMAGE, PIXELS_DIGEST


def part_path(folder: str, key: str, shard: int = 0) -> str:
    """Path of one part of an input.

    Args:
        key: Name of the input: any text, such as a path or URI.
        shard: Number of the part, from 0; small inputs have one part only.
    """
    number = f"-{shard:04d}" if shard else ""
    return join(folder, f"{_part_name(key)}{number}.parquet")


def _part_name(key: str) -> str:
    return f"part-{hashlib.sha256(key.encode()).hexdigest()[:20]}"


def publish_table(path: str, rows: Iterable[dict[str, Any]], schema: pa.Schema) -> str:
    """Write rows atomically as one Parquet file, and return the digest of `PublishedPart`."""
    # In small row groups, readers of single images need not decode a whole slide's column chunk.
    return publish_rows(path, rows, schema, rows_per_group=256).digest


class PublishedPart(NamedTuple):
    """One published part of a table."""

    rows: int
    digest: str
    """Digest of the rows without the columns that come from the manifest, 16 hex digits."""


def publish_rows(
    path: str, rows: Iterable[dict[str, Any]], schema: pa.Schema, *, rows_per_group: int
) -> PublishedPart:
    """Write rows atomically as they arrive; memory holds one row group at a time.

    Raises:
        StorageError: No space is left. Errors of `rows` pass through. In both cases no file
            appears.
    """
    count, content = 0, hashlib.sha256()
    with publishing(path) as handle, pq.ParquetWriter(handle, schema, **_encoding(schema)) as file:
        for group in _batched(rows, rows_per_group):
            rows_of_group = [with_fingerprint(row, schema) for row in group]
            table = pa.Table.from_pylist(rows_of_group, schema=schema)
            file.write_table(table)
            _add_rows(content, table)
            count += len(group)
    return PublishedPart(count, content.hexdigest()[:16])


def with_fingerprint(row: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """The row of an image with its fingerprint, if the schema has these columns.

    Raises:
        LeakageError: a row of a patient holds a synthetic image.
    """
    if PIXELS_DIGEST not in schema.names or PIXELS_DIGEST in row or not row.get("image"):
        return row
    data = row["image"].get("bytes") or b""
    if "patient" in schema.names and is_marked_synthetic(data):
        raise LeakageError(
            f"{row['image'].get('path')}: a synthetic image under patient {row.get('patient')}; "
            "only images of patients belong in this table"
        )
    return {**row, **columns_of(data)}


def _add_rows(content: "hashlib._Hash", table: pa.Table) -> None:
    """Add the rows of a table to a digest, without derived columns and those of the manifest."""
    left_out = _names_in_metadata(table.schema, FROM_MANIFEST)
    left_out += _names_in_metadata(table.schema, DERIVED)
    images = [name for name in table.column_names if table.schema.field(name).type == IMAGE]
    vectors = [
        name
        for name in table.column_names
        if pa.types.is_fixed_size_list(table.schema.field(name).type)
    ]
    dropped = {*left_out, *images, *vectors} & set(table.column_names)
    values = table.drop_columns([name for name in table.column_names if name in dropped])
    content.update(json.dumps(values.to_pydict(), default=str).encode())
    for name in vectors:
        content.update(table[name].combine_chunks().flatten().to_numpy().tobytes())
    for name in images:
        for cell in table[name]:
            content.update(cell["bytes"].as_buffer() if cell["bytes"].is_valid else b"null")
            content.update(str(cell["path"].as_py()).encode())


def _names_in_metadata(schema: pa.Schema, key: bytes) -> list[str]:
    names = (schema.metadata or {}).get(key, b"").decode()
    return names.split(",") if names else []


def replace_values(path: str, values: Mapping[str, Mapping[str, str]]) -> None:
    """Write other patient-level values into a part of a table of images, atomically.

    The images are copied as they are.

    Args:
        path: Path of the part.
        values: Column -> value, by patient. If only one patient is listed, all rows are this
            patient's, whatever name they have now.

    Raises:
        TableError: the part is damaged, or holds a patient who is not listed.
    """
    with _opened_part(path, None) as part:
        schema = part.schema_arrow
        with (
            publishing(path) as handle,
            pq.ParquetWriter(handle, schema, **_encoding(schema)) as file,
        ):
            for group in range(part.num_row_groups):
                table = part.read_row_group(group).combine_chunks()
                file.write_table(_with_values(table, values, path))


def _with_values(table: pa.Table, values: Mapping[str, Mapping[str, str]], path: str) -> pa.Table:
    """The table with the values of its patients."""
    names = table["patient"].to_pylist()
    if len(values) == 1:
        names = [*values] * len(names)
    if unlisted := sorted({*names} - {*values}):
        raise TableError(f"{path}: holds patient {unlisted[0]}, whom this run does not list")
    columns = {"patient": names}
    for column in next(iter(values.values())):
        columns[column] = [values[name][column] for name in names]
    for column, cells in columns.items():
        place = table.schema.get_field_index(column)
        field = table.schema.field(place)
        table = table.set_column(place, field, pa.array(cells, field.type))
    return table


def remaining_rows(
    path: str,
    columns: Collection[str],
    values: Collection[str],
    change: Callable[[str], str],
) -> tuple[list[dict[str, Any]], pa.Schema]:
    """Rows of a part without those that hold one of some values, and the schema of the part.

    Args:
        path: Path of the part.
        columns: Columns that are compared; those that the part lacks are ignored.
        values: Values whose rows are left out.
        change: Function that is applied to every text of the rows that stay.
    """
    with _opened_part(path, None) as part:
        schema = part.schema_arrow
        compared = [name for name in columns if name in schema.names]
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        rows = [
            row | {name: change(row[name]) for name in texts if row[name]}
            for row in part.read().to_pylist()
            if not any(row[name] in values for name in compared)
        ]
    return rows, schema


def digest_of_rows(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> str:
    """Digest that `publish_table` returns for these rows."""
    content = hashlib.sha256()
    for group in _batched(rows, 256):
        _add_rows(content, pa.Table.from_pylist(group, schema=schema))
    return content.hexdigest()[:16]


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """Writer options. Images are compressed and distinct already, so they are stored plain."""
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


def _batched(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while batch := list(itertools.islice(remaining, size)):
        yield batch


def parts(folder: str) -> list[str]:
    """Part files of a table, sorted by name."""
    return list_files(folder, prefix="part-", suffix=".parquet")


def further_parts(folder: str, key: str, shards: int) -> list[str]:
    """Part files of an input after its first `shards`, left by an earlier, larger version."""
    paths = []
    while exists(path := part_path(folder, key, shards)):
        paths.append(path)
        shards += 1
    return paths


def read_part(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read one part.

    Raises:
        TableError: The file is not a Parquet file, or a column is missing.
    """
    with _opened_part(path, columns) as part:
        return part.read(columns=columns)


def column_names(path: str) -> list[str]:
    """Names of the columns of one part; no row is read.

    Raises:
        TableError: The file is not a Parquet file.
    """
    with _opened_part(path, None) as part:
        return list(part.schema_arrow.names)


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
        reason = " ".join(str(error).split())
        raise TableError(
            f"{path}: not a Parquet file, or a damaged one ({reason}); delete it and run the stage "
            "that makes it again"
        ) from None


def may_hold(path: str, values: Mapping[str, str]) -> bool:
    """True if a part can have a row with these values, by its statistics; no row is read.

    Raises:
        TableError: The file is not a Parquet file, or a column is missing.
    """
    with _opened_part(path, list(values)) as part:
        groups = [part.metadata.row_group(k) for k in range(part.num_row_groups)]
        return any(_group_may_hold(group, values) for group in groups)


def _group_may_hold(group: pq.RowGroupMetaData, values: Mapping[str, str]) -> bool:
    columns = (group.column(k) for k in range(group.num_columns))
    statistics = {column.path_in_schema: column.statistics for column in columns}
    for name, value in values.items():
        limits = statistics.get(name)
        if limits is not None and limits.has_min_max and not limits.min <= value <= limits.max:
            return False
    return True


def read_rows(
    folder: str,
    key: str,
    columns: Sequence[str] | None = None,
    *,
    only: tuple[str, Collection[Any]] | None = None,
) -> Iterator[dict[str, Any]]:
    """Rows of one input, part by part; memory holds one row group at a time.

    Args:
        columns: Columns to read; all if None.
        only: A column and its values to select. Row groups without any such row are skipped, and
            their images are not read.

    Raises:
        TableError: The input has no part, a part is not a Parquet file, or a column is missing.
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
            name, values = only
            column = part.read_row_group(group, columns=[name])[name]
            selected = pc.is_in(column, value_set=pa.array(list(values), column.type))
            if pc.any(selected).as_py():
                rows = part.read_row_group(group, columns=columns)
                yield from rows.filter(selected).to_pylist()


def read_table(
    folder: str,
    schema: pa.Schema,
    columns: Sequence[str] | None = None,
    *,
    part_names: Collection[str] | None = None,
) -> pa.Table:
    """All parts of a table in the order of their names, cast to `schema`.

    A column that earlier versions did not write is null where a part lacks it.

    Args:
        folder: Folder of the table.
        schema: Schema of the table.
        columns: Columns to read; all if None.
        part_names: Names of the parts to read; all if None.

    Raises:
        TableError: There are no parts, or a part lacks another column of the schema.
    """
    names = list(columns or schema.names)
    selected_schema = pa.schema([schema.field(name) for name in names], schema.metadata)
    tables = [
        complete_part(path, selected_schema)
        for path in parts(folder)
        if part_names is None or path.rsplit("/", 1)[-1] in part_names
    ]
    if not tables:
        raise TableError(f"{folder}: no part-*.parquet there; run the stage that makes it first")
    return pa.concat_tables(tables)


def complete_part(path: str, schema: pa.Schema) -> pa.Table:
    """The columns of a schema from one part; added columns that it lacks are null.

    Raises:
        TableError: The file is not a Parquet file, or another column is missing.
    """
    added = _names_in_metadata(schema, ADDED)
    with _opened_part(path, [name for name in schema.names if name not in added]) as part:
        existing = set(part.schema_arrow.names)
        table = part.read(columns=[name for name in schema.names if name in existing])
    for name in set(schema.names) - existing:
        table = table.append_column(
            schema.field(name), pa.nulls(len(table), schema.field(name).type)
        )
    return table.select(schema.names).cast(schema)
