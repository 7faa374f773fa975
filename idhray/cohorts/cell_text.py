"""Cells of tables as text, and names of columns for comparison."""

import math
import re
import unicodedata
from collections.abc import Iterable

import numpy as np
import pandas as pd

from idhray.errors import ManifestError


def cell_text(value: object) -> str:
    """One cell as text: "" for a missing value, whole floats without a fraction.

    Raises:
        ManifestError: Bytes that are not UTF-8, or a list or mapping that is not text.
    """
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, bytes):
        return _decoded(value)
    if isinstance(value, float | np.floating):
        if math.isnan(value):
            return ""
        return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
    return str(value)


def as_text(column: "pd.Series[object]") -> "pd.Series[str]":
    """Column with every cell as text, see `cell_text`."""
    return pd.Series([*map(cell_text, column)], index=column.index, name=column.name, dtype=object)


def header_key(name: str) -> str:
    """Name of a column for comparison: without case, runs of blanks, dots and dashes as `_`."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_.\-]+", "_", plain.strip()).strip("_")


def listed_columns(table: pd.DataFrame) -> str:
    """Columns of a table as a list; a single one probably has another separator."""
    names = ", ".join(map(str, table))
    if table.shape[1] != 1 or not re.search(r"\W", names):
        return names
    return f"one column, {names!r}: no comma, semicolon, tab or pipe divides its rows"


def with_names(table: pd.DataFrame, names: Iterable[str], path: str) -> pd.DataFrame:
    """Table whose columns have the given names where only case, blanks or dashes differ.

    Args:
        table: Table, every cell as text.
        names: Names of the columns that a reader uses.
        path: Name of the table in messages.

    Raises:
        ManifestError: Two columns have one name under this comparison.
    """
    by_key = {header_key(name): name for name in names}
    renamed = {column: by_key.get(header_key(column), column) for column in table}
    for name in by_key.values():
        spellings = [column for column, new in renamed.items() if new == name]
        if len(spellings) > 1:
            listed = " and ".join(f"`{spelling}`" for spelling in spellings)
            raise ManifestError(f"{path}: columns {listed} are both `{name}`; keep one")
    return table.rename(columns=renamed)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ManifestError("holds bytes that are not text; write the column as text") from None
