"""Labels of patients from tables of hospitals and archives, with an account of what was read."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from idhray.cohorts.label_account import LabelAccount, UnreadValue
from idhray.cohorts.label_columns import (
    LABEL_COLUMNS,
    LabelColumns,
    chosen_column,
    label_columns,
    patient_columns,
)
from idhray.cohorts.manifest_cells import CENSORED, READERS
from idhray.cohorts.text_table import problem_message, read_numbered_table
from idhray.cohorts.values.age import AgeUnit, age_value
from idhray.cohorts.values.cell_value import CellValue, is_unknown
from idhray.cohorts.values.idh import idh_value
from idhray.errors import ManifestError
from idhray.patients import patient_key, shown

AgeOf = Literal["refuse", "first", "last"]
BY_OPERATION = ("age", "age_censored", "grade", "diagnosis")
"""Columns that may differ between operations of one patient."""


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Choices of the user for reading labels."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Manifest column -> column of the tables."""
    idh_values: Mapping[str, str] = field(default_factory=dict)
    """Cell -> mutant, wildtype or unknown."""
    age_unit: AgeUnit | None = None
    """Unit of ages; None for years, unless the header says days or months."""
    age_of: AgeOf = "refuse"
    """Operation whose age, grade and diagnosis count, if a patient had several."""
    strict: bool = False
    """Refuse tables with any value that cannot be read."""


@dataclass(frozen=True, kw_only=True)
class PatientIndex:
    """Patients that have files."""

    names: Mapping[str, str]
    """Key of the patient -> name."""
    key: Callable[[str], str]
    """Function from a name in any table to its key."""

    def holds(self, name: str) -> bool:
        """True for a name of one of the patients, however it is written."""
        return self.key(name) in self.names


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """Values of one row of a label table."""

    number: int
    patient: str
    """Key of the patient."""
    values: Mapping[str, CellValue]
    cells: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PatientLabels:
    """Labels of the patients of a manifest."""

    by_patient: Mapping[str, Mapping[str, str]]
    """Key of the patient -> manifest column -> value; without patients whose IDH is unreadable."""
    unreadable: frozenset[str]
    """Keys of patients whose IDH status has no meaning; they stay out of the manifest."""
    account: LabelAccount


def patient_labels(
    paths: Sequence[str],
    patients: Collection[str],
    options: LabelOptions,
    *,
    key: Callable[[str], str] = patient_key,
    row_counts: Callable[[Mapping[str, str], str], bool] = lambda cells, name: True,
    names: Sequence[str] = LABEL_COLUMNS,
) -> PatientLabels:
    """Labels of patients from one or several tables. Rows of other patients are not judged.

    Args:
        paths: Label tables; the first that holds a value of a patient need not be the same for all.
        patients: Names of the patients that have files.
        options: Choices of the user.
        key: Function from a name in a table to what is compared.
        row_counts: False for a row that is of no file, such as another operation of the patient;
            called with the cells of the row and the cell of the patient.
        names: Manifest columns to look for.

    Raises:
        ManifestError: No patient has a row or a status, a patient has two statuses or sexes, or
            several operations and no rule; with `strict`, also if any value cannot be read.
    """
    index = PatientIndex(names={key(name): name for name in patients}, key=key)
    rows, accounts = [], []
    for path in paths:
        table = read_numbered_table(path).map(str.strip)
        columns = label_columns(
            table, options.columns, path, age_unit=options.age_unit, names=names
        )
        column = _patient_column(table, path, options, index)
        counted = [row_counts(cells, cells[column]) for cells in table.to_dict("records")]
        table = table[counted]
        rows_of_table = [*_rows(table, column, columns, options, index)]
        rows += rows_of_table
        accounts.append(_account(path, table, column, columns, rows_of_table))
    if "idh" in names and not any(account.columns.get("idh") for account in accounts):
        raise ManifestError(
            f"{', '.join(paths)}: no column for idh among {accounts[0].listed()}; name it with "
            "--columns idh=NAME"
        )
    return _merged(
        rows, index, options, LabelAccount.joined(accounts, patients=len(patients)), names
    )


def _patient_column(
    table: pd.DataFrame, path: str, options: LabelOptions, index: PatientIndex
) -> str:
    """Column of the patients: chosen, or the first with a patient that has files.

    Raises:
        ManifestError: There is none; the message shows a name of each side.
    """
    if "patient" in options.columns:
        candidates = [chosen_column(table, options.columns["patient"], path)]
    else:
        candidates = patient_columns(table)
    if not candidates:
        raise ManifestError(
            f"{path}: no column for patient among {', '.join(table)}; name it with --columns "
            "patient=NAME"
        )
    for column in candidates:
        if any(map(index.holds, table[column].unique())):
            return column
    example = next((cell for cell in table[candidates[0]] if cell), "")
    raise ManifestError(
        f"{path}: no row is of a patient that has files: column `{candidates[0]}` has names like "
        f"{shown(example)!r}, files have {shown(min(index.names.values(), default=''))!r}; choose "
        "the column with --columns patient=NAME"
    )


