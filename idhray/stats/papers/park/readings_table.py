"""The READINGS table read and checked: `Readings` from rows, patients and settled cells."""

from collections.abc import Iterator, Set
from typing import Any

import numpy as np
import pandas as pd

from idhray.errors import LeakageError, TableError
from idhray.stats.capped_ages import CAPPED
from idhray.stats.papers.park.features import FEATURE_NAMES, FEATURES
from idhray.stats.papers.park.readings import CONSENSUS, SPLITS, Readings

READING_COLUMNS = ("reader", "case", "real", "idh", "split")
MOST_EMPTY = 0.1
"""Largest share of readings that may lack a feature, as slips to be filled in; a feature that more
readings lack is not analyzed."""
_CLASSES = {"mutant": 1.0, "wildtype": 0.0}
_TRUE = {"true", "1", "1.0", "yes", "real"}  # 1.0: pandas' 1 in a column with empty cells
_FALSE = {"false", "0", "0.0", "no", "synthetic"}


def read_readings(
    rows: pd.DataFrame,
    patients: pd.DataFrame | None = None,
    consensus: pd.DataFrame | None = None,
) -> Readings:
    """Readings from a checked READINGS table; all problems are reported at once.

    Args:
        rows: Columns of READINGS, as text or typed; empty cells are "" or null.
        patients: Columns patient, age and, if known, idh and split. They give the ages, are checked
            against the readings, and fill in an empty IDH status or split.
        consensus: Columns case, feature, consensus: settled cells in addition to the rows of the
            reader `consensus`.

    Raises:
        TableError: columns are missing, values are unknown, or rows contradict each other.
        LeakageError: a synthetic case is outside training, or a patient is in two splits.
    """
    if missing := [name for name in (*READING_COLUMNS, *FEATURE_NAMES) if name not in rows.columns]:
        raise TableError(f"readings: no column {', '.join(missing)}")
    table = _as_text(rows)
    if patients is not None:
        _fill_in(table, patients)
    absent = _absent_features(table)
    table[list(absent)] = ""
    if problems := [*_problems(table, set(absent))]:
        lines = problems[:10] + ([f"and {len(problems) - 10} more"] if problems[10:] else [])
        noun = "problem" if len(problems) == 1 else "problems"
        raise TableError("\n  ".join([f"readings: {len(problems)} {noun}", *lines]))
    table["real"] = table["real"].isin(_TRUE)
    read = table[(table[list(FEATURE_NAMES)] != "").any(axis=1)]
    cases = _cases(read, patients)
    no_idh = cases["label"].isna()
    cases = cases[~no_idh]
    by_reader = _by_reader(read[read["reader"] != CONSENSUS], cases)
    judged = table[(table["judged_real"] != "") & (table["reader"] != CONSENSUS)]
    return Readings(
        cases=cases,
        by_reader=by_reader,
        settled=_settled(read[read["reader"] == CONSENSUS], cases, consensus, set(absent)),
        judgments=pd.DataFrame(
            {
                "reader": judged["reader"],
                "case": judged["case"],
                "real": judged["real"],
                "judged_real": judged["judged_real"].isin(_TRUE),
            }
        ).reset_index(drop=True),
        unknown_idh=int(no_idh.sum()),
        absent_features=absent,
    )


def _as_text(rows: pd.DataFrame) -> pd.DataFrame:
    def cell(value: Any) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return "" if value is None or value is pd.NA or value != value else str(value).strip()  # noqa: PLR0124

    used_columns = {*READING_COLUMNS, *FEATURE_NAMES, "patient", "judged_real"}
    text = pd.DataFrame(
        {name: rows[name].map(cell) for name in rows.columns if name in used_columns}
    )
    for name in ("patient", "judged_real"):
        if name not in text:
            text[name] = ""
    for name in ("idh", "split", "real", "judged_real", *FEATURE_NAMES):
        text[name] = text[name].str.lower()
    return text.astype(object).reset_index(drop=True)


def _fill_in(table: pd.DataFrame, patients: pd.DataFrame) -> None:
    """Fill empty cells of idh and split of real cases from the patient's row, in place."""
    by_patient = patients.drop_duplicates("patient").set_index("patient")
    for name in ("idh", "split"):
        if name in by_patient:
            values_of_patient = (
                table["patient"].map(by_patient[name].dropna()).fillna("").astype(str)
            )
            empty = (table[name] == "") & table["real"].isin(_TRUE)
            table.loc[empty, name] = values_of_patient[empty]


def _absent_features(table: pd.DataFrame) -> dict[str, str]:
    """Feature that too many cells lack -> the reason why it is not analyzed."""
    read = table[(table[list(FEATURE_NAMES)] != "").any(axis=1) & (table["reader"] != CONSENSUS)]
    reasons = {}
    for name in FEATURE_NAMES:
        empty = int((read[name] == "").sum())
        if empty > MOST_EMPTY * len(read):
            reasons[name] = f"{name} is empty in {empty} of {len(read)} readings"
    return reasons


def _problems(table: pd.DataFrame, absent: Set[str]) -> Iterator[str]:
    """One line for each problem of a row or of the rows of one case."""
    if table.empty:
        yield "there are no rows"
    allowed = {
        "real": _TRUE | _FALSE,
        "judged_real": _TRUE | _FALSE | {""},
        "idh": {*_CLASSES, ""},
        "split": set(SPLITS),
        **{feature.name: {*feature.levels, ""} for feature in FEATURES},
    }
    for name in ("reader", "case"):
        if (empty := table.index[table[name] == ""]).size:
            yield f"row {empty[0] + 2}: no {name}"
    for name, values in allowed.items():
        for number, value in table.loc[~table[name].isin(values), name].items():
            choices = ", ".join(sorted(v for v in values if v))
            yield f"row {number + 2}: {name} is {value!r}; write one of {choices}"
    repeated = table.duplicated(["reader", "case"])
    for number, row in table[repeated].iterrows():
        yield f"row {number + 2}: reader {row['reader']} read case {row['case']} twice; keep one"
    for case, rows in table.groupby("case"):
        for name in ("patient", "idh", "split", "real"):
            if rows[name].nunique() > 1:
                yield f"case {case}: {name} differs between its rows"
    yield from _unread(table, absent)


