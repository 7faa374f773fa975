"""Plan of an export: which rows of a table go to which file."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from idhray.exchange.rows import Kind, Row, group_of, stream
from idhray.storage import filesystem, join

ExportFormat = Literal["folder", "tfrecord", "h5", "webdataset", "stylegan"]


@dataclass(frozen=True, kw_only=True)
class FilePlan:
    """The rows of one file, or of the files of one slide."""

    key: str
    """Split of the rows in a zip or tar; slide, study or generator elsewhere."""
    parts: tuple[str, ...]
    """Names of the parts with such rows."""
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Part -> numbers of its first row and of the row after its last, for tar files only."""


def file_plans(
    paths: Sequence[str], kind: Kind, format_: ExportFormat, shard_bytes: int
) -> dict[str, FilePlan]:
    """Name of each file, or of each slide with files of its own -> its rows.

    Args:
        paths: Paths of the parts of the table.
        kind: Kind of the table.
        format_: Format of the files.
        shard_bytes: Approximate size of a tar file.
    """
    if format_ == "webdataset":
        return _tar_plans(paths, kind, shard_bytes)
    parts_by_key: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for key in dict.fromkeys(_key(row, kind, format_) for row in _rows_of_part(path, kind)):
            parts_by_key[key].append(_name(path))
    return {key: FilePlan(key=key, parts=tuple(names)) for key, names in parts_by_key.items()}


def _tar_plans(paths: Sequence[str], kind: Kind, shard_bytes: int) -> dict[str, FilePlan]:
    """Tar files of about `shard_bytes`: rows of one split, in the order of the table."""
    keys: dict[str, str] = {}
    spans: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    current: dict[str, tuple[int, float]] = {}  # split -> number of its tar file, bytes in it
    for path in paths:
        files, inner = filesystem(path)
        splits = [_key(row, kind, "webdataset") for row in _rows_of_part(path, kind)]
        row_bytes = files.get_file_info(inner).size / max(len(splits), 1)
        for number, split in enumerate(splits):
            shard, size = current.get(split, (0, 0.0))
            if size and size + row_bytes > shard_bytes:
                shard, size = shard + 1, 0.0
            current[split] = (shard, size + row_bytes)
            name, part = f"{split}-{shard:06d}", _name(path)
            keys[name] = split
            first, _ = spans[name].get(part, (number, number))
            spans[name][part] = (first, number + 1)
    return {
        name: FilePlan(key=keys[name], parts=tuple(by_part), spans=by_part)
        for name, by_part in spans.items()
    }


def planned_rows(
    folder: str, plan: FilePlan, kind: Kind, format_: ExportFormat, columns: Sequence[str] = ()
) -> Iterator[Row]:
    """The rows of one plan, a few in memory at a time.

    Args:
        folder: Folder of the table.
        plan: Plan of the file.
        kind: Kind of the table.
        format_: Format of the file.
        columns: Columns to read; all columns if empty.
    """
    for part in plan.parts:
        first, end = plan.spans.get(part, (0, None))
        for row in islice(_stream(join(folder, part), kind, columns), first, end):
            if _key(row, kind, format_) == plan.key:
                yield row


def _rows_of_part(path: str, kind: Kind) -> Iterator[Row]:
    """The rows of one part, without their images."""
    return _stream(path, kind, (kind.group,))


def _stream(path: str, kind: Kind, columns: Sequence[str]) -> Iterator[Row]:
    """Rows with all columns, or with `columns` and those that `_key` needs."""
    key_columns = [name for name in ("patient", "split") if name in kind.schema.names]
    return stream(path, [*columns, *key_columns] if columns else None)


def _key(row: Row, kind: Kind, format_: ExportFormat) -> str:
    if format_ in ("stylegan", "webdataset"):
        return str(row.values.get("split") or kind.name)
    return group_of(row, kind)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
