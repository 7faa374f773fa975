"""A manifest from slides of TCGA, GDC or CPTAC with a table of labels."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from idhray.cohorts.labels import ALIASES, label_column, people_of
from idhray.cohorts.manifest import COLUMNS, NUMBERS, read_text_table
from idhray.errors import ManifestError

SLIDE_ENDINGS = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".dcm")
# TCGA-HT-7603-01Z-00-DX3.<uuid>: project, site, participant, sample, portion, slide
BARCODE = re.compile(r"TCGA-(?P<site>\w\w)-\w{4}-\d\d[A-Z]-\w\w-(?P<kind>DX|TS|BS|MS)", re.I)
# C3L-00016-21: CPTAC-3 with its program, case, slide
CPTAC = re.compile(r"(?P<case>C3[A-Z]-\d{5})(-\d\d)?(?!\d)", re.I)
POWER = ("objective_power", "mag", "appmag")

Found = tuple[pd.DataFrame, dict[str, int]]


def tcga_manifest(
    slides: str, labels: str, *, frozen: bool, columns: Mapping[str, str | None]
) -> Found:
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
    left_out = {"not_a_tcga_slide": 0, "frozen": 0}
    rows = []
    for path in _slide_files(slides):
        name = os.path.basename(path)
        if not (barcode := BARCODE.match(name)):
            left_out["not_a_tcga_slide"] += 1
        elif barcode["kind"].upper() != "DX" and not frozen:
            left_out["frozen"] += 1
        else:
            site = barcode["site"].upper()
            rows.append({"patient": case_of(name), "site": site, "cohort": "TCGA", "slide": path})
    if not rows:
        raise ManifestError(f"{slides}: no TCGA slides ({left_out}); names must start TCGA-XX-XXXX")
    return _labeled(rows, labels, columns), left_out


def gdc_manifest(
    slides: str, sheet: str, labels: str, *, frozen: bool, columns: Mapping[str, str | None]
) -> Found:
    """A manifest of slides that were downloaded from the GDC, by their sample sheet.

    `gdc-client` puts a file into a folder that has the File ID for a name; where there is none, the
    File Name decides. Patient: the Case ID. cohort: the Project ID.

    Args:
        slides: Folder, searched through all its folders.
        sheet: The GDC's sample sheet (TSV) with File ID, File Name and Case ID.
        labels: CSV or TSV; its patient column holds case IDs or slide names.
        frozen: Take frozen sections, too (by the barcode, or by Preservation Method).
        columns: Names of the label table's columns where they are not in `ALIASES`.

    Raises:
        ManifestError: as `tcga_manifest`; or the sheet lacks a column, or a slide has two cases.

    Source: GDC Data Portal, Sample Sheet; GDC Data Transfer Tool User's Guide.
    """
    table = _sheet(sheet, ("File ID", "File Name", "Case ID"))
    files = {row["File ID"].lower(): row for row in table}
    names = {row["File Name"]: row for row in table}
    left_out = Counter(not_in_sample_sheet=0, normal_tissue=0, frozen=0)
    rows, seen = [], set()
    for path in _slide_files(slides):
        folder, name = os.path.split(path)
        row = files.get(os.path.basename(folder).lower()) or names.get(name)
        if row is None:
            left_out["not_in_sample_sheet"] += 1
            continue
        seen.add(row["File ID"])
        if reason := _unwanted(row, name, frozen=frozen):
            left_out[reason] += 1
            continue
        case = _only_case(sheet, row)
        rows.append(
            {"patient": case, **_site(name), "cohort": row.get("Project ID"), "slide": path}
        )
    left_out["files_missing"] = sum(
        row["File ID"] not in seen and row["File Name"].lower().endswith(SLIDE_ENDINGS)
        for row in table
    )
    if not rows:
        raise ManifestError(f"{slides}: no slide of {sheet} is there ({dict(left_out)})")
    return _labeled(rows, labels, columns), dict(left_out)


def cptac_manifest(
    slides: str, sheet: str | None, labels: str, *, columns: Mapping[str, str | None]
) -> Found:
    """A manifest of CPTAC-3 slides, such as C3L-00016-21.svs of patient C3L-00016.

    Args:
        slides: Folder, searched through all its folders.
        sheet: The collection's table of slides with slide_id and tissue_type, which tells slides of
            normal tissue; without it, all are taken for tumor.
        labels: CSV or TSV; its patient column holds case IDs or slide names.
        columns: Names of the label table's columns where they are not in `ALIASES`.

    Raises:
        ManifestError: as `tcga_manifest`; or the sheet lacks a column.

    Source: The Cancer Imaging Archive, CPTAC pathology collections; their slide metadata.
    """
    table = _sheet(sheet, ("slide_id", "tissue_type")) if sheet else []
    kinds = {row["slide_id"].upper(): row["tissue_type"] for row in table}
    left_out = {"not_a_cptac_slide": 0, "normal_tissue": 0}
    rows = []
    for path in _slide_files(slides):
        name = os.path.basename(path)
        if not (found := CPTAC.match(name)):
            left_out["not_a_cptac_slide"] += 1
        elif kinds.get(found[0].upper(), "").lower().startswith("normal"):
            left_out["normal_tissue"] += 1
        else:
            rows.append({"patient": case_of(name), "cohort": "CPTAC", "slide": path})
    if not rows:
        raise ManifestError(f"{slides}: no CPTAC slides ({left_out}); names are like C3L-00016-21")
    return _labeled(rows, labels, columns), left_out


def case_of(text: str) -> str:
    """The patient in a case ID, barcode or slide name: TCGA-HT-7603, C3L-00016, or all of it."""
    if re.match(r"TCGA-\w\w-\w{4}", text, re.I):
        return text[:12].upper()
    found = CPTAC.match(text)
    return found["case"].upper() if found else text.strip()


def _sheet(path: str, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a table with these columns, whatever the case of their letters."""
    table = read_text_table(path).map(str.strip)
    by_name = {column.strip().lower(): column for column in table}
    if missing := [name for name in needed if name.lower() not in by_name]:
        raise ManifestError(f"{path}: no column {', '.join(missing)}; it has {', '.join(table)}")
    renamed = table.rename(columns={by_name[name.lower()]: name for name in needed})
    return [dict(row) for row in renamed.to_dict("records")]


