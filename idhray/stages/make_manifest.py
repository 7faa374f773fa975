"""A manifest from what people have: here a folder of TCGA slides and a table of labels."""

from typing import Annotated, Any, Literal

import tyro

from idhray.cohort import LABELS, patients_of, write_manifest
from idhray.errors import StorageError
from idhray.importers import tcga_manifest
from idhray.storage import exists


def make_manifest(
    kind: Annotated[Literal["tcga"], tyro.conf.Positional],
    slides: str,
    labels: str,
    out: str,
    *,
    frozen: bool = False,
    patient_column: str | None = None,
    idh_column: str | None = None,
    age_column: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Build a manifest from a folder of slides and a table of labels.

    Args:
        kind: tcga: patient, site and kind of slide are read off the barcodes.
        slides: Folder with the slides, searched through all its folders.
        labels: CSV or TSV with a row per patient or per slide.
        out: The manifest (.csv, .tsv or .parquet).
        frozen: Take frozen sections (TS, BS), too; else only diagnostic ones (DX, FFPE).
        patient_column: Column of the labels that holds the patient or slide barcode.
        idh_column: Column of the labels that holds the IDH status.
        age_column: Column of the labels that holds the age in years.
        overwrite: Replace a file of that name.
    """
    if exists(out) and not overwrite:
        raise StorageError(f"{out}: is there already; choose another name, or --overwrite")
    manifest, left_out = tcga_manifest(
        slides,
        labels,
        frozen=frozen,
        columns={"patient": patient_column, "idh": idh_column, "age": age_column},
    )
    write_manifest(out, manifest)
    patients = patients_of(manifest)
    known: dict[str, int] = {label: int((patients["idh"] == label).sum()) for label in LABELS}
    return {
        "out": out,
        "kind": kind,
        "slides": len(manifest),
        "patients": len(patients),
        **known,
        "unknown": len(patients) - sum(known.values()),
        "left_out": left_out,
    }
