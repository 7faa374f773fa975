"""Label tables of hospitals and archives: patient, IDH status, age, grade, diagnosis."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import PATIENT_LEVEL
from idhray.errors import ManifestError

# Column names of label tables for each manifest column, best first; compared without case.
ALIASES = {
    "patient": (
        "case_id",
        "patient",
        "patient_id",
        "submitter_id",
        "case_submitter_id",
        "cases.submitter_id",
        "bcr_patient_barcode",
        "case id",
        "slide_id",
        "slide",
    ),
    "idh": ("idh", "idh status", "idh_status", "idh/codel subtype", "label_desc"),
    "age": ("age", "age (years at diagnosis)", "age_at_initial_pathologic_diagnosis"),
    "sex": ("sex", "gender"),
    "grade": ("grade", "who_cns5_grade", "who grade", "tcga grade", "tumor_grade"),
    "diagnosis": ("diagnosis", "who_cns5_diagnosis", "primary_diagnosis", "histology"),
}
UNKNOWN = {"", "na", "n/a", "nan", "none", "unknown", "nos", "--", "'--", "not reported"} | {
    f"{left}not {word}{right}"
    for left, right in ("[]", ("", ""))
    for word in ("available", "evaluated", "applicable")
}


def idh_status(text: str) -> str:
    """IDH status of a label: `mutant`, `wildtype`, or "" if unknown.

    Raises:
        ManifestError: The text has another meaning.
    """
    word = text.strip().lower()
    if word in UNKNOWN:
        return ""
    # Match whole words only: "R132H not detected" and "mutation: none" also begin like a mutant.
    word = re.sub(r"\s*\(maf\)$|^idh[- ]?[12]?[- ]+", "", word)
    if re.fullmatch(r"(idh)?mut(ant|ated|ation)?([- ](non-)?codel)?|[rp.]*r1[37]2[a-z]?", word):
        return "mutant"
    if re.fullmatch(r"wt|wild[- ]?type", word):
        return "wildtype"
    raise ManifestError(f"IDH status {text!r}: neither mutant nor wildtype")


def grade(text: str) -> str:
    """Grade `1` to `4` from G4, Grade 4, IV or 4; "" if unknown."""
    match = re.fullmatch(r"(?:who )?(?:grade|g)? ?([1-4]|i{1,3}|iv)", text.strip().lower())
    if not match:
        return ""
    return {"i": "1", "ii": "2", "iii": "3", "iv": "4"}.get(match[1], match[1])


def label_column(table: pd.DataFrame, name: str, column: str | None, labels: str) -> str | None:
    """Column of a label table for the manifest column `name`; None if the table has none.

    Args:
        table: Label table.
        name: Manifest column.
        column: Name chosen by the user; if None, the first of `ALIASES` in the table.
        labels: Name of the table in messages.

    Raises:
        ManifestError: The table does not have `column`, or has none for patient or idh.
    """
    if column is not None:
        if column not in table:
            raise ManifestError(f"{labels}: no column {column!r}; it has {', '.join(table)}")
        return column
    by_name = {column.strip().lower(): column for column in table}
    for alias in ALIASES[name]:
        if alias in by_name:
            return str(by_name[alias])
    if name in ("patient", "idh"):
        raise ManifestError(
            f"{labels}: no column for {name} among {', '.join(table)}; name it with --{name}-column"
        )
    return None


def patient_labels(
    table: pd.DataFrame,
    label_columns: Mapping[str, str | None],
    labels: str,
    key: Callable[[str], str],
) -> dict[str, dict[str, str]]:
    """Labels of each patient: patient -> manifest column -> value.

    Args:
        table: Label table, every cell as text.
        label_columns: Manifest column -> column of the table, as given by `label_column`.
        labels: Name of the table in messages.
        key: Function from the text in the patient column to the patient's name in the manifest.

    Raises:
        ManifestError: Values are unknown or contradict each other. The message lists all of them.
    """
    problems: list[str] = []
    patients: dict[str, dict[str, str]] = {}
    for number, row in enumerate(table.to_dict("records"), start=2):
        patient = key(row[label_columns["patient"]])
        values = {name: row[column] for name, column in label_columns.items() if column}
        try:
            values["idh"] = idh_status(values["idh"])
        except ManifestError as error:
            problems.append(f"row {number}: {error}")
            continue
        if "grade" in values:
            values["grade"] = grade(values["grade"])
        values = {
            name: "" if value.lower() in UNKNOWN else value
            for name, value in values.items()
            if name in PATIENT_LEVEL
        }
        problems += _age_problem(values, number)
        earlier = patients.setdefault(patient, {})
        for name, value in values.items():
            if value and earlier.get(name, value) != value:
                problems.append(
                    f"row {number}: patient {patient} has {name} {earlier[name]} and {value}"
                )
            if value:
                earlier[name] = value
    if problems:
        raise ManifestError("\n  ".join([f"{labels}: {len(problems)} problems", *problems]))
    return patients


def _age_problem(values: dict[str, Any], number: int) -> list[str]:
    text = values.get("age", "")
    try:
        if text and not 0 <= float(text) <= 120:
            return [
                f"row {number}: age {text} is not in years (days?); choose another --age-column"
            ]
    except ValueError:
        return [f"row {number}: age {text!r} is not a number"]
    return []
