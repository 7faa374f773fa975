"""Rows of delimited text: commas, semicolons, tabs or pipes, told by the rows themselves."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from idhray.errors import ManifestError

NumberedRow = tuple[int, list[str]]
"""Number of a row as a spreadsheet shows it, from 1, and its cells."""

SEPARATORS = (",", "\t", ";", "|")
_SNIFFED_ROWS = 60
_EXCEL_LINE = re.compile(r'"?sep=(.)"?[ ,;\t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_RULER = re.compile(r":?-{2,}:?|={2,}|_{2,}")
_NUMBER = re.compile(r"[-+]?\d+(?:,\d+)?")


def delimited_rows(text: str) -> list[NumberedRow]:
    """All rows of a delimited text that hold anything, without comments.

    A `sep=` line of Excel, comment lines and blank rows are no rows, but count in the numbers.
    Where commas do not separate cells, a column of numbers may have decimal commas; they become
    points.

    Raises:
        ManifestError: A quote stands in a wrong place.
    """
    separator, skipped = None, 0
    if match := _EXCEL_LINE.match(text):
        separator, skipped, text = match[1], 1, text[match.end() :]
    separator = separator or _separator(text)
    rows, number = [], skipped
    try:
        for row in _parsed(text, separator):
            number += 1
            if any(cell.strip() for cell in row):
                rows.append((number, row))
    except csv.Error as error:
        raise ManifestError(f"is not a table ({error} in row {number + 1}); check its quotes")
    rows = [row for row in _without_comments(rows) if not _is_ruler(row[1])]
    if rows and all(len(row) == 1 for _, row in rows):
        return _without_outer_quotes(rows)
    return rows if separator == "," else _with_points(rows)


def _is_ruler(row: list[str]) -> bool:
    """True for a row that only draws a line, as under the header of a Markdown table."""
    return all(_RULER.fullmatch(cell.strip()) for cell in row if cell.strip())


def _without_outer_quotes(rows: list[NumberedRow]) -> list[NumberedRow]:
    """Rows whose cells lie in one quoted cell each, as some programs quote whole lines."""
    lines = [row[0] for _, row in rows]
    separator = _separator("\n".join(lines))
    try:
        cells = [next(_parsed(line, separator), []) for line in lines]
    except csv.Error:
        return rows
    if len({len(row) for row in cells}) > 1 or len(cells[0]) < 2:
        return rows
    return [(number, row) for (number, _), row in zip(rows, cells, strict=True)]


def _parsed(text: str, separator: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=None), delimiter=separator, strict=True)


def _separator(text: str) -> str:
    """Separator under which most rows are as wide as the first; of several, the widest.

    Comments in front are left out; a text of one column has commas.
    """
    best, separator = (0.0, 1), ","
    for candidate in SEPARATORS:
        widths = _widths(text, candidate)
        if not widths or max(widths) < 2:
            continue
        header = max(widths[:3])  # a title may stand above the header
        even = sum(width == header for width in widths) / len(widths)
        if (even, header) > best:
            best, separator = (even, header), candidate
    return separator


def _widths(text: str, separator: str) -> list[int]:
    """Numbers of cells of the first rows, up to the first fault of quoting."""
    widths: list[int] = []
    try:
        for row in islice(_parsed(text, separator), 4 * _SNIFFED_ROWS):
            if any(cell.strip() for cell in row) and not row[0].startswith("#"):
                widths.append(len(row))
    except csv.Error:
        pass
    return widths[:_SNIFFED_ROWS]


def _without_comments(rows: list[NumberedRow]) -> list[NumberedRow]:
    """Rows without lines of comment: all that start with # in front, and `# ...` further down.

    Raises:
        ManifestError: A row of data starts with #, which may be a name or a row to be left out.
    """
    first = next((i for i, (_, row) in enumerate(rows) if not row[0].startswith("#")), len(rows))
    kept_rows, problems = [], []
    for number, row in rows[first:]:
        if not row[0].startswith("#"):
            kept_rows.append((number, row))
        elif not row[0].startswith("# ") and any(cell.strip() for cell in row[1:]):
            problems.append(f"row {number} starts with #; delete the row, or the # of its name")
    if problems:
        raise ManifestError("\n  ".join(problems))
    return kept_rows


def _with_points(rows: list[NumberedRow]) -> list[NumberedRow]:
    """Rows whose columns of numbers with decimal commas have points."""
    body = [row for _, row in rows[1:]]
    for column in range(max((len(row) for row in body), default=0)):
        cells = [row[column].strip() for row in body if len(row) > column and row[column].strip()]
        if all(map(_NUMBER.fullmatch, cells)) and any(map(_DECIMAL_COMMA.fullmatch, cells)):
            for row in body:
                if len(row) > column:
                    row[column] = row[column].replace(",", ".")
    return rows
