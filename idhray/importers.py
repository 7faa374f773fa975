"""A manifest from TCGA slides with a table of labels."""

import os
import re
from collections.abc import Mapping

import pandas as pd

from idhray.cohort import COLUMNS, NUMBERS, read_text_table
from idhray.errors import ManifestError
from idhray.labels import ALIASES, label_column, people_of

SLIDE_ENDINGS = (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".dcm")
# TCGA-HT-7603-01Z-00-DX3.<uuid>: project, site, participant, sample, portion, slide
BARCODE = re.compile(r"TCGA-(?P<site>\w\w)-\w{4}-\d\d[A-Z]-\w\w-(?P<kind>DX|TS|BS|MS)", re.I)
POWER = ("objective_power", "mag", "appmag")


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
    named = {name: label_column(table, name, columns.get(name), labels) for name in ALIASES}
    people = people_of(table, named, labels, _patient)
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
        patient = _patient(stem)
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


def _patient(barcode: str) -> str:
    """Project, site and participant: TCGA-HT-7603."""
    return barcode[:12].upper()


def _slide_files(folder: str) -> list[str]:
    found = [
        os.path.abspath(os.path.join(here, name))
        for here, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SLIDE_ENDINGS)
    ]
    return sorted(found)


def _power(table: pd.DataFrame, slide_column: str | None) -> dict[str, str]:
    """Objective power by slide, where the labels have one; it serves slides that say none."""
    by_name = {column.strip().lower(): column for column in table}
    power = next((by_name[name] for name in POWER if name in by_name), None)
    slide = by_name.get("slide_id", by_name.get("slide", slide_column))
    if power is None or slide is None:
        return {}
    return dict(zip(table[slide], table[power], strict=True))
