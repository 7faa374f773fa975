"""Text tables: CSV, TSV or Parquet files with every cell as text."""

import csv
import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from idhray.errors import ManifestError, StorageError
from idhray.storage import read_bytes


def read_text_table(path: str) -> pd.DataFrame:
    """Read a CSV, TSV or Parquet file with every cell as text, "" if empty.

    Raises:
        ManifestError: The file is not such a table.
    """
    try:
        data = read_bytes(path)
        if path.endswith(".parquet"):
            return pq.read_table(io.BytesIO(data)).to_pandas().apply(as_text)
        text = data.decode("utf-8-sig")  # Excel writes a byte order mark
        separator = "\t" if path.endswith((".tsv", ".txt")) else ","
        rows = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except (StorageError, pa.ArrowInvalid, csv.Error, UnicodeError) as error:
        raise ManifestError(f"{path}: not a table ({error}); a CSV, TSV or Parquet file is needed")
    return _rectangle(path, rows)


def _rectangle(path: str, rows: list[list[str]]) -> pd.DataFrame:
    """Table of rows under their header. Longer rows are refused: their columns are shifted."""
    if not rows:
        raise ManifestError(f"{path}: is empty; a header and rows are needed")
    header, *body = rows
    problems = [f"column `{name}` occurs twice" for name in header if header.count(name) > 1]
    problems += [
        f"row {number}: {len(row)} cells under a header of {len(header)}; quote cells with commas"
        for number, row in enumerate(body, start=2)
        if len(row) > len(header)
    ]
    if problems:
        raise ManifestError(problem_message(path, sorted(set(problems), key=problems.index)))
    filled = [row + [""] * (len(header) - len(row)) for row in body]
    return pd.DataFrame(filled, columns=header, dtype=object)


def as_text(column: "pd.Series[object]") -> "pd.Series[str]":
    """Column with every cell as text: "" for None and NaN, whole floats without a fraction."""

    def cell(value: object) -> str:
        if value is None or value != value:  # noqa: PLR0124 - NaN is not equal to itself
            return ""
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    return column.map(cell).astype(object)


def problem_message(path: str, problems: list[str]) -> str:
    """Error message with all problems of a table, one per line."""
    noun = "problem" if len(problems) == 1 else "problems"
    return "\n  ".join([f"{path}: {len(problems)} {noun}; nothing was done", *problems])
