"""A manifest from what people have: slides of TCGA, GDC or CPTAC and labels, or a BIDS folder."""

from typing import Annotated, Any, Literal

import tyro

from idhray.cohorts.bids import bids_manifest
from idhray.cohorts.importers import cptac_manifest, gdc_manifest, tcga_manifest
from idhray.cohorts.manifest import LABELS, patients_of, write_manifest
from idhray.errors import ConfigError, StorageError
from idhray.storage import exists


def make_manifest(
    kind: Annotated[Literal["tcga", "gdc", "cptac", "bids"], tyro.conf.Positional],
    out: str,
    *,
    slides: str | None = None,
    bids: str | None = None,
    labels: str | None = None,
    sample_sheet: str | None = None,
    frozen: bool = False,
    patient_column: str | None = None,
    idh_column: str | None = None,
    age_column: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Build a manifest from a folder of slides or of MRI, and a table of labels.

    Args:
        kind: tcga: patient, site and kind of slide are read off the barcodes. gdc: patient and kind
            of tissue stand in the sample sheet. cptac: C3L-00016-21.svs is of patient C3L-00016.
            bids: CE-T1w (`_ce-..._T1w`) and FLAIR of every session.
        out: The manifest (.csv, .tsv or .parquet).
        slides: Folder with the slides, searched through all its folders; all but bids need it.
        bids: Root of the data set; bids needs it.
        labels: CSV or TSV with a row per patient or per slide; bids takes its participants.tsv when
            not given.
        sample_sheet: The GDC's sample sheet, which gdc needs; or CPTAC's table of slides with
            slide_id and tissue_type, without which slides of normal tissue are not left out.
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
    elif slides is None or labels is None:
        raise ConfigError(f"make-manifest {kind} needs --slides and --labels")
    elif kind == "tcga":
        manifest, left_out = tcga_manifest(slides, labels, frozen=frozen, columns=columns)
    elif kind == "cptac":
        manifest, left_out = cptac_manifest(slides, sample_sheet, labels, columns=columns)
    else:
        if sample_sheet is None:
            raise ConfigError("make-manifest gdc needs --sample-sheet, from the GDC's cart")
        manifest, left_out = gdc_manifest(
            slides, sample_sheet, labels, frozen=frozen, columns=columns
        )
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
