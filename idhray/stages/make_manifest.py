"""Manifest from the files and tables of labels of a public cohort, or from any table."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from idhray.cohorts.bids import bids_manifest
from idhray.cohorts.dicom_series import dicom_manifest
from idhray.cohorts.imported import ImportedCohort
from idhray.cohorts.importers import (
    cptac_manifest,
    ebrains_manifest,
    gdc_manifest,
    tcga_manifest,
)
from idhray.cohorts.label_columns import LABEL_COLUMNS
from idhray.cohorts.labels import AgeOf, LabelOptions
from idhray.cohorts.manifest import COLUMNS, LABELS, patients_of, write_manifest
from idhray.cohorts.manifest_notes import write_notes
from idhray.cohorts.scan_layouts import scans_manifest
from idhray.cohorts.table_import import table_manifest
from idhray.cohorts.values.age import AgeUnit
from idhray.cohorts.values.idh import MEANINGS
from idhray.errors import ConfigError, StorageError
from idhray.storage import exists

logger = logging.getLogger(__name__)

ManifestKind = Literal[
    "tcga",
    "gdc",
    "cptac",
    "ebrains",
    "bids",
    "brats",
    "ucsf-pdgm",
    "upenn-gbm",
    "egd",
    "dicom",
    "table",
]


@dataclass(frozen=True, kw_only=True)
class MakeManifestFlags:
    """Flags of `idhray make-manifest`."""

    kind: Annotated[ManifestKind, tyro.conf.Positional]
    """Kind of data set. Slides: tcga (the barcodes give patient, site and kind of slide), gdc (the
    sample sheet gives patient and kind of tissue), cptac (C3L-00016-21.svs belongs to C3L-00016),
    ebrains (annotation.csv gives the patient of each UUID). MRI: bids (CE-T1w, `_ce-..._T1w`, and
    FLAIR of every session), brats (names of 2017 to 2024), ucsf-pdgm, upenn-gbm, egd, dicom (a tree
    of DICOM folders of the IDC, TCIA or a PACS; the rules of the choice are printed). table: any
    table, mapped by --columns."""
    out: str
    """File of the manifest (.csv, .tsv or .parquet)."""
    slides: str | None = None
    """Folder of the slides, searched with all its subfolders; tcga, gdc, cptac and ebrains need
    it."""
    scans: str | None = None
    """Root of the MRI, searched with all its subfolders; brats, ucsf-pdgm, upenn-gbm, egd and dicom
    need it."""
    bids: str | None = None
    """Root of the data set; bids needs it."""
    labels: tuple[str, ...] = ()
    """Tables with a row per patient or per slide, of any common format; the table itself for the
    kind table. Default for bids: its participants.tsv; for ebrains: its annotation.csv."""
    sample_sheet: str | None = None
    """Sample sheet of the GDC, which gdc needs; annotation.csv, which ebrains needs; or CPTAC's
    table of slides with slide_id and tissue_type, without which slides of normal tissue are not
    left out."""
    columns: tuple[str, ...] = ()
    """Columns of the tables for columns of the manifest, such as `patient=ID "idh=IDH Status"`.
    Default: by the names that public cohorts use."""
    idh_values: tuple[str, ...] = ()
    """Meaning of cells of the IDH column, such as `1=mutant 0=wildtype 9=unknown`."""
    age_unit: AgeUnit | None = None
    """Unit of the ages. Default: years, unless the header says days or months."""
    age_of: AgeOf = "refuse"
    """Operation whose age, grade and diagnosis count, if a patient had several: first, last, or
    refuse such patients."""
    series: tuple[str, ...] = ()
    """dicom: SeriesInstanceUIDs that are chosen whatever the rules say."""
    frozen: bool = False
    """Include frozen sections (TS, BS). Otherwise only diagnostic slides (DX, FFPE)."""
    follow_up: bool = False
    """Include later time points of brats, ucsf-pdgm and upenn-gbm. Otherwise only the first scan of
    each patient."""
    strict: bool = False
    """Refuse labels with any value that cannot be read. Otherwise a patient whose IDH status cannot
    be read is left out, an unreadable age, sex or grade is unknown, and all are listed."""
    dry_run: bool = False
    """Print how every distinct value was read, and write nothing."""
    patient_column: str | None = None
    """Column of the labels that holds the patient or slide barcode; as `--columns patient=...`."""
    idh_column: str | None = None
    """Column of the labels that holds the IDH status; as `--columns idh=...`."""
    age_column: str | None = None
    """Column of the labels that holds the age; as `--columns age=...`."""
    overwrite: bool = False
    """Replace an existing file."""


def make_manifest(flags: MakeManifestFlags) -> dict[str, Any]:
    """Build a manifest from slides, from MRI or from any table, and tables of labels."""
    if exists(flags.out) and not flags.overwrite and not flags.dry_run:
        raise StorageError(f"{flags.out}: exists already; choose another name, or --overwrite")
    imported = _IMPORTERS.get(flags.kind, _scans)(flags, _options(flags))
    for line in [*imported.notes, *imported.account.lines(LABEL_COLUMNS)]:
        logger.info("%s", line)
    patients = patients_of(imported.manifest)
    labeled: dict[str, int] = {label: int((patients["idh"] == label).sum()) for label in LABELS}
    result = {
        "out": flags.out,
        "kind": flags.kind,
        "rows": len(imported.manifest),
        "patients": len(patients),
        **labeled,
        "unknown": len(patients) - sum(labeled.values()),
        "left_out": dict(imported.left_out),
        "labels": imported.account.record(),
    }
    if flags.dry_run:
        return {"text": imported.account.readings_text(), **result, "dry_run": True}
    write_manifest(flags.out, imported.manifest)
    write_notes(flags.out, {name: result[name] for name in ("kind", "left_out", "labels")})
    return result


def _options(flags: MakeManifestFlags) -> LabelOptions:
    """Choices for the labels."""
    columns = _pairs("--columns", flags.columns, first=True)
    for name in ("patient", "idh", "age"):
        if column := getattr(flags, f"{name}_column"):
            columns[name] = column
    if strange := sorted(set(columns) - set(COLUMNS)):
        raise ConfigError(f"--columns {strange[0]}=...: choose from {', '.join(COLUMNS)}")
    meanings = _pairs("--idh-values", flags.idh_values, first=False)
    if strange := sorted(set(meanings.values()) - set(MEANINGS)):
        raise ConfigError(f"--idh-values ...={strange[0]}: choose from {', '.join(MEANINGS)}")
    return LabelOptions(
        columns=columns,
        idh_values=meanings,
        age_unit=flags.age_unit,
        age_of=flags.age_of,
        strict=flags.strict,
    )


def _pairs(flag: str, words: tuple[str, ...], *, first: bool) -> dict[str, str]:
    """NAME=VALUE words as a mapping; the first or the last = divides a word."""
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=") if first else word.rpartition("=")
        if not equals or not name.strip() or not value.strip():
            raise ConfigError(f"{flag} {word!r}: write NAME=VALUE")
        if name.strip() in pairs:
            raise ConfigError(f"{flag} {name.strip()}: is given twice")
        pairs[name.strip()] = value.strip()
    return pairs


def _need(flags: MakeManifestFlags, *names: str) -> list[str]:
    """Values of flags that the kind of data set needs."""
    values = [getattr(flags, name) for name in names]
    if not all(values):
        listed = " and ".join(f"--{name.replace('_', '-')}" for name in names)
        raise ConfigError(f"make-manifest {flags.kind} needs {listed}")
    return values


def _tcga(flags: MakeManifestFlags, options: LabelOptions) -> ImportedCohort:
    slides, labels = _need(flags, "slides", "labels")
    return tcga_manifest(slides, labels, frozen=flags.frozen, options=options)


def _gdc(flags: MakeManifestFlags, options: LabelOptions) -> ImportedCohort:
    slides, sheet, labels = _need(flags, "slides", "sample_sheet", "labels")
    return gdc_manifest(slides, sheet, labels, frozen=flags.frozen, options=options)


def _cptac(flags: MakeManifestFlags, options: LabelOptions) -> ImportedCohort:
    slides, labels = _need(flags, "slides", "labels")
    return cptac_manifest(slides, flags.sample_sheet, labels, options=options)


def _ebrains(flags: MakeManifestFlags, options: LabelOptions) -> ImportedCohort:
    slides, sheet = _need(flags, "slides", "sample_sheet")
    return ebrains_manifest(slides, sheet, flags.labels, options=options)


def _bids(flags: MakeManifestFlags, options: LabelOptions) -> ImportedCohort:
    (root,) = _need(flags, "bids")
    return bids_manifest(root, flags.labels, options=options)


def _dicom(flags: MakeManifestFlags, options: LabelOptions) -> ImportedCohort:
    scans, labels = _need(flags, "scans", "labels")
    return dicom_manifest(scans, labels, series=flags.series, options=options)


def _scans(flags: MakeManifestFlags, options: LabelOptions) -> ImportedCohort:
    scans, labels = _need(flags, "scans", "labels")
    return scans_manifest(flags.kind, scans, labels, follow_up=flags.follow_up, options=options)


def _table(flags: MakeManifestFlags, options: LabelOptions) -> ImportedCohort:
    (labels,) = _need(flags, "labels")
    return table_manifest(labels, options=options)


_IMPORTERS: dict[str, Callable[[MakeManifestFlags, LabelOptions], ImportedCohort]] = {
    "tcga": _tcga,
    "gdc": _gdc,
    "cptac": _cptac,
    "ebrains": _ebrains,
    "bids": _bids,
    "dicom": _dicom,
    "table": _table,
}
"""Importer of each kind; all others are layouts of MRI files."""
