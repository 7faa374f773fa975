"""Printed statistics as the tables of a report."""

import pandas as pd

from idhray.report.content import ReportTable
from idhray.stats.liu import printed as liu
from idhray.stats.liu.tables import LiuTables
from idhray.stats.park import printed as park
from idhray.stats.park.demographics import printed_table1
from idhray.stats.park.tables import ParkTables


def liu_report_tables(tables: LiuTables) -> list[ReportTable]:
    """Tables 1 to 4 of a histology study."""
    return [
        ReportTable(
            title=f"Table {name.removeprefix('table')}",
            header=list(frame.columns),
            rows=frame.to_numpy().tolist(),
            caption=liu.CAPTIONS[name],
            notes=liu.marks_in(frame),
            grouped=True,
        )
        for name, frame in liu.printed_tables(tables).items()
    ]


def park_report_tables(tables: ParkTables) -> list[ReportTable]:
    """Tables 1 to 3 of a reader study, the agreement of its readers, and the Turing test."""
    found = [
        _table(f"Table 1, {park.SETS[split].lower()}", "table1", printed_table1(rows), flat=True)
        for split, rows in tables.characteristics.items()
    ]
    if len(tables.turing):
        found.append(_table("Turing test", "turing", park.print_turing(tables.turing), flat=True))
    found.append(
        _table(
            "Agreement of the readers",
            "agreement",
            park.print_agreement(tables.agreement),
            flat=True,
        )
    )
    if len(tables.models):
        found.append(_table("Table 2", "table2", park.print_table2(tables.table2, tables.models)))
        found.append(_table("Table 3", "table3", park.print_table3(tables.table3)))
    if len(tables.comparisons):
        found.append(
            _table("Models compared", "comparisons", park.print_comparisons(tables.comparisons))
        )
    return found


def _table(title: str, name: str, frame: pd.DataFrame, *, flat: bool = False) -> ReportTable:
    return ReportTable(
        title=title,
        header=list(frame.columns),
        rows=frame.astype(str).to_numpy().tolist(),
        caption=park.CAPTIONS[name],
        notes=park.marks_in(frame),
        grouped=not flat,
    )