def _unread(table: pd.DataFrame, absent: Set[str]) -> Iterator[str]:
    """Problems of incomplete readings: every reader has to read every feature of the same cases.

    Features that are `absent` from most readings are in no table, and no problem.
    """
    read = table[(table[list(FEATURE_NAMES)] != "").any(axis=1) & (table["reader"] != CONSENSUS)]
    for _, row in read.iterrows():
        if empty := [n for n in FEATURE_NAMES if row[n] == "" and n not in absent]:
            yield f"reader {row['reader']}, case {row['case']}: no {', '.join(empty)}"
    cases = set(read["case"])
    for reader, rows in read.groupby("reader"):
        if missing_cases := sorted(cases - set(rows["case"])):
            number = len(missing_cases)
            yield f"reader {reader} did not read {number} cases, such as {missing_cases[0]}"
    if not cases and not (table["judged_real"] != "").any():
        yield "no reader gave any feature or judgment"


def _cases(read: pd.DataFrame, patients: pd.DataFrame | None) -> pd.DataFrame:
    cases = read.drop_duplicates("case").set_index("case")[["patient", "idh", "split", "real"]]
    cases = cases.sort_index()
    _refuse_leaks(cases)
    cases["label"] = cases["idh"].map(_CLASSES).astype(float)
    cases["age"] = np.nan
    cases[CAPPED] = ""
    if patients is not None:
        _join_patients(cases, patients)
    return cases.drop(columns="idh")


def _refuse_leaks(cases: pd.DataFrame) -> None:
    outside = cases[~cases["real"] & (cases["split"] != "train")]
    if len(outside):
        raise LeakageError(
            f"readings: {len(outside)} synthetic cases are outside training, such as "
            f"{outside.index[0]}; synthetic cases are never validation or test patients"
        )
    real = cases[cases["real"]]
    if unnamed := list(real.index[real["patient"] == ""]):
        raise TableError(f"readings: case {unnamed[0]} is real but has no patient")
    if named := list(cases.index[~cases["real"] & (cases["patient"] != "")]):
        raise TableError(f"readings: case {named[0]} is synthetic but has a patient; empty it")
    if unlabeled := list(cases.index[~cases["real"] & (cases["idh"] == "")]):
        raise TableError(f"readings: case {unlabeled[0]} is synthetic and has no idh")
    splits_per_patient = real.groupby("patient")["split"].nunique()
    if (crossing := splits_per_patient[splits_per_patient > 1]).size:
        raise LeakageError(f"readings: patient {crossing.index[0]} is in two splits")
    case_counts = real["patient"].value_counts()
    if (case_counts := case_counts[case_counts > 1]).size:
        raise TableError(
            f"readings: patient {case_counts.index[0]} has {case_counts.iloc[0]} cases; a patient "
            "is one case, so that patients are independent: choose one image"
        )


def _join_patients(cases: pd.DataFrame, patients: pd.DataFrame) -> None:
    by_patient = patients.drop_duplicates("patient").set_index("patient")
    real = cases.index[cases["real"]]
    names = cases.loc[real, "patient"]
    if absent := sorted(set(names) - set(by_patient.index)):
        raise TableError(f"readings: patient {absent[0]} is not in the manifest")
    for name in ("idh", "split"):
        manifest_values = (
            by_patient.loc[names, name].fillna("").to_numpy()
            if name in by_patient
            else np.array([""])
        )
        differs = (manifest_values != "") & (cases.loc[real, name].to_numpy() != manifest_values)
        if differs.any():
            patient = names.iloc[int(differs.argmax())]
            raise TableError(f"readings: patient {patient} has another {name} in the manifest")
    cases.loc[real, "age"] = pd.to_numeric(by_patient.loc[names, "age"], errors="coerce").to_numpy()
    if CAPPED in by_patient:
        cases.loc[real, CAPPED] = by_patient.loc[names, CAPPED].fillna("").to_numpy()


def _by_reader(read: pd.DataFrame, cases: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        str(reader): rows.set_index("case")[list(FEATURE_NAMES)].loc[cases.index]
        for reader, rows in read.groupby("reader")
    }


def _settled(
    rows: pd.DataFrame,
    cases: pd.DataFrame,
    settled_cells: pd.DataFrame | None,
    absent: Set[str],
) -> pd.DataFrame:
    columns = ["case", "feature", CONSENSUS]
    rows_of_cases = rows[rows["case"].isin(cases.index)]
    long = rows_of_cases.melt(
        id_vars="case", value_vars=FEATURE_NAMES, var_name="feature", value_name=CONSENSUS
    )
    if settled_cells is not None:
        if missing := [name for name in columns if name not in settled_cells.columns]:
            raise TableError(f"consensus: no column {', '.join(missing)}")
        cells = settled_cells[columns].fillna("").astype(str)
        cells[CONSENSUS] = cells[CONSENSUS].str.strip().str.lower()
        long = pd.concat([long, cells])
    long = long[~long["feature"].isin(absent)]
    return long[long[CONSENSUS] != ""].reset_index(drop=True)