def _unwanted(row: Mapping[str, str], name: str, *, frozen: bool) -> str:
    """Why a slide of a sample sheet is left out; "" if it is not."""
    # Older sheets say "Solid Tissue Normal" as Sample Type, newer ones "Normal" as Tissue Type.
    if "normal" in f"{row.get('Sample Type', '')} {row.get('Tissue Type', '')}".lower():
        return "normal_tissue"
    barcode = BARCODE.match(name)
    kept_by = row.get("Preservation Method", "").lower()
    is_frozen = barcode["kind"].upper() != "DX" if barcode else kept_by in ("frozen", "oct")
    return "frozen" if is_frozen and not frozen else ""


def _only_case(sheet: str, row: Mapping[str, str]) -> str:
    """The Case ID; the sheet repeats it for each sample of a file."""
    cases = {case_of(text.strip()) for text in row["Case ID"].split(",") if text.strip()}
    if len(cases) != 1:
        raise ManifestError(f"{sheet}: file {row['File Name']} has Case ID {row['Case ID']!r}")
    return cases.pop()


def _site(name: str) -> dict[str, str]:
    barcode = BARCODE.match(name)
    return {"site": barcode["site"].upper()} if barcode else {}


def _labeled(
    rows: list[dict[str, Any]], labels: str, columns: Mapping[str, str | None]
) -> pd.DataFrame:
    """The manifest: rows with what the labels say of their patients."""
    table = read_text_table(labels).map(str.strip)
    named = {name: label_column(table, name, columns.get(name), labels) for name in ALIASES}
    people = people_of(table, named, labels, case_of)
    power = _power(table, named["patient"])
    whole = [
        {**row, "objective_power": power.get(_stem(row["slide"]), ""), **people.get(who, {})}
        for row in rows
        for who in (row["patient"],)
    ]
    manifest = pd.DataFrame([{name: row.get(name, "") for name in COLUMNS} for row in whole])
    for name in NUMBERS:
        manifest[name] = [float(value or "nan") for value in manifest[name]]
    return manifest.sort_values("slide", ignore_index=True)


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _slide_files(folder: str) -> Iterator[str]:
    found = [
        os.path.abspath(os.path.join(here, name))
        for here, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SLIDE_ENDINGS)
    ]
    yield from sorted(found)


def _power(table: pd.DataFrame, slide_column: str | None) -> dict[str, str]:
    """Objective power by slide, where the labels have one; it serves slides that say none."""
    by_name = {column.strip().lower(): column for column in table}
    power = next((by_name[name] for name in POWER if name in by_name), None)
    slide = by_name.get("slide_id", by_name.get("slide", slide_column))
    if power is None or slide is None:
        return {}
    return dict(zip(table[slide], table[power], strict=True))
