"""Position of the voxels by a NIfTI header: sform, qform, or neither.

A header has two positions, each with a code, which is above 0 if the position is set. Libraries
differ on which one they use, and then on left and right. The rule here: the sform if set, else the
qform. If both are set and contradict each other, the file is refused.
"""

from typing import Any

import numpy as np
from nibabel import Nifti1Header
from nibabel.affines import apply_affine
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from idhray.errors import MriError
from idhray.mri.nifti.settings import ReaderSettings
from idhray.mri.transform import Affine

MIN_SPACING_MM, MAX_SPACING_MM = 0.1, 20.0
"""Plausible voxel spacing of a head. A header in meters or micrometers lies far outside."""
MAX_ANGLE_DEGREES = 45.0
"""Largest angle between sform and qform. Registered scans keep the scanner's position in one of
them and the registered position in the other. A larger angle is another orientation."""
SAME_PLACE_MM = 1.0
SAME_SPACING = 0.01


@np.errstate(over="ignore", invalid="ignore")  # broken headers overflow; the result is checked
def header_affine(
    name: str,
    header: Nifti1Header,
    shape: tuple[int, int, int],
    settings: ReaderSettings,
    notes: list[str],
) -> Affine:
    """Affine (4, 4), voxel index -> RAS mm.

    Args:
        name: Name of the file in messages.
        header: Header as parsed by nibabel.
        shape: Voxels along the axes.
        settings: Choice of the position, and whether one is required.
        notes: List to which oddities that do not prevent use are appended.

    Raises:
        MriError: There is no position, it is broken, or two positions contradict each other.
    """
    form = settings.form
    forms = {
        key: _form(name, header, key)
        for key in ("sform", "qform")
        if int(header[f"{key}_code"]) > 0 and form in ("agree", key)
    }
    if len(forms) == 2:
        _compare(name, forms["sform"], forms["qform"], shape, notes)
    for key, affine in forms.items():  # the sform comes first
        _note_spacing(affine, header, key, notes)
        return affine
    if not settings.allow_no_form or form != "agree":
        missing = "sform and qform have" if form == "agree" else f"{form} has"
        raise MriError(
            f"{name}: {missing} no code, so left and right are unknown; convert the scan again "
            "from DICOM, or set allow_no_form if it is known to be LAS"
        )
    notes.append("no sform or qform: read as i left, j anterior, k superior (LAS)")
    return _plausible(name, "pixdim", header.get_base_affine())


def _form(name: str, header: Nifti1Header, key: str) -> Affine:
    try:
        affine = header.get_sform() if key == "sform" else header.get_qform()
    except (HeaderDataError, ValueError) as error:
        text = " ".join(str(error).split())
        raise MriError(f"{name}: its {key} is broken ({text}); convert the scan again from DICOM")
    return _plausible(name, key, affine)


def _plausible(name: str, key: str, form: NDArray[Any]) -> Affine:
    """Affine in float64; refused if it is singular or its spacing is implausible."""
    affine = np.asarray(form, dtype=np.float64)
    if not np.isfinite(affine).all() or not np.linalg.det(affine[:3, :3]):
        raise MriError(
            f"{name}: its {key} maps voxels to no place; convert the scan again from DICOM"
        )
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing.min() < MIN_SPACING_MM or spacing.max() > MAX_SPACING_MM:
        raise MriError(
            f"{name}: {key} says voxels of {_mm(spacing)} mm, must be {MIN_SPACING_MM:g} to "
            f"{MAX_SPACING_MM:g}; convert the scan again from DICOM"
        )
    return affine


def _compare(
    name: str, sform: Affine, qform: Affine, shape: tuple[int, int, int], notes: list[str]
) -> None:
    """Refuse forms of different orientation; note forms of different position."""
    s, q = (form[:3, :3] / np.linalg.norm(form[:3, :3], axis=0) for form in (sform, qform))
    angle = np.degrees(np.arccos(np.clip((np.trace(s.T @ q) - 1) / 2, -1, 1)))
    if angle > MAX_ANGLE_DEGREES:  # of mirror images, 90 degrees or more
        raise MriError(
            f"{name}: sform and qform contradict each other on the orientation; convert the scan "
            "again from DICOM, or set form to the correct one"
        )
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(shape) - 1)
    apart = np.linalg.norm(apply_affine(sform, corners) - apply_affine(qform, corners), axis=1)
    if apart.max() > SAME_PLACE_MM:
        notes.append(f"sform and qform lie up to {apart.max():.1f} mm apart: sform used")


def _note_spacing(affine: Affine, header: Nifti1Header, key: str, notes: list[str]) -> None:
    """Note a difference between the header's voxel sizes and those of the affine."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    pixdim = np.abs(np.asarray(header["pixdim"], dtype=np.float64)[1:4])
    if not np.allclose(pixdim, spacing, rtol=SAME_SPACING):
        notes.append(f"voxels are {_mm(pixdim)} mm in pixdim, {_mm(spacing)} in {key}: {key} used")


def _mm(spacing: NDArray[np.float64]) -> str:
    return " x ".join(f"{side:.4g}" for side in spacing)
