"""One study from files to slices: read, find the brains, judge them, pair the scans, cut slices."""

import os
from dataclasses import dataclass, field
from typing import Any

from idhray.errors import MriError
from idhray.images import RGB
from idhray.mri.brain.extraction import BrainMask, brain_mask, tumour_mask
from idhray.mri.brain.gate import GateSettings, checked_brain, pair_problems
from idhray.mri.brain.settings import PRESETS as BRAIN
from idhray.mri.brain.settings import BrainSettings
from idhray.mri.dicom.series import read_series
from idhray.mri.nifti.reader import read_volume
from idhray.mri.nifti.settings import ReaderSettings
from idhray.mri.pair import Pair, paired_slices
from idhray.mri.settings import PRESETS as SLICES
from idhray.mri.settings import SliceSettings
from idhray.mri.slices import Slice
from idhray.mri.volume import Mask, Volume, mask_ml


@dataclass(frozen=True, kw_only=True)
class MriSettings:
    """Settings of the way from a patient's scans to slices."""

    reader: ReaderSettings = field(default_factory=ReaderSettings)
    brain: BrainSettings = field(default_factory=BrainSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    slices: SliceSettings = field(default_factory=SliceSettings)


PRESETS = {
    "default": MriSettings(),
    # Source: Park et al. 2021, Methods, "Image preprocessing"; see the presets of brain and slices.
    "park2021": MriSettings(brain=BRAIN["park2021"], slices=SLICES["park2021"]),
    # Ours: made-up brains without skulls, or any scan at 64 px in little time.
    "demo-mri": MriSettings(slices=SLICES["demo"]),
}


@dataclass(frozen=True, kw_only=True)
class Scans:
    """Local paths of a study's files: NIfTI, or DICOM folders.

    A folder with several series needs the one that is meant, FOLDER#SERIES_INSTANCE_UID.
    """

    study: str
    t1ce: str
    flair: str
    brain_mask: str | None = None
    """On the grid of the CE-T1w."""
    tumor_mask: str | None = None
    """On the grid of the CE-T1w, 0 where there is no tumor; slices without any are left out."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a study gave."""

    slices: list[Slice]
    why_none: str
    """Where there are no slices."""
    picture: RGB
    """For a person's eye, see `quality_picture`."""
    figures: dict[str, Any]
    """How the brains were found, and how far FLAIR was moved."""
    notes: tuple[str, ...]
    """What was odd, yet usable; an implausible motion is among them."""


def prepare(scans: Scans, settings: MriSettings) -> Prepared:
    """The paired slices of a study.

    Raises:
        MriError: a file is missing or damaged, a brain mask is implausible or the two do not fit
            each other, or the scans are no base for axial slices.
    """
    notes: list[str] = []
    reader = settings.reader
    t1ce = _read(scans.t1ce, f"{scans.study} CE-T1w", reader, notes)
    flair = _read(scans.flair, f"{scans.study} FLAIR", reader, notes)
    given = _read_mask(scans.brain_mask, scans.study, reader, notes)
    tumor = _read_mask(scans.tumor_mask, scans.study, reader, notes)
    t1ce_brain, t1ce_method = _brain(t1ce, settings, given, notes)
    flair_brain, flair_method = _brain(flair, settings, None, notes)
    if "none" not in (t1ce_method, flair_method) and (
        problems := pair_problems(t1ce, t1ce_brain, flair, flair_brain, settings.gate)
    ):
        raise MriError(f"{scans.study}: {'; '.join(problems)}; see the scans, or give masks")
    found = paired_slices(
        t1ce,
        t1ce_brain,
        flair,
        flair_brain,
        settings.slices,
        tumor=None if tumor is None else tumour_mask(t1ce, tumor),
    )
    if found.registration.implausible:
        notes.append(f"{scans.study}: FLAIR {found.registration.implausible}; see its picture")
    brains = {
        "t1ce_brain_method": t1ce_method,
        "t1ce_brain_ml": mask_ml(t1ce_brain, t1ce),
        "flair_brain_method": flair_method,
        "flair_brain_ml": mask_ml(flair_brain, flair),
    }
    return Prepared(
        slices=found.slices.slices,
        why_none=_why_none(found),
        picture=found.picture,
        figures={**brains, **_figures(found), "notes": "; ".join(notes)},
        notes=tuple(notes),
    )


def _read(path: str, name: str, reader: ReaderSettings, notes: list[str]) -> Volume:
    folder, series_uid = series_of(path)
    if os.path.isdir(folder):
        return read_series(folder, series_uid, name=name, settings=reader, notes=notes)
    return read_volume(path, name=name, settings=reader, notes=notes)


def series_of(path: str) -> tuple[str, str | None]:
    """FOLDER#UID -> FOLDER, UID; any other path, or a folder of that very name, as it is."""
    folder, mark, uid = path.rpartition("#")
    if mark and uid and not os.path.exists(path):
        return folder, uid
    return path, None


def _read_mask(
    path: str | None, study: str, reader: ReaderSettings, notes: list[str]
) -> Volume | None:
    return None if path is None else _read(path, f"{study} {os.path.basename(path)}", reader, notes)


def _brain(
    volume: Volume, settings: MriSettings, given: Volume | None, notes: list[str]
) -> tuple[Mask, str]:
    found: BrainMask = brain_mask(volume, settings.brain, given=given)
    notes += [f"{volume.name}: {note}" for note in found.notes]
    return checked_brain(volume, found, settings.gate), found.method


def _figures(found: Pair) -> dict[str, Any]:
    moved, cut = found.registration, found.slices
    return {
        "nmi_before": moved.nmi_before,
        "nmi_after": moved.nmi_after,
        "rotation_degrees": moved.rotation_degrees,
        "translation_mm": moved.translation_mm,
        "displacement_mean_mm": moved.displacement_mean_mm,
        "displacement_max_mm": moved.displacement_max_mm,
        "brain_overlap": moved.overlap,
        "implausible": moved.implausible,
        "flair_to_t1ce": " ".join(f"{value:.9g}" for value in moved.matrix.ravel()),
        "planes": cut.planes,
        "planes_with_brain": cut.with_brain,
        "planes_covered_by_flair": cut.covered,
        "planes_with_tumour": cut.with_tumor,
        "slices": len(cut.slices),
        "spacing_mm": cut.spacing_mm,
    }


def _why_none(found: Pair) -> str:
    cut = found.slices
    return (
        f"no slice of {cut.planes} is left: {cut.with_brain} have enough brain, {cut.covered} of "
        f"these are covered by the FLAIR, {cut.with_tumor} of these show tumor"
    )
