"""Manifest from slides of TCGA, GDC or CPTAC and a table of labels, or from a BIDS folder."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from idhray.cohorts.bids import bids_manifest
from idhray.cohorts.importers import cptac_manifest, gdc_manifest, tcga_manifest
from idhray.cohorts.manifest import LABELS, patients_of, write_manifest
from idhray.errors import ConfigError, StorageError
from idhray.storage import exists


@dataclass(frozen=True, kw_only=True)
class MakeManifestFlags:
    """Flags of `idhray make-manifest`."""

    kind: Annotated[Literal["tcga", "gdc", "cptac", "bids"], tyro.conf.Positional]
    """Kind of data set. tcga: the barcodes give patient, site and kind of slide. gdc: the sample
    sheet gives patient and kind of tissue. cptac: the names of slides give the patient
    (C3L-00016-21.svs belongs to C3L-00016). bids: CE-T1w (`_ce-..._T1w`) and FLAIR of every
    session."""
    out: str
    """File of the manifest (.csv, .tsv or .parquet)."""
    slides: str | None = None
    """Folder of the slides, searched with all its subfolders; all kinds but bids need it."""
    bids: str | None = None
    """Root of the data set; bids needs it."""
    labels: str | None = None
    """CSV or TSV with a row per patient or per slide. Default for bids: its participants.tsv."""
    sample_sheet: str | None = None
    """Sample sheet of the GDC, which gdc needs; or CPTAC's table of slides with slide_id and
    tissue_type, without which slides of normal tissue are not left out."""
    frozen: bool = False
    """Include frozen sections (TS, BS). Otherwise only diagnostic slides (DX, FFPE)."""
    patient_column: str | None = None
    """Column of the labels that holds the patient or slide barcode."""
    idh_column: str | None = None
    """Column of the labels that holds the IDH status."""
    age_column: str | None = None
    """Column of the labels that holds the age in years."""
    overwrite: bool = False
    """Replace an existing file."""


def make_manifest(flags: MakeManifestFlags) -> dict[str, Any]:
    """Build a manifest from a folder of slides or of MRI, and a table of labels."""
    if exists(flags.out) and not flags.overwrite:
        raise StorageError(f"{flags.out}: exists already; choose another name, or --overwrite")
    columns = {"patient": flags.patient_column, "idh": flags.idh_column, "age": flags.age_column}
    if flags.kind == "bids":
        if flags.bids is None:
            raise ConfigError("make-manifest bids needs --bids, the root of the data set")
        manifest, left_out = bids_manifest(flags.bids, flags.labels, columns=columns)
    elif flags.slides is None or flags.labels is None:
        raise ConfigError(f"make-manifest {flags.kind} needs --slides and --labels")
    elif flags.kind == "tcga":
        manifest, left_out = tcga_manifest(
            flags.slides, flags.labels, frozen=flags.frozen, columns=columns
        )
    elif flags.kind == "cptac":
        manifest, left_out = cptac_manifest(
            flags.slides, flags.sample_sheet, flags.labels, columns=columns
        )
    else:
        if flags.sample_sheet is None:
            raise ConfigError("make-manifest gdc needs --sample-sheet, from the GDC's cart")
        manifest, left_out = gdc_manifest(
            flags.slides, flags.sample_sheet, flags.labels, frozen=flags.frozen, columns=columns
        )
    write_manifest(flags.out, manifest)
    patients = patients_of(manifest)
    labeled: dict[str, int] = {label: int((patients["idh"] == label).sum()) for label in LABELS}
    return {
        "out": flags.out,
        "kind": flags.kind,
        "rows": len(manifest),
        "patients": len(patients),
        **labeled,
        "unknown": len(patients) - sum(labeled.values()),
        "left_out": left_out,
    }
