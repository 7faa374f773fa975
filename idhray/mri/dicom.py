"""Read one DICOM series from a folder, as a volume whose slices are all there.

Readers stack whatever files they find and spread a gap over all slices: with a middle slice missing
the brain is stretched, with two series it is shuffled, and nothing says so. Here positions are
compared first. A missing last slice shows in no position: the volume is right, but shorter.
"""

import os
from collections.abc import Sequence

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from idhray.errors import MriError
from idhray.mri.dicom_slices import Slice, Vector, dicom_reader, folder_slices
from idhray.mri.nifti_header import MIN_SIDE
from idhray.mri.reader import hand_over
from idhray.mri.reader_settings import ReaderSettings
from idhray.mri.transform import Matrix
from idhray.mri.volume import Volume, Voxels

SAME_DIRECTION = 1e-3
"""Between slices, of each number that gives their orientation."""
SAME_PLACE_MM = 0.1
GAP_TOLERANCE = 0.02
"""Of the distance between slices."""
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MOST_CHOICES = 8  # that a message lists


def read_series(
    folder: str,
    series_uid: str | None = None,
    *,
    name: str | None = None,
    settings: ReaderSettings | None = None,
    notes: list[str] | None = None,
) -> Volume:
    """The volume of a DICOM series; i along the rows, j down the columns, k along the slices.

    Args:
        folder: Holds the files of the series; what is no DICOM image in it is counted in a note.
        series_uid: Which series, where the folder holds several.
        name: How messages call the volume; the folder's name when not given.
        settings: Only `max_voxels` counts here.
        notes: What was found odd, yet usable, is appended here; logged when not given.

    Raises:
        MriError: there is no series or a choice of them, or its files are not evenly spaced,
            parallel slices of one patient's MRI, each of them once.
    """
    label = os.path.basename(os.path.normpath(folder))
    found: list[str] = []
    if not os.path.isdir(folder):
        raise MriError(f"{label}: no folder {folder}; correct its manifest row")
    slices, others = folder_slices(folder)
    if others:
        found.append(f"{others} files that are no DICOM image: ignored")
    series = _chosen(label, slices, others, series_uid)
    series = _each_once(series, found)
    _check_alike(label, series, (settings or ReaderSettings()).max_voxels)
    series = _in_order(label, series)
    affine = _affine(label, series, found)
    voxels = _voxels(label, series)
    hand_over(label, found, notes)
    return Volume(name=name or label, voxels=voxels, affine=affine)


def _chosen(
    label: str, slices: Sequence[Slice], others: int, series_uid: str | None
) -> list[Slice]:
    """The slices of the one series, or of the one asked for."""
    if not slices:
        raise MriError(
            f"{label}: no DICOM image among its {others} files; give the folder that holds the "
            "files of one series"
        )
    series: dict[str, list[Slice]] = {}
    for image in slices:
        series.setdefault(image.series_uid, []).append(image)
    if series_uid is None and len(series) == 1:
        return list(slices)
    if series_uid in series:
        return series[series_uid]
    choices = [_choice(uid, images) for uid, images in series.items()]
    more = ["..."] if len(choices) > _MOST_CHOICES else []
    wanted = f"no series {series_uid}" if series_uid else "several series"
    patients = len({image.patient for image in slices})
    raise MriError(
        f"{label}: {wanted}{f' (of {patients} patients)' if patients > 1 else ''}; choose one by "
        f"its UID: {', '.join(choices[:_MOST_CHOICES] + more)}"
    )


def _choice(uid: str, images: Sequence[Slice]) -> str:
    columns, rows = images[0].size
    about = [
        f"{len(images)} x {rows} x {columns}",
        *images[0].contrast,
        *(["localizer"] if images[0].localizer else []),
    ]
    return f"{uid} ({' '.join(about)})"


