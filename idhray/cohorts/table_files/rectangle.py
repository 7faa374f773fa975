"""Table of rows under their header."""

import pandas as pd

from idhray.cohorts.table_files.delimited import NumberedRow
from idhray.errors import ManifestError


def rectangle(rows: list[NumberedRow]) -> pd.DataFrame:
    """Table of rows under the first of them; the index is the number of a row less 2.

    A title above the header is left out: one cell above rows of several. A column without a name
    and without a value is no column.

    Raises:
        ManifestError: Two columns have one name, or a row has filled cells beyond the header; all
            such problems, one per line.
    """
    if not rows:
        raise ManifestError("is empty; a header and rows are needed")
    (_, header), *body = _without_title(rows)
    names = [name.strip() for name in header]
    width = max([len(names), *(_filled_width(row) for _, row in body)])
    problems = [f"column `{name}` occurs twice" for name in names if name and names.count(name) > 1]
    if width > len(names):
        problems += _wide_rows(body, len(names))
    if problems:
        raise ManifestError("\n  ".join(dict.fromkeys(problems)))
    body = [row for row in body if [cell.strip() for cell in row[1]] != names]  # joined files
    filled = [[*row, *[""] * (width - len(row))][:width] for _, row in body]
    frame = pd.DataFrame(filled, columns=range(width), dtype=object)
    frame.index = pd.Index([number - 2 for number, _ in body], dtype="int64")
    empty = [i for i in range(width) if not names[i] and not frame[i].str.strip().any()]
    labels = {i: names[i] or _nameless(i) for i in range(width) if i not in empty}
    return frame.drop(columns=empty).rename(columns=labels)


def short_rows(rows: list[NumberedRow]) -> list[int]:
    """Numbers of rows with fewer cells than the others, if nine of ten rows are of one width."""
    widths = [len(row) for _, row in rows]
    usual = max(set(widths), key=widths.count, default=0)
    short = [number for number, row in rows[1:] if len(row) < usual]
    return short if len(short) <= max(1, len(rows) // 10) else []


def _nameless(column: int) -> str:
    return f"(column {column + 1}, without a name)"


def _without_title(rows: list[NumberedRow]) -> list[NumberedRow]:
    """Rows from the header on. Titles have one cell, and two rows of several cells follow."""
    widths = [sum(bool(cell.strip()) for cell in row) for _, row in rows[:4]]
    while len(widths) > 2 and widths[0] == 1 and min(widths[1:3]) > 1:
        rows, widths = rows[1:], widths[1:]
    return rows


def _filled_width(row: list[str]) -> int:
    return max((i for i, cell in enumerate(row, start=1) if cell.strip()), default=0)


def _wide_rows(body: list[NumberedRow], width: int) -> list[str]:
    """One line for each row with cells beyond the header; one line if these are all rows."""
    wide = [(number, len(row)) for number, row in body if _filled_width(row) > width]
    if len(wide) == len(body) > 1 and {cells for _, cells in wide} == {width + 1}:
        return [
            f"every row has {width + 1} cells under a header of {width}; R writes row names so: "
            "write the table with row.names = FALSE"
        ]
    return [
        f"row {number}: {cells} cells under a header of {width}; quote cells with commas"
        for number, cells in wide
    ]
