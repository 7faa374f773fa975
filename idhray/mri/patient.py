"""Slices of one study from its files: read, extract and check the brains, register, cut."""

import os
from dataclasses import dataclass, field
from typing import Any

from idhray.errors import MriError
from idhray.images import RGB
from idhray.mri.brain.extraction import extract_brain, tumor_mask
from idhray.mri.brain.gate import GateSettings, checked_brain, pair_problems
from idhray.mri.brain.settings import PRESETS as BRAIN
from idhray.mri.brain.settings import BrainSettings
from idhray.mri.dicom.series import read_series
from idhray.mri.dicom.slices import is_dicom_file
from idhray.mri.nifti.reader import read_volume
from idhray.mri.nifti.settings import ReaderSettings
from idhray.mri.nonfinite import refuse_nonfinite
from idhray.mri.pair import PairedSlices, paired_slices
from idhray.mri.settings import PRESETS as SLICES
from idhray.mri.settings import SliceSettings
from idhray.mri.slices import Slice
from idhray.mri.volume import Volume, VolumeMask, mask_ml


@dataclass(frozen=True, kw_only=True)
class MriSettings:
    """Settings of the steps from a patient's scans to slices."""

    reader: ReaderSettings = field(default_factory=ReaderSettings)
    brain: BrainSettings = field(default_factory=BrainSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    slices: SliceSettings = field(default_factory=SliceSettings)


PRESETS = {
    "default": MriSettings(),
    # Source: Park et al. 2021, Methods, "Image preprocessing"; see the presets of brain and slices.
    "park2021": MriSettings(brain=BRAIN["park2021"], slices=SLICES["park2021"]),
    # Ours: phantom brains without skulls, or any scan at 64 px in little time.
    "demo-mri": MriSettings(slices=SLICES["demo"]),
}


@dataclass(frozen=True, kw_only=True)
class Scans:
    """Local paths of a study's files: NIfTI files or DICOM folders.

    If a folder has several series, the path names one of them: FOLDER#SERIES_INSTANCE_UID.
    """

    study: str
    t1ce: str
    flair: str
    brain_mask: str | None = None
    """Brain mask on the grid of the CE-T1w."""
    tumor_mask: str | None = None
    """Tumor mask on the grid of the CE-T1w, 0 outside the tumor. Slices without tumor are left
    out."""


@dataclass(frozen=True, kw_only=True)
class PreparedStudy:
    """Slices of a study, with a quality picture and figures."""

    slices: list[Slice]
    none_reason: str
    """Counts of the selection steps, for the message if there are no slices."""
    picture: RGB
    """Picture for visual inspection, see `quality_picture`."""
    figures: dict[str, Any]
    """Figures of the brain masks, the registration and the selection of slices."""
    notes: tuple[str, ...]
    """Oddities that do not prevent use, among them an implausible registration."""
    rejected: str = ""
    """Reason why the FLAIR cannot be that of the CE-T1w; "" if the settings keep it."""


def prepare(scans: Scans, settings: MriSettings) -> PreparedStudy:
    """Paired slices of a study.

    Raises:
        MriError: A file is missing or damaged, a brain mask is implausible, the two brain masks do
            not fit each other, or the scans are unsuitable for axial slices.
    """
    notes: list[str] = []
    reader = settings.reader
    t1ce = _read(scans.t1ce, f"{scans.study} CE-T1w", reader, notes)
    flair = _read(scans.flair, f"{scans.study} FLAIR", reader, notes)
    manifest_mask = _read_mask(scans.brain_mask, scans.study, reader, notes)
    tumor = _read_mask(scans.tumor_mask, scans.study, reader, notes)
    t1ce_brain, t1ce_method = _brain(t1ce, settings, manifest_mask, notes)
    flair_brain, flair_method = _brain(flair, settings, None, notes)
    if "none" not in (t1ce_method, flair_method) and (
        problems := pair_problems(t1ce, t1ce_brain, flair, flair_brain, settings.gate)
    ):
        raise MriError(f"{scans.study}: {'; '.join(problems)}; check the scans, or give masks")
    pair = paired_slices(
        t1ce,
        t1ce_brain,
        flair,
        flair_brain,
        settings.slices,
        tumor=None if tumor is None else tumor_mask(t1ce, tumor),
    )
    rejected = ""
    if doubt := pair.registration.implausible:
        rejected = _doubt(scans.study, doubt)
        notes.append(f"{scans.study}: FLAIR {doubt}; check its picture")
    brains = {
        "t1ce_brain_method": t1ce_method,
        "t1ce_brain_ml": mask_ml(t1ce_brain, t1ce),
        "flair_brain_method": flair_method,
        "flair_brain_ml": mask_ml(flair_brain, flair),
    }
    return PreparedStudy(
        slices=pair.slices.slices,
        none_reason=_none_reason(pair),
        picture=pair.picture,
        figures={**brains, **_figures(pair), "notes": "; ".join(notes)},
        notes=tuple(notes),
        rejected="" if settings.slices.on_implausible == "keep" else rejected,
    )


def _doubt(study: str, doubt: str) -> str:
    """Message for a FLAIR that does not fit the CE-T1w."""
    return (
        f"{study}: FLAIR {doubt} after registration, perhaps of another patient or exam; see "
        f"quality/{study}.png; correct the manifest row, or take it with --slices.on-implausible "
        "keep"
    )


def _read(path: str, name: str, reader: ReaderSettings, notes: list[str]) -> Volume:
    folder, series_uid = series_of(path)
    if os.path.isdir(folder) or is_dicom_file(folder):
        return read_series(folder, series_uid, name=name, settings=reader, notes=notes)
    return read_volume(path, name=name, settings=reader, notes=notes)


def series_of(path: str) -> tuple[str, str | None]:
    """Split FOLDER#UID into folder and UID; any other or existing path is returned with None."""
    folder, mark, uid = path.rpartition("#")
    if mark and uid and not os.path.exists(path):
        return folder, uid
    return path, None


def _read_mask(
    path: str | None, study: str, reader: ReaderSettings, notes: list[str]
) -> Volume | None:
    return None if path is None else _read(path, f"{study} {os.path.basename(path)}", reader, notes)


def _brain(
    volume: Volume, settings: MriSettings, manifest_mask: Volume | None, notes: list[str]
) -> tuple[VolumeMask, str]:
    """Checked brain mask of a volume, and the method that made it."""
    brain = extract_brain(volume, settings.brain, manifest_mask=manifest_mask)
    notes += [f"{volume.name}: {note}" for note in brain.notes]
    mask = checked_brain(volume, brain, settings.gate)
    if brain.method != "none":
        refuse_nonfinite(volume, mask)
    return mask, brain.method


def _figures(pair: PairedSlices) -> dict[str, Any]:
    registration, cut = pair.registration, pair.slices
    return {
        "nmi_before": registration.nmi_before,
        "nmi_after": registration.nmi_after,
        "rotation_degrees": registration.rotation_degrees,
        "translation_mm": registration.translation_mm,
        "displacement_mean_mm": registration.displacement_mean_mm,
        "displacement_max_mm": registration.displacement_max_mm,
        "brain_overlap": registration.overlap,
        "implausible": registration.implausible,
        "flair_to_t1ce": " ".join(f"{value:.9g}" for value in registration.matrix.ravel()),
        "planes": cut.planes,
        "planes_with_brain": cut.with_brain,
        "planes_covered_by_flair": cut.covered,
        "planes_with_tumour": cut.with_tumor,
        "slices": len(cut.slices),
        "spacing_mm": cut.spacing_mm,
    }


def _none_reason(pair: PairedSlices) -> str:
    cut = pair.slices
    return (
        f"no slice of {cut.planes} is left: {cut.with_brain} have enough brain, {cut.covered} of "
        f"these are covered by the FLAIR, {cut.with_tumor} of these show tumor"
    )
