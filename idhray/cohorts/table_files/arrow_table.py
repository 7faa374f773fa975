"""Columns of Parquet and Feather files as text, exact for every type that data frames write."""

import io
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from idhray.cohorts.cell_text import cell_text
from idhray.errors import ManifestError

_UNNAMED_INDEX = "__index_level_"


def arrow_text(data: bytes, kind: Literal["parquet", "arrow"]) -> pd.DataFrame:
    """Table of a Parquet or Feather file; a named index of pandas is a column like any other.

    Cells are read from Arrow, not from pandas: its integers with missing values are rounded.

    Raises:
        ManifestError: The file is damaged, or a column holds bytes that are no text.
    """
    try:
        buffer = io.BytesIO(data)
        table = pq.read_table(buffer) if kind == "parquet" else feather.read_table(buffer)
        columns = {str(name): _texts(table.column(i)) for i, name in enumerate(table.column_names)}
    except (pa.ArrowException, OSError, ValueError, UnicodeError, OverflowError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ManifestError(f"is a {kind.title()} file that cannot be read ({reason})") from None
    if twice := {name for name in table.column_names if table.column_names.count(name) > 1}:
        raise ManifestError(f"column `{min(twice)}` occurs twice")
    frame = pd.DataFrame(columns, index=range(table.num_rows), dtype=object)
    unnamed = [name for name in frame if name.startswith(_UNNAMED_INDEX)]
    return frame.drop(columns=[name for name in unnamed if _counts_rows(frame[name])])


def _texts(column: pa.ChunkedArray) -> list[str]:
    narrow = pa.types.is_float32(column.type) or pa.types.is_float16(column.type)
    values = column.to_numpy().astype(np.float32) if narrow else column.to_pylist()
    try:
        return [cell_text(value) for value in values]
    except ManifestError as error:
        raise ValueError(str(error)) from None


def _counts_rows(column: "pd.Series[str]") -> bool:
    """True for an index that numbers the rows, as a filtered or sorted frame leaves it."""
    return bool(column.str.fullmatch(r"\d*").all())
