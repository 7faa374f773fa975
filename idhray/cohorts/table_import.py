"""Manifest of any table that has a column of patients, whatever its columns are called."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from idhray.cohorts.cell_text import with_names
from idhray.cohorts.imported import ImportedCohort, with_labels
from idhray.cohorts.label_columns import LABEL_COLUMNS, chosen_column, patient_columns
from idhray.cohorts.labels import LabelOptions
from idhray.cohorts.manifest import FILES
from idhray.cohorts.manifest_cells import READERS
from idhray.cohorts.text_table import problem_message, read_text_table
from idhray.errors import ManifestError
from idhray.patients import patient_key
from idhray.storage import absolute, is_uri

PER_ROW = (*FILES, "slide_id", "mpp", "objective_power")
FREE_COLUMNS = ("site", "cohort", "split")


def table_manifest(paths: Sequence[str], *, options: LabelOptions) -> ImportedCohort:
    """Manifest of a table: a row per file if it names files, else a row per patient.

    Args:
        paths: Tables; the first one has the patients and files, all may have labels.
        options: Choices for the labels; its `columns` may map any column of a manifest.

    Raises:
        ManifestError: See `with_labels`; or there is no column of patients, or a row has none.
    """
    path = paths[0]
    table = with_names(read_text_table(path), PER_ROW, path).map(str.strip)
    column = _patient_column(table, path, options.columns)
    if nameless := int((table[column] == "").sum()):
        raise ManifestError(f"{path}: {nameless} rows have no patient (column `{column}`)")
    rows = _rows(table, path, column, options.columns)
    left_out = {"rows_without_further_files": len(table) - len(rows)}
    choices = {name: col for name, col in options.columns.items() if name not in PER_ROW}
    return with_labels(
        rows,
        paths,
        LabelOptions(**{**vars(options), "columns": {**choices, "patient": column}}),
        left_out,
        key=lambda name: patient_key(name) or name,
        names=(*LABEL_COLUMNS, *FREE_COLUMNS),
    )


def _patient_column(table: pd.DataFrame, path: str, chosen: Mapping[str, str]) -> str:
    if "patient" in chosen:
        return chosen_column(table, chosen["patient"], path)
    for column in patient_columns(table):
        return column
    raise ManifestError(
        f"{path}: no column for patient among {', '.join(table)}; name it with --columns "
        "patient=NAME"
    )


def _rows(
    table: pd.DataFrame, path: str, patient_column: str, chosen: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Values of each row that are not of the patient."""
    columns = {name: name for name in PER_ROW if name in table}
    columns |= {
        name: chosen_column(table, chosen[name], path) for name in PER_ROW if name in chosen
    }
    folder = os.path.dirname(absolute(path))
    if not set(columns) & set(FILES):
        return [{"patient": name} for name in dict.fromkeys(table[patient_column])]
    rows, problems = [], []
    for number, cells in enumerate(table.to_dict("records"), start=1):
        row = {"patient": cells[patient_column]}
        for name, column in columns.items():
            if name in FILES:
                row[name] = _placed(folder, cells[column])
                continue
            if name not in READERS:
                row[name] = cells[column]
                continue
            value = READERS[name](cells[column])
            row[name] = value.text
            if value.problem:
                problems.append(f"table row {number}: {column} {cells[column]!r}; {value.problem}")
        rows.append(row)
    if problems:
        raise ManifestError(problem_message(path, problems[:20]))
    return rows


def _placed(folder: str, value: str) -> str:
    """Absolute path of a file; relative paths are relative to the table."""
    if not value or is_uri(value) or value.startswith("/"):
        return value
    return f"{folder}/{value}"
