"""Rows of a spreadsheet file: .xlsx, .xls, .xlsb or .ods."""

import io
import logging

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from idhray.cohorts.cell_text import cell_text
from idhray.cohorts.table_files.delimited import NumberedRow
from idhray.errors import ManifestError

logger = logging.getLogger(__name__)


def workbook_rows(data: bytes, path: str) -> list[NumberedRow]:
    """Rows of the first visible sheet with several columns; other filled sheets are logged.

    Args:
        data: Content of the file.
        path: Name of the file in messages.

    Raises:
        ManifestError: The file is damaged or needs a password.
    """
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = {
            sheet.name: _sheet_rows(workbook, sheet.name)
            for sheet in workbook.sheets_metadata
            if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
        }
    except (CalamineError, OSError, ValueError) as error:
        raise ManifestError(f"is a spreadsheet that cannot be read ({error})") from None
    filled = {name: rows for name, rows in sheets.items() if rows}
    if not filled:
        raise ManifestError("is a spreadsheet without any cell; a header and rows are needed")
    tables = [name for name, rows in filled.items() if _has_columns(rows)]
    name = (tables or [*filled])[0]
    if others := [other for other in filled if other != name]:
        logger.warning("%s: read sheet %r; not read: %s", path, name, ", ".join(others))
    return filled[name]


def _has_columns(rows: list[NumberedRow]) -> bool:
    """True for a sheet with two columns in two rows; others are notes."""
    return sum(sum(bool(cell.strip()) for cell in row) > 1 for _, row in rows[:10]) > 1


def _sheet_rows(workbook: CalamineWorkbook, name: str) -> list[NumberedRow]:
    """Rows of a sheet that hold anything, with their numbers."""
    rows = []
    cells = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
    for number, values in enumerate(cells, start=1):
        row = [cell_text(value) for value in values]
        if any(cell.strip() for cell in row):
            rows.append((number, row))
    return rows
