"""Manifests from what people have; so far TCGA slides with a table of labels."""

import os
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from idhray.cohort import COLUMNS, NUMBERS, PATIENT_LEVEL, read_text_table
from idhray.errors import ManifestError

SLIDE_ENDINGS = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".dcm")
# TCGA-HT-7603-01Z-00-DX3.<uuid>: project, site, participant, sample, portion, slide
BARCODE = re.compile(r"TCGA-(?P<site>\w\w)-\w{4}-\d\d[A-Z]-\w\w-(?P<kind>DX|TS|BS|MS)", re.I)

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
POWER = ("objective_power", "mag", "appmag")
UNKNOWN = {"", "na", "n/a", "nan", "none", "unknown", "nos", "--", "'--", "not reported"} | {
    f"{left}not {word}{right}"
    for left, right in ("[]", ("", ""))
    for word in ("available", "evaluated", "applicable")
}


def tcga_manifest(
    slides: str, labels: str, *, frozen: bool, columns: Mapping[str, str | None]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """A manifest of the TCGA slides under a folder, and how many files were left out and why.

    Patient: the first 12 characters of the barcode; site: its second field; DX: an FFPE diagnostic
    slide; TS, BS, MS: frozen. A slide whose patient has no label keeps an empty `idh`.

    Args:
        slides: Folder, searched through all its folders.
        labels: CSV or TSV; its patient column may hold patient or slide barcodes.
        frozen: Take frozen sections, too.
        columns: Names of the label table's columns where they are not in `ALIASES`.

    Raises:
        ManifestError: no slide is found, a column is missing or of unknown meaning, or the rows of
            a patient contradict each other; the message lists all of it.
    """
    table = read_text_table(labels).map(str.strip)
    named = {name: _column(table, name, columns.get(name), labels) for name in ALIASES}
    people = _people(table, named, labels)
    power = _power(table, named["patient"])
    left_out = {"not_a_tcga_slide": 0, "frozen": 0}
    rows = []
    for path in _slide_files(slides):
        stem = os.path.basename(path)
        if not (barcode := BARCODE.match(stem)):
            left_out["not_a_tcga_slide"] += 1
            continue
        if barcode["kind"].upper() != "DX" and not frozen:
            left_out["frozen"] += 1
            continue
        patient = stem[:12].upper()
        rows.append(
            {
                "patient": patient,
                "site": barcode["site"].upper(),
                "cohort": "TCGA",
                "slide": path,
                "objective_power": power.get(os.path.splitext(stem)[0], ""),
                **people.get(patient, {}),
            }
        )
    if not rows:
        raise ManifestError(f"{slides}: no TCGA slides ({left_out}); names must start TCGA-XX-XXXX")
    manifest = pd.DataFrame([{name: row.get(name, "") for name in COLUMNS} for row in rows])
    for name in NUMBERS:
        manifest[name] = [float(value or "nan") for value in manifest[name]]
    return manifest.sort_values("slide", ignore_index=True), left_out


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


def _slide_files(folder: str) -> list[str]:
    found = [
        os.path.abspath(os.path.join(here, name))
        for here, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SLIDE_ENDINGS)
    ]
    return sorted(found)


def _column(table: pd.DataFrame, name: str, given: str | None, labels: str) -> str | None:
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


def _people(
    table: pd.DataFrame, named: Mapping[str, str | None], labels: str
) -> dict[str, dict[str, str]]:
    """What the labels say of each patient.

    Raises:
        ManifestError: listing every value of unknown meaning and every contradiction.
    """
    problems: list[str] = []
    people: dict[str, dict[str, str]] = {}
    for number, row in enumerate(table.to_dict("records"), start=2):
        patient = row[named["patient"]][:12].upper()
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


def _power(table: pd.DataFrame, slide_column: str | None) -> dict[str, str]:
    """Objective power by slide, where the labels have one; it serves slides that say none."""
    by_name = {column.strip().lower(): column for column in table}
    power = next((by_name[name] for name in POWER if name in by_name), None)
    slide = by_name.get("slide_id", by_name.get("slide", slide_column))
    if power is None or slide is None:
        return {}
    return dict(zip(table[slide], table[power], strict=True))
