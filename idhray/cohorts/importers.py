"""Manifests of the slides of TCGA, GDC, CPTAC and EBRAINS with tables of labels."""

import dataclasses
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from idhray.cohorts.cell_text import header_key
from idhray.cohorts.imported import ImportedCohort, RowCounts, every_row, with_labels
from idhray.cohorts.labels import LabelOptions
from idhray.cohorts.text_table import read_text_table
from idhray.cohorts.values.numbers import power_value
from idhray.errors import ManifestError
from idhray.file_tree import files_below

logger = logging.getLogger(__name__)

SLIDE_ENDINGS = (
    *(".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".dcm"),
    *(".bif", ".svslide", ".vms", ".vmu"),
)
# TCGA-HT-7603-01Z-00-DX3.<uuid>: project, site, participant, sample, portion, slide
BARCODE = re.compile(r"TCGA-(?P<site>\w\w)-\w{4}-\d\d[A-Z]-\w\w-(?P<kind>DX|TS|BS|MS)", re.I)
# C3L-00016-21: CPTAC-3 program, case, slide
CPTAC = re.compile(r"(?P<case>C3[A-Z]-\d{5})(-\d\d)?(?!\d)", re.I)
POWER = ("objective_power", "mag", "appmag")


def tcga_manifest(
    slides: str, labels: Sequence[str], *, frozen: bool, options: LabelOptions
) -> ImportedCohort:
    """Manifest of the TCGA slides in a folder.

    The patient is the first 12 characters of the barcode, the site its second field. DX is an FFPE
    diagnostic slide; TS, BS and MS are frozen. A slide whose patient has no label keeps an empty
    `idh`.

    Args:
        slides: Folder, searched with all subfolders.
        labels: Tables of labels; their patient column may hold patient or slide barcodes.
        frozen: Include frozen sections.
        options: Choices for the labels.

    Raises:
        ManifestError: No slide is found, a column is missing or has unknown values, or the rows of
            a patient contradict each other. The message lists all problems.
    """
    left_out = {"not_a_tcga_slide": 0, "frozen": 0}
    rows = []
    for path in _slide_files(slides, left_out):
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
    return labeled_slides(rows, labels, options, left_out)


def gdc_manifest(
    slides: str, sheet: str, labels: Sequence[str], *, frozen: bool, options: LabelOptions
) -> ImportedCohort:
    """Manifest of slides downloaded from the GDC, by their sample sheet.

    `gdc-client` puts each file into a folder named by its File ID. Without such a folder, the File
    Name decides. The patient is the Case ID, the cohort the Project ID.

    Args:
        slides: Folder, searched with all subfolders.
        sheet: Sample sheet of the GDC (TSV) with File ID, File Name and Case ID.
        labels: Tables of labels; their patient column has case IDs or slide names.
        frozen: Include frozen sections (by the barcode, else by Preservation Method).
        options: Choices for the labels.

    Raises:
        ManifestError: As for `tcga_manifest`; or the sheet lacks a column, or a slide has two
            cases.

    Source: GDC Data Portal, Sample Sheet; GDC Data Transfer Tool User's Guide.
    """
    table = _sheet(sheet, ("File ID", "File Name", "Case ID"))
    files = {row["File ID"].lower(): row for row in table}
    names = {row["File Name"]: row for row in table}
    left_out = Counter(not_in_sample_sheet=0, normal_tissue=0, frozen=0)
    rows, present_ids = [], set()
    for path in _slide_files(slides, left_out):
        folder, name = os.path.split(path)
        row = files.get(os.path.basename(folder).lower()) or names.get(name)
        if row is None:
            left_out["not_in_sample_sheet"] += 1
            continue
        present_ids.add(row["File ID"])
        if reason := _exclusion_reason(row, name, frozen=frozen):
            left_out[reason] += 1
            continue
        case = _only_case(sheet, row)
        rows.append(
            {"patient": case, **_site(name), "cohort": row.get("Project ID"), "slide": path}
        )
    left_out["files_missing"] = sum(
        row["File ID"] not in present_ids and row["File Name"].lower().endswith(SLIDE_ENDINGS)
        for row in table
    )
    if not rows:
        raise ManifestError(f"{slides}: no slide of {sheet} in this folder ({dict(left_out)})")
    return labeled_slides(rows, labels, options, dict(left_out))


def cptac_manifest(
    slides: str, sheet: str | None, labels: Sequence[str], *, options: LabelOptions
) -> ImportedCohort:
    """Manifest of CPTAC-3 slides, such as C3L-00016-21.svs of patient C3L-00016.

    Args:
        slides: Folder, searched with all subfolders.
        sheet: Slide table of the collection with slide_id and tissue_type, by which slides of
            normal tissue are left out. Without it, all slides count as tumor.
        labels: Tables of labels; their patient column has case IDs or slide names.
        options: Choices for the labels.

    Raises:
        ManifestError: As for `tcga_manifest`; or the sheet lacks a column.

    Source: The Cancer Imaging Archive, CPTAC pathology collections; their slide metadata.
    """
    table = _sheet(sheet, ("slide_id", "tissue_type")) if sheet else []
    kinds = {row["slide_id"].upper(): row["tissue_type"] for row in table}
    left_out = {"not_a_cptac_slide": 0, "normal_tissue": 0}
    rows = []
    for path in _slide_files(slides, left_out):
        name = os.path.basename(path)
        if not (match := CPTAC.match(name)):
            left_out["not_a_cptac_slide"] += 1
        elif kinds.get(match[0].upper(), "").lower().startswith("normal"):
            left_out["normal_tissue"] += 1
        else:
            rows.append({"patient": case_of(name), "cohort": "CPTAC", "slide": path})
    if not rows:
        raise ManifestError(f"{slides}: no CPTAC slides ({left_out}); names are like C3L-00016-21")
    return labeled_slides(rows, labels, options, left_out)


def ebrains_manifest(
    slides: str, sheet: str, labels: Sequence[str], *, options: LabelOptions
) -> ImportedCohort:
    """Manifest of the slides of the Digital Brain Tumour Atlas, such as UUID.ndpi.

    Its table annotation.csv gives the patient of each slide. Without another table of labels it
    also gives age, sex and diagnosis; the diagnosis names the IDH status. Only operations whose
    slides are in the folder count.

    Args:
        slides: Folder, searched with all subfolders.
        sheet: annotation.csv, with uuid and pat_id.
        labels: Further tables of labels by pat_id; empty for the sheet itself.
        options: Choices for the labels.

    Raises:
        ManifestError: As for `tcga_manifest`; or the sheet lacks a column.

    Source: Roetzer-Pernkopf et al. 2022, "The Digital Brain Tumour Atlas", Scientific Data 9:55.
    """
    patients = {row["uuid"].lower(): row["pat_id"] for row in _sheet(sheet, ("uuid", "pat_id"))}
    left_out = {"not_in_annotation": 0}
    rows, present_ids = [], set()
    for path in _slide_files(slides, left_out):
        uuid = _stem(path).lower()
        if uuid not in patients:
            left_out["not_in_annotation"] += 1
            continue
        present_ids.add(uuid)
        rows.append({"patient": patients[uuid], "cohort": "EBRAINS", "slide": path})
    if not rows:
        raise ManifestError(f"{slides}: no slide of {sheet} in this folder; names are UUIDs")

    def has_slide(cells: Mapping[str, str], name: str) -> bool:
        uuid = next((cell for column, cell in cells.items() if header_key(column) == "uuid"), "")
        return not uuid or uuid.lower() in present_ids

    return labeled_slides(rows, labels or [sheet], options, left_out, row_counts=has_slide)


def case_of(text: str) -> str:
    """Patient of a case ID, barcode or slide name: TCGA-HT-7603, C3L-00016, else the whole text."""
    if re.match(r"TCGA-\w\w-\w{4}", text, re.I):
        return text[:12].upper()
    match = CPTAC.match(text)
    return match["case"].upper() if match else text.strip()


def _sheet(path: str, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a table with the `needed` columns, whose names are compared without case."""
    table = read_text_table(path).map(str.strip)
    by_name = {column.strip().lower(): column for column in table}
    if missing := [name for name in needed if name.lower() not in by_name]:
        raise ManifestError(f"{path}: no column {', '.join(missing)}; it has {', '.join(table)}")
    renamed = table.rename(columns={by_name[name.lower()]: name for name in needed})
    return [dict(row) for row in renamed.to_dict("records")]


def _exclusion_reason(row: Mapping[str, str], name: str, *, frozen: bool) -> str:
    """Reason why a slide of a sample sheet is left out; "" if it is included."""
    # Older sheets say "Solid Tissue Normal" as Sample Type, newer ones "Normal" as Tissue Type.
    if "normal" in f"{row.get('Sample Type', '')} {row.get('Tissue Type', '')}".lower():
        return "normal_tissue"
    barcode = BARCODE.match(name)
    preservation = row.get("Preservation Method", "").lower()
    is_frozen = barcode["kind"].upper() != "DX" if barcode else preservation in ("frozen", "oct")
    return "frozen" if is_frozen and not frozen else ""


def _only_case(sheet: str, row: Mapping[str, str]) -> str:
    """Case ID of a file; the sheet repeats it for each sample of the file."""
    cases = {case_of(text.strip()) for text in row["Case ID"].split(",") if text.strip()}
    if len(cases) != 1:
        raise ManifestError(f"{sheet}: file {row['File Name']} has Case ID {row['Case ID']!r}")
    return cases.pop()


def _site(name: str) -> dict[str, str]:
    barcode = BARCODE.match(name)
    return {"site": barcode["site"].upper()} if barcode else {}


def labeled_slides(
    rows: list[dict[str, Any]],
    labels: Sequence[str],
    options: LabelOptions,
    left_out: Mapping[str, int],
    row_counts: RowCounts = every_row,
) -> ImportedCohort:
    """The manifest: rows of slides with the labels of their patients."""
    powers = {}
    for path in labels:
        powers.update(_objective_powers(read_text_table(path).map(str.strip)))
    for row in rows:
        row["objective_power"] = powers.get(_stem(row["slide"]), "")
    imported = with_labels(rows, labels, options, left_out, row_counts=row_counts)
    manifest = imported.manifest.sort_values("slide", ignore_index=True)
    return dataclasses.replace(imported, manifest=manifest)


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _slide_files(folder: str, left_out: dict[str, int]) -> Iterator[str]:
    """Sorted paths of the slides; files with other endings are counted in `left_out`."""
    tree = files_below(folder)
    for note in tree.notes():
        logger.warning("%s: %s", folder, note)
    others = Counter(
        os.path.splitext(path)[1].lower() or "no ending"
        for path in tree.files
        if not path.lower().endswith(SLIDE_ENDINGS)
    )
    if others:
        left_out["other_files"] = others.total()
        counts = ", ".join(f"{count} {ending}" for ending, count in others.most_common(10))
        logger.info(
            "%s: %d files are no slides by their ending: %s", folder, others.total(), counts
        )
    yield from (
        os.path.abspath(path) for path in tree.files if path.lower().endswith(SLIDE_ENDINGS)
    )


def _objective_powers(table: pd.DataFrame) -> dict[str, str]:
    """Objective power by slide, if the labels have one; for slides that do not state theirs."""
    by_name = {header_key(column): column for column in table}
    power = next((by_name[name] for name in POWER if name in by_name), None)
    slide = by_name.get("slide_id", by_name.get("slide"))
    if power is None or slide is None:
        return {}
    values = {cell: power_value(cell) for cell in table[power].unique()}
    pairs = zip(table[slide], table[power], strict=True)
    return {name.removesuffix(".svs"): values[cell].text for name, cell in pairs}