def _rows(
    table: pd.DataFrame,
    patient_column: str,
    columns: LabelColumns,
    options: LabelOptions,
    index: PatientIndex,
) -> Iterator[LabelRow]:
    """Rows of patients that have files, with their values."""
    for number, cells in zip(table.index + 2, table.to_dict("records"), strict=True):
        patient = index.key(cells[patient_column])
        if patient in index.names:
            texts = {
                name: " / ".join(filter(None, (cells[column] for column in used)))
                for name, used in columns.by_name.items()
            }
            values = {
                name: _value(name, [cells[column] for column in used], columns, options)
                for name, used in columns.by_name.items()
            }
            yield LabelRow(number=int(number), patient=patient, values=values, cells=texts)


def _value(
    name: str, cells: Sequence[str], columns: LabelColumns, options: LabelOptions
) -> CellValue:
    """Value of one cell, or of the cells of IDH1 and IDH2 together."""
    if name == "idh":
        meanings = {**columns.codes, **options.idh_values}
        values = [idh_value(cell, meanings, columns.yes_means) for cell in cells]
        return values[0] if len(values) == 1 else _of_both_genes(values)
    if name == "age":
        return age_value(cells[0], columns.age_unit)
    if name in READERS:
        return READERS[name](cells[0])
    return CellValue(text="" if is_unknown(cells[0]) else cells[0])


def _of_both_genes(values: Sequence[CellValue]) -> CellValue:
    """Mutant if IDH1 or IDH2 is; wildtype only if both are."""
    texts = [value.text for value in values]
    if problem := next((value for value in values if value.problem), None):
        return problem
    if "mutant" in texts:
        return CellValue(text="mutant")
    return CellValue(text="wildtype" if all(text == "wildtype" for text in texts) else "")


def _account(
    path: str,
    table: pd.DataFrame,
    patient_column: str,
    columns: LabelColumns,
    rows: Sequence[LabelRow],
) -> LabelAccount:
    """Readings of one table."""
    readings: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    unread: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        for name, value in row.values.items():
            readings[name][(row.cells[name], value.text)] += 1
            if value.problem:
                unread[(name, row.cells[name], value.problem)] += 1
    return LabelAccount(
        tables=(path,),
        matched=frozenset(row.patient for row in rows),
        columns={"patient": (patient_column,), **columns.by_name},
        several=dict(columns.several),
        unused=tuple(name for name in columns.unused(table) if name != patient_column),
        readings={name: dict(counts) for name, counts in readings.items()},
        unread=tuple(
            UnreadValue(column=name, cell=cell, count=count, advice=advice)
            for (name, cell, advice), count in sorted(unread.items())
        ),
    )


def _merged(
    rows: Iterable[LabelRow],
    index: PatientIndex,
    options: LabelOptions,
    account: LabelAccount,
    names: Sequence[str],
) -> PatientLabels:
    """Labels of each patient from all of the patient's rows."""
    if options.strict and account.unread:
        raise ManifestError(problem_message(", ".join(account.tables), account.unread_lines()))
    by_patient: dict[str, list[LabelRow]] = defaultdict(list)
    for row in rows:
        by_patient[row.patient].append(row)
    problems: list[str] = []
    labels = {}
    for key, rows_of_patient in by_patient.items():
        labels[key] = _labels_of(index.names[key], rows_of_patient, options.age_of, problems)
    if problems:
        raise ManifestError(problem_message(", ".join(account.tables), problems))
    unreadable = frozenset(
        key
        for key, rows_of_patient in by_patient.items()
        if any(row.values["idh"].problem for row in rows_of_patient if "idh" in row.values)
    )
    readable = {key: values for key, values in labels.items() if key not in unreadable}
    account = account.with_patients(readable.values())
    if "idh" in names and not any(values.get("idh") for values in readable.values()):
        raise ManifestError(
            "\n  ".join(
                [
                    f"{', '.join(account.tables)}: no patient with files has an IDH status "
                    f"(column {', '.join(account.columns.get('idh', ()))})",
                    *account.unread_lines(),
                ]
            )
        )
    return PatientLabels(by_patient=readable, unreadable=unreadable, account=account)


def _labels_of(
    patient: str, rows: Sequence[LabelRow], age_of: AgeOf, problems: list[str]
) -> dict[str, str]:
    """Labels of one patient; contradictions are added to `problems`."""
    values: dict[str, str] = {}
    sign = -1 if age_of == "last" else 1
    ordered = sorted(rows, key=lambda row: _place_of_row(row, sign))
    for row in ordered:
        for name, value in _with_mark(row.values):
            earlier = values.setdefault(name, value) if value else ""
            if not earlier or earlier == value:
                continue
            if name not in BY_OPERATION or age_of == "refuse":
                rule = "; --age-of first takes the first operation" * (name in BY_OPERATION)
                problems.append(
                    f"row {row.number}: patient {shown(patient)} has {name} {earlier} and "
                    f"{value}{rule}"
                )
    return values


def _place_of_row(row: LabelRow, sign: int) -> tuple[bool, float, int]:
    """Order of operations: by age, or from the last with sign -1; rows without an age come last."""
    age = row.values.get("age", CellValue()).text
    return (not age, sign * float(age or 0), row.number)


def _with_mark(values: Mapping[str, CellValue]) -> Iterator[tuple[str, str]]:
    """Values of a row by manifest column; a capped age has a mark of its own."""
    for name, value in values.items():
        yield name, value.text
        if name == "age" and value.censored:
            yield "age_censored", CENSORED
