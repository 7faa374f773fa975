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
from idhray.mri.dicom.slices import Folder, Slice, dicom_reader, folder_slices
from idhray.mri.dicom.stack import check_alike, in_order, stack_affine
from idhray.mri.nifti.reader import hand_over
from idhray.mri.nifti.settings import ReaderSettings
from idhray.mri.volume import Volume, Voxels

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
    content = folder_slices(folder)
    if content.damaged:
        raise MriError(
            f"{label}: {content.damaged} MR images cannot be read, cut off or packed in a way that "
            "GDCM does not know; export the series again"
        )
    if content.others:
        found.append(f"{content.others} files that are no DICOM image: ignored")
    series = _each_once(_chosen(label, content, series_uid), found)
    check_alike(label, series, (settings or ReaderSettings()).max_voxels)
    series = in_order(label, series)
    affine = stack_affine(label, series, found)
    voxels = _voxels(label, series)
    hand_over(label, found, notes)
    return Volume(name=name or label, voxels=voxels, affine=affine)


def _chosen(label: str, content: Folder, series_uid: str | None) -> list[Slice]:
    """The slices of the one series, or of the one asked for."""
    slices = content.slices
    if not slices:
        raise MriError(
            f"{label}: no DICOM image among its {content.others} files; give the folder that "
            "holds the files of one series"
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
