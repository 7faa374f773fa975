"""Tables of labels, as hospitals and archives keep them: whose row, which IDH status, what age."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from idhray.cohorts.manifest import PATIENT_LEVEL
from idhray.errors import ManifestError

# Where label tables keep what a manifest needs, best first; compared without case.
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
    """`mutant`, `wildtype`, or "" for what is unknown.

    Raises:
        ManifestError: the text is none of these.
    """
    word = text.strip().lower()
    if word in UNKNOWN:
        return ""
    # Whole words only: "R132H not detected" and "mutation: none" begin like a mutant, too.
    word = re.sub(r"\s*\(maf\)$|^idh[- ]?[12]?[- ]+", "", word)
    if re.fullmatch(r"(idh)?mut(ant|ated|ation)?([- ](non-)?codel)?|[rp.]*r1[37]2[a-z]?", word):
        return "mutant"
    if re.fullmatch(r"wt|wild[- ]?type", word):
        return "wildtype"
    raise ManifestError(f"IDH status {text!r}: neither mutant nor wildtype")


def grade(text: str) -> str:
    """`1` to `4` from G4, Grade 4, IV or 4; "" for what is unknown."""
    found = re.fullmatch(r"(?:who )?(?:grade|g)? ?([1-4]|i{1,3}|iv)", text.strip().lower())
    if not found:
        return ""
    return {"i": "1", "ii": "2", "iii": "3", "iv": "4"}.get(found[1], found[1])


def label_column(table: pd.DataFrame, name: str, given: str | None, labels: str) -> str | None:
    """The column that holds what a manifest calls `name`; None where it has none.

    Raises:
        ManifestError: the column that was named is not there, or patient or idh has none.
    """
    if given is not None:
        if given not in table:
            raise ManifestError(f"{labels}: no column {given!r}; it has {', '.join(table)}")
        return given
    by_name = {column.strip().lower(): column for column in table}
    for alias in ALIASES[name]:
        if alias in by_name:
            return str(by_name[alias])
    if name in ("patient", "idh"):
        raise ManifestError(
            f"{labels}: no column for {name} among {', '.join(table)}; name it by --{name}-column"
        )
    return None


def people_of(
    table: pd.DataFrame,
    named: Mapping[str, str | None],
    labels: str,
    key: Callable[[str], str],
) -> dict[str, dict[str, str]]:
    """What the labels say of each patient.

    Args:
        table: Labels, every cell as text.
        named: What a manifest needs -> the table's column, as `label_column` found it.
        labels: How messages call the table.
        key: The patient's name in the manifest from the text in the patient column.

    Raises:
        ManifestError: listing every value of unknown meaning and every contradiction.
    """
    problems: list[str] = []
    people: dict[str, dict[str, str]] = {}
    for number, row in enumerate(table.to_dict("records"), start=2):
        patient = key(row[named["patient"]])
        said = {name: row[column] for name, column in named.items() if column}
        try:
            said["idh"] = idh_status(said["idh"])
        except ManifestError as error:
            problems.append(f"row {number}: {error}")
            continue
        if "grade" in said:
            said["grade"] = grade(said["grade"])
        said = {k: "" if v.lower() in UNKNOWN else v for k, v in said.items() if k in PATIENT_LEVEL}
        problems += _age_problem(said, number)
        known = people.setdefault(patient, {})
        for name, value in said.items():
            if value and known.get(name, value) != value:
                problems.append(
                    f"row {number}: patient {patient} has {name} {known[name]} and {value}"
                )
            if value:
                known[name] = value
    if problems:
        raise ManifestError("\n  ".join([f"{labels}: {len(problems)} problems", *problems]))
    return people


def _age_problem(said: dict[str, Any], number: int) -> list[str]:
    text = said.get("age", "")
    try:
        if text and not 0 <= float(text) <= 120:
            return [f"row {number}: age {text} is not in years (days?); name another --age-column"]
    except ValueError:
        return [f"row {number}: age {text!r} is not a number"]
    return []
