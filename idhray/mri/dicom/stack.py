"""Stacks of slices that form one volume: alike, parallel, evenly spaced, in one line, distinct."""

from collections.abc import Sequence

import numpy as np

from idhray.errors import MriError
from idhray.mri.dicom.choice import SAME_PLACE_MM
from idhray.mri.dicom.slices import DicomImage, TagNumbers
from idhray.mri.nifti.header import MIN_SIDE
from idhray.mri.transform import Affine

SAME_DIRECTION = 1e-3
"""Largest difference between slices in each number of their orientation."""
GAP_TOLERANCE = 0.02
"""Tolerance as a fraction of the distance between slices."""
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def check_alike(label: str, series: Sequence[DicomImage], max_voxels: int) -> None:
    """Refuse files that cannot be slices of one volume.

    Raises:
        MriError: The message names the difference or the missing values.
    """
    first = series[0]
    problem = ""
    if any(image.frames > 1 for image in series):
        problem = (
            "multi-frame files that do not state the positions of their frames; convert the scan "
            "to NIfTI, with dcm2niix for instance"
        )
    elif any(image.components > 1 for image in series):
        problem = "images in color; give the scan itself, not a screenshot"
    elif len({image.patient for image in series}) > 1:
        problem = "files of several patients in one series; export each patient again"
    elif modalities := {image.modality for image in series} - {"", "MR"}:
        problem = f"modality {', '.join(sorted(modalities))}, must be MR; give another series"
    elif not all(
        image.position.size and image.axes.size and image.pixel_mm.size for image in series
    ):
        problem = "slices without position, orientation or spacing; export the original series"
    elif not np.allclose(np.linalg.norm(first.axes.reshape(2, 3), axis=1), 1, atol=0.01):
        problem = "an orientation whose directions are not of length 1; export the original series"
    elif any(np.abs(image.axes - first.axes).max() > SAME_DIRECTION for image in series):
        problem = "slices of several orientations, like a localizer's; give another series"
    elif any(
        image.size != first.size or not np.allclose(image.pixel_mm, first.pixel_mm, rtol=1e-3)
        for image in series
    ):
        problem = "slices of several sizes; give a series of one acquisition"
    elif min(*first.size, len(series)) < MIN_SIDE:
        problem = (
            f"{len(series)} slices of {first.size[1]} x {first.size[0]}, each side must have "
            f"{MIN_SIDE}; give the whole scan"
        )
    elif len(series) * first.size[0] * first.size[1] > max_voxels:
        problem = f"more than {max_voxels} voxels; raise max_voxels if they are meant"
    if problem:
        raise MriError(f"{label}: {problem}")


def sorted_along_normal(label: str, series: Sequence[DicomImage]) -> list[DicomImage]:
    """Slices sorted along their normal; refused unless evenly spaced.

    Raises:
        MriError: Some slices are missing.
    """
    normal = np.cross(series[0].axes[:3], series[0].axes[3:])
    ordered = sorted(series, key=lambda image: float(image.position @ normal))
    steps = np.diff([float(image.position @ normal) for image in ordered])
    usual = float(np.median(steps))
    if (deviations := np.abs(steps - usual)).max() > max(GAP_TOLERANCE * usual, SAME_PLACE_MM):
        gap = int(deviations.argmax()) + 1
        raise MriError(
            f"{label}: {steps[gap - 1]:.2f} mm between slices {gap} and {gap + 1} of "
            f"{len(series)}, {usual:.2f} between others; slices are missing, export it again"
        )
    return ordered


def stack_affine(label: str, series: Sequence[DicomImage], notes: list[str]) -> Affine:
    """Affine (4, 4), voxel index -> RAS mm, from positions instead of the nominal spacing.

    Args:
        label: Name of the series in messages.
        series: Slices in order, evenly spaced.
        notes: List to which a different nominal spacing is appended.

    Raises:
        MriError: The slices are not in one line, or are twice as far apart as their headers state.
    """
    first, last = series[0], series[-1]
    step = (last.position - first.position) / (len(series) - 1)
    expected = first.position + np.arange(len(series))[:, None] * step
    positions: TagNumbers = np.array([image.position for image in series])
    spacing = float(np.linalg.norm(step))
    if np.abs(positions - expected).max() > max(GAP_TOLERANCE * spacing, SAME_PLACE_MM):
        raise MriError(f"{label}: slices are not in one line; export the original series")
    nominal = first.spacing_mm
    if nominal and spacing > 1.5 * nominal:
        raise MriError(
            f"{label}: slices lie {spacing:.2f} mm apart, their headers say {nominal:.2f}; at "
            "least every second slice is missing, export it again"
        )
    if nominal and abs(spacing - nominal) > GAP_TOLERANCE * nominal:
        notes.append(f"slices lie {spacing:.2f} mm apart, their headers say {nominal:.2f}")
    affine = np.eye(4)
    affine[:3, 0] = first.axes[:3] * first.pixel_mm[1]  # along a row, from column to column
    affine[:3, 1] = first.axes[3:] * first.pixel_mm[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    return np.asarray(LPS_TO_RAS @ affine)