def _each_once(series: Sequence[Slice], notes: list[str]) -> list[Slice]:
    """Without copies of the same image."""
    by_uid = {image.image_uid or image.path: image for image in series}
    if copies := len(series) - len(by_uid):
        notes.append(f"{copies} files are copies of others: ignored")
    return list(by_uid.values())


def _check_alike(label: str, series: Sequence[Slice], max_voxels: int) -> None:
    """Refuse files that cannot be slices of one volume."""
    first = series[0]
    problem = ""
    if any(image.frames > 1 for image in series):
        problem = "multi-frame files; convert the scan to NIfTI, with dcm2niix for instance"
    elif any(image.components > 1 for image in series):
        problem = "images in colour; give the scan itself, not a screenshot"
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


def _in_order(label: str, series: Sequence[Slice]) -> list[Slice]:
    """Slices along their normal, evenly spaced.

    Raises:
        MriError: several lie at one place, or some are missing.
    """
    normal = np.cross(series[0].axes[:3], series[0].axes[3:])
    ordered = sorted(series, key=lambda image: float(image.position @ normal))
    steps = np.diff([float(image.position @ normal) for image in ordered])
    usual = float(np.median(steps))
    if steps.min() < SAME_PLACE_MM:
        places = 1 + int((steps >= SAME_PLACE_MM).sum())
        raise MriError(
            f"{label}: {len(series)} slices at {places} places: several echoes, time points or "
            "reconstructions under one UID; export one of them"
        )
    if (worst := np.abs(steps - usual)).max() > max(GAP_TOLERANCE * usual, SAME_PLACE_MM):
        where = int(worst.argmax()) + 1
        raise MriError(
            f"{label}: {steps[where - 1]:.2f} mm between slices {where} and {where + 1} of "
            f"{len(series)}, {usual:.2f} between others; slices are missing, export it again"
        )
    return ordered


def _affine(label: str, series: Sequence[Slice], notes: list[str]) -> Matrix:
    """Voxel index -> RAS mm, from positions rather than from nominal spacing."""
    first, last = series[0], series[-1]
    step = (last.position - first.position) / (len(series) - 1)
    expected = first.position + np.arange(len(series))[:, None] * step
    positions: Vector = np.array([image.position for image in series])
    spacing = float(np.linalg.norm(step))
    if np.abs(positions - expected).max() > max(GAP_TOLERANCE * spacing, SAME_PLACE_MM):
        raise MriError(f"{label}: slices are not in one line; export the original series")
    nominal = first.spacing_mm
    if nominal and spacing > 1.5 * nominal:
        raise MriError(
            f"{label}: slices lie {spacing:.2f} mm apart, their headers say {nominal:.2f}; every "
            "second one or more is missing, export it again"
        )
    if nominal and abs(spacing - nominal) > GAP_TOLERANCE * nominal:
        notes.append(f"slices lie {spacing:.2f} mm apart, their headers say {nominal:.2f}")
    affine = np.eye(4)
    affine[:3, 0] = first.axes[:3] * first.pixel_mm[1]  # along a row, from column to column
    affine[:3, 1] = first.axes[3:] * first.pixel_mm[0]
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    return np.asarray(LPS_TO_RAS @ affine)


def _voxels(label: str, series: Sequence[Slice]) -> Voxels:
    columns, rows = series[0].size
    voxels = np.empty((columns, rows, len(series)), dtype=np.float32, order="F")
    for k, image in enumerate(series):
        try:
            pixels: NDArray[np.float32] = SimpleITK.GetArrayFromImage(
                dicom_reader(image.path).Execute()
            )
        except RuntimeError:  # its text is of many lines and holds the path
            raise MriError(f"{label}: slice {k + 1} of {len(series)} is damaged; export it again")
        voxels[:, :, k] = pixels.reshape(rows, columns).T
    if voxels.min() == voxels.max():
        raise MriError(f"{label}: all voxels are {voxels.flat[0]:g}; the scan is empty")
    return voxels
