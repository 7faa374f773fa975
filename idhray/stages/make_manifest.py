"""A manifest from what people have: TCGA slides and a table of labels, or a BIDS folder of MRI."""

from typing import Annotated, Any, Literal

import tyro

from idhray.bids import bids_manifest
from idhray.cohort import LABELS, patients_of, write_manifest
from idhray.errors import ConfigError, StorageError
from idhray.importers import tcga_manifest
from idhray.storage import exists


def make_manifest(
    kind: Annotated[Literal["tcga", "bids"], tyro.conf.Positional],
    out: str,
    *,
    slides: str | None = None,
    bids: str | None = None,
    labels: str | None = None,
    frozen: bool = False,
    patient_column: str | None = None,
    idh_column: str | None = None,
    age_column: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Build a manifest from a folder of slides or of MRI, and a table of labels.

    Args:
        kind: tcga: patient, site and kind of slide are read off the barcodes. bids: CE-T1w
            (`_ce-..._T1w`) and FLAIR of every session.
        out: The manifest (.csv, .tsv or .parquet).
        slides: Folder with the slides, searched through all its folders; tcga needs it.
        bids: Root of the data set; bids needs it.
        labels: CSV or TSV with a row per patient or per slide; bids takes its participants.tsv when
            not given.
        frozen: Take frozen sections (TS, BS), too; else only diagnostic ones (DX, FFPE).
        patient_column: Column of the labels that holds the patient or slide barcode.
        idh_column: Column of the labels that holds the IDH status.
        age_column: Column of the labels that holds the age in years.
        overwrite: Replace a file of that name.
    """
    if exists(out) and not overwrite:
        raise StorageError(f"{out}: is there already; choose another name, or --overwrite")
    columns = {"patient": patient_column, "idh": idh_column, "age": age_column}
    if kind == "bids":
        if bids is None:
            raise ConfigError("make-manifest bids needs --bids, the root of the data set")
        manifest, left_out = bids_manifest(bids, labels, columns=columns)
    else:
        if slides is None or labels is None:
            raise ConfigError("make-manifest tcga needs --slides and --labels")
        manifest, left_out = tcga_manifest(slides, labels, frozen=frozen, columns=columns)
    write_manifest(out, manifest)
    patients = patients_of(manifest)
    known: dict[str, int] = {label: int((patients["idh"] == label).sum()) for label in LABELS}
    return {
        "out": out,
        "kind": kind,
        "rows": len(manifest),
        "patients": len(patients),
        **known,
        "unknown": len(patients) - sum(known.values()),
        "left_out": left_out,
    }
