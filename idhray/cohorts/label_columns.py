"""Columns of a label table: which serves for what, by the names that public cohorts use.

Source: headers of UCSF-PDGM-metadata_v5.csv and UPENN-GBM_clinical_info_v2.1.csv (TCIA), of the EGD
tables Clinical_data and Genetic_and_Histological_labels (Erasmus MC), of annotation.csv of the
Digital Brain Tumour Atlas (EBRAINS), of the GDC's clinical tables, of CPTAC-3 (PDC) and of
cBioPortal.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from idhray.cohorts.cell_text import header_key
from idhray.cohorts.values.age import AgeUnit, unit_of_header
from idhray.cohorts.values.idh import header_meanings, idh_value, yes_meaning
from idhray.errors import ManifestError

_PATIENT_NAMES = """
case_id patient patient_id patientid submitter_id case_submitter_id cases_submitter_id
bcr_patient_barcode participant_id participant subject_id subject pat_id case name id slide_id slide
uuid
"""
PATIENT_ALIASES = tuple(_PATIENT_NAMES.split())
_ALIASES: dict[str, tuple[str, ...]] = {
    "idh": (
        "idh",
        "idh_status",
        "idh_mutation_status",
        "idh_mutation",
        "idh_codel_subtype",
        "idh_mutant",
        "idh_mutated",
        "label_desc",
    ),
    "age": (
        "age",
        "age_years",
        "age_in_years",
        "age_years_at_diagnosis",
        "age_at_initial_pathologic_diagnosis",
        "diagnosis_age",
        "age_at_mri",
        "age_at_scan_years",
        "age_at_index",
        "age_at_diagnosis",
    ),
    "sex": ("sex", "gender"),
    "grade": ("grade", "who_cns5_grade", "who_grade", "who_cns_grade", "tcga_grade", "tumor_grade"),
    "diagnosis": ("diagnosis", "who_cns5_diagnosis", "primary_diagnosis", "histology"),
}
"""Names of a column, best first, in the form of `_key`."""
_TOKENS: dict[str, re.Pattern[str]] = {
    "idh": re.compile(r"(?:^|_)idh(?!.*(?:vaf|depth|method|comment|date|assay))"),
    "age": re.compile(r"(?:^|_)age(?:_|$)"),
    "sex": re.compile(r"(?:^|_)(?:sex|gender)(?:_|$)"),
    "grade": re.compile(r"(?:^|_)grade(?:_|$)"),
    "diagnosis": re.compile(r"^(?!.*(?:age|date|year|days|site)).*(?:^|_)diagnosis(?:_|$)"),
}
"""Pattern of further names; used if one column alone fits."""
LABEL_COLUMNS = tuple(_ALIASES)


@dataclass(frozen=True, kw_only=True)
class LabelColumns:
    """Columns of one label table for the columns of a manifest."""

    by_name: Mapping[str, tuple[str, ...]]
    """Manifest column -> column of the table; two for IDH1 and IDH2."""
    several: Mapping[str, tuple[str, ...]]
    """Manifest column -> columns that may all serve, so that none was chosen."""
    age_unit: AgeUnit
    yes_means: str
    """IDH status of which the column says yes or no; "" if its header does not tell."""
    codes: Mapping[str, str]
    """Codes of the IDH status that the header explains -> their meaning."""

    def unused(self, table: pd.DataFrame) -> list[str]:
        """Columns that serve for nothing."""
        used = {column for columns in self.by_name.values() for column in columns}
        return [str(column) for column in table if column not in used]


def label_columns(
    table: pd.DataFrame,
    chosen: Mapping[str, str],
    labels: str,
    *,
    age_unit: AgeUnit | None = None,
    names: Sequence[str] = LABEL_COLUMNS,
) -> LabelColumns:
    """Column of a label table for each column of a manifest but `patient`.

    Args:
        table: Label table, every cell as text.
        chosen: Manifest column -> column of the table, chosen by the user.
        labels: Name of the table in messages.
        age_unit: Unit of the ages; None for what the header says.
        names: Manifest columns to look for.

    Raises:
        ManifestError: The table lacks a chosen column, or several columns may hold the IDH status.
    """
    by_name, several = {}, {}
    for name in names:
        if name not in chosen:
            columns = _known_columns(table, name)
            if name == "idh" and len(columns) > 1 and not _is_pair(columns):
                raise ManifestError(
                    f"{labels}: columns {', '.join(columns)} may all hold the IDH status; choose "
                    "one with --columns idh=NAME"
                )
            if len(columns) > 1 and not _is_pair(columns):
                several[name] = columns
            elif columns:
                by_name[name] = columns
    for name, column in chosen.items():
        if name != "patient":
            by_name[name] = (chosen_column(table, column, labels),)
    if "idh" in names and "idh" not in by_name:
        by_name |= _idh_of_diagnosis(table, by_name.get("diagnosis", ()))
    idh, age = by_name.get("idh", ()), by_name.get("age", ("",))
    return LabelColumns(
        by_name=by_name,
        several=several,
        age_unit=age_unit or unit_of_header(age[0]),
        yes_means=yes_meaning(idh[0]) if len(idh) == 1 else "",
        codes=header_meanings(idh[0]) if len(idh) == 1 else {},
    )


def chosen_column(table: pd.DataFrame, column: str, labels: str) -> str:
    """Column of a table that the user named, in any case.

    Raises:
        ManifestError: There is no such column.
    """
    by_key = {header_key(name): str(name) for name in table}
    if column in table:
        return column
    if header_key(column) not in by_key:
        raise ManifestError(f"{labels}: no column {column!r}; it has {', '.join(table)}")
    return by_key[header_key(column)]


def patient_columns(table: pd.DataFrame) -> list[str]:
    """Columns that may hold the patient, best first."""
    by_key = {_key(name): str(name) for name in table}
    return [by_key[alias] for alias in PATIENT_ALIASES if alias in by_key]


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", header_key(name)).strip("_")


def _known_columns(table: pd.DataFrame, name: str) -> tuple[str, ...]:
    """The best column by its name; else all that the pattern fits."""
    by_key = {_key(column): str(column) for column in table}
    for alias in _ALIASES.get(name, (name,)):
        if alias in by_key:
            return (by_key[alias],)
    if name not in _TOKENS:
        return ()
    return tuple(column for key, column in by_key.items() if _TOKENS[name].search(key))


def _is_pair(columns: Sequence[str]) -> bool:
    """True for a column of IDH1 and one of IDH2."""
    genes = sorted(match[0] for name in columns if (match := re.search(r"idh[12]", _key(name))))
    return len(columns) == 2 and genes == ["idh1", "idh2"]


def _idh_of_diagnosis(
    table: pd.DataFrame, diagnosis: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """The column of diagnoses for the IDH status, if any diagnosis names it."""
    for column in diagnosis:
        if any(idh_value(cell).text for cell in table[column].unique()):
            return {"idh": diagnosis}
    return {}
