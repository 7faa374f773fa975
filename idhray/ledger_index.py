"""Index of a ledger: rows of many of its files in one, so that a start is not a request per input.

    OUT/_ledger/_index.parquet   copies of rows, with size and time of the files that hold them

The files are the ledger; the index may be deleted at any time. A row of it counts while its file
has the same size and time. A store may give times in whole seconds only, so rows of files that were
written shortly before the index do not count.
"""

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from idhray.errors import TableError
from idhray.storage import ListedFile, file_states, join, publishing
from idhray.table_parts import complete_part
from idhray.tables import LEDGER

INDEX = "_index.parquet"  # readers of a folder leave out names that begin so
SETTLED_NS = 3_000_000_000
WORTH_FILES = 100
"""Files that are read one by one before an index is written."""
READS_AT_ONCE = 16
"""Ledger files read at the same time. One table of 10,000 files would take 150 MB."""
FILE_COLUMNS = ("file", "size", "changed_ns")

SCHEMA = pa.schema(
    [
        *LEDGER,
        pa.field("file", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("changed_ns", pa.int64()),
    ],
    LEDGER.metadata,
)

LedgerRow = dict[str, Any]


def ledger_rows(folder: str, *, update: bool = False) -> list[LedgerRow]:
    """Rows of a ledger in the order of its files, as in LEDGER.

    Args:
        folder: Folder of the ledger.
        update: Write the index if many files had to be read. Only for a run that holds the lock.
    """
    states = file_states(folder)
    parts = {n: s for n, s in states.items() if n.startswith("part-") and n.endswith(".parquet")}
    indexed = dict(_indexed(folder, states, parts)) if INDEX in states else {}
    missing = [name for name in parts if name not in indexed]
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        rows_read = pool.map(lambda name: _row(join(folder, name)), missing)
        read = dict(zip(missing, rows_read, strict=True))
    rows = {name: indexed[name] if name in indexed else read[name] for name in sorted(parts)}
    if update and len(missing) > WORTH_FILES:
        _write(folder, rows, parts)
    return list(rows.values())


def _row(path: str) -> LedgerRow:
    (row,) = complete_part(path, LEDGER).to_pylist()
    return dict(row)


def _indexed(
    folder: str, states: Mapping[str, ListedFile], parts: Mapping[str, ListedFile]
) -> Iterator[tuple[str, LedgerRow]]:
    """Rows of the index that count, by file."""
    written_ns = states[INDEX].changed_ns
    rows: list[LedgerRow] = []
    with contextlib.suppress(TableError):  # of a later version, or damaged: read the files
        rows = complete_part(join(folder, INDEX), SCHEMA).to_pylist()
    for row in rows:
        name, size, changed_ns = (row.pop(column) for column in FILE_COLUMNS)
        is_settled = changed_ns < written_ns - SETTLED_NS
        if is_settled and parts.get(name) == ListedFile(size=size, changed_ns=changed_ns):
            yield name, row


def _write(folder: str, rows: Mapping[str, LedgerRow], parts: Mapping[str, ListedFile]) -> None:
    values = [
        {**row, "file": name, "size": parts[name].size, "changed_ns": parts[name].changed_ns}
        for name, row in rows.items()
    ]
    with publishing(join(folder, INDEX)) as handle:
        pq.write_table(pa.Table.from_pylist(values, schema=SCHEMA), handle, compression="zstd")
