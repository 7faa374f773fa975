"""Figures and tables of a report as files of their own, for papers and slides."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from idhray.report.content import Picture, ReportContent
from idhray.report.figures import Drawing

MAX_NAME = 60


def report_files(content: ReportContent) -> dict[str, bytes]:
    """Name -> content: each figure as SVG and PNG, each table as CSV.

    Pictures of images are PNG alone.
    """
    files: dict[str, bytes] = {}
    pictures = [*([content.lead] if content.lead else []), *content.figures, *content.sheets]
    for picture in pictures:
        for ending, data in _forms(picture):
            files[_free_name(files, picture.title, ending)] = data
    for table in content.tables:
        files[_free_name(files, table.title, "csv")] = csv_bytes(table.header, table.rows)
    return files


def _forms(picture: Picture) -> Iterator[tuple[str, bytes]]:
    if isinstance(picture.data, Drawing):
        yield "svg", bytes(picture.data)
        yield "png", picture.data.png
    else:
        yield ("svg" if picture.mime == "image/svg+xml" else "png"), picture.data


def _free_name(files: dict[str, bytes], title: str, ending: str) -> str:
    """Name of a file from a title; a number makes it unique."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_NAME].strip("-") or "figure"
    number, name = 1, f"{stem}.{ending}"
    while name in files:
        number += 1
        name = f"{stem}-{number}.{ending}"
    return name


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """CSV of cells of text, which no spreadsheet takes for formulas."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode("utf-8-sig")  # spreadsheets take it for UTF-8


def _harmless(cell: str) -> str:
    """Text that no spreadsheet takes for a formula; signed numbers stay."""
    is_formula = cell[:1] in "=@\t" or (cell[:1] in "+-" and not re.match(r"[+-]\s*[\d.]", cell))
    return f"'{cell}" if is_formula and len(cell) > 1 else cell
