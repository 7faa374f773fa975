"""Printed statistics as the tables of a report, and as plain text."""

from collections.abc import Sequence

import pandas as pd

from idhray.report.content import ReportTable
from idhray.stats.footnotes import Printed, marks_in
from idhray.stats.papers.liu import printed as liu
from idhray.stats.papers.liu.tables import LiuTables
from idhray.stats.papers.park import printed as park
from idhray.stats.papers.park.demographics import print_characteristics
from idhray.stats.papers.park.printed_regressions import print_regressions
from idhray.stats.papers.park.tables import ParkTables


def liu_report_tables(tables: LiuTables) -> list[ReportTable]:
    """Tables 1 to 4 of a histology study."""
    return [_liu_table(name, frame) for name, frame in liu.printed_tables(tables).items()]


def liu_table1(table1: pd.DataFrame) -> ReportTable:
    """Table 1 alone: networks without synthetic images."""
    return _liu_table("table1", liu.printed_table1(table1))


def _liu_table(name: str, frame: pd.DataFrame) -> ReportTable:
    return ReportTable(
        title=f"Table {name.removeprefix('table')}",
        header=list(frame.columns),
        rows=frame.to_numpy().tolist(),
        caption=liu.CAPTIONS[name],
        notes=marks_in(frame, liu.MARKS),
        grouped=True,
    )


def park_report_tables(tables: ParkTables) -> list[ReportTable]:
    """Tables 1 to 3 of a reader study, the agreement of its readers, and the Turing test.

    A table that the readings do not allow is left out; the notes give the reason.
    """
    report_tables = [
        _table(
            f"Table 1, {park.SET_NAMES[split].lower()}",
            "table1",
            print_characteristics(rows),
            flat=True,
        )
        for split, rows in tables.characteristics.items()
    ]
    if len(tables.turing):
        report_tables.append(
            _table("Turing test", "turing", park.print_turing(tables.turing), flat=True)
        )
    if len(tables.agreement):
        agreement = park.print_agreement(tables.agreement)
        report_tables.append(_table("Agreement of the readers", "agreement", agreement, flat=True))
    if len(tables.models):
        report_tables.append(
            _table("Table 2", "table2", print_regressions(tables.table2, tables.models))
        )
        report_tables.append(_table("Table 3", "table3", park.print_performance(tables.table3)))
    if len(tables.comparisons):
        report_tables.append(
            _table("Models compared", "comparisons", park.print_comparisons(tables.comparisons))
        )
    return report_tables


def _table(title: str, name: str, printed: Printed, *, flat: bool = False) -> ReportTable:
    return ReportTable(
        title=title,
        header=list(printed.frame.columns),
        rows=printed.frame.astype(str).to_numpy().tolist(),
        caption=park.CAPTIONS[name],
        notes=printed.notes,
        grouped=not flat,
    )


def plain_text(table: ReportTable) -> str:
    """The table in aligned columns, its headings over their rows, its notes below."""
    header = list(table.header[1:] if table.grouped else table.header)
    groups = table.groups()
    cells = [header, *(row for _, rows in groups for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [f"{table.title}. {table.caption}", _line(header, widths)]
    for heading, rows in groups:
        lines += [heading] if heading else []
        lines += [_line(row, widths) for row in rows]
    return "\n".join([*lines, *table.notes])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return ("  " + "  ".join(padded)).rstrip()
