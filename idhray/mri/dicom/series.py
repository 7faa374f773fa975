"""Read one DICOM series from a folder as a volume, and refuse missing slices.

Other readers stack all files of a folder and spread gaps over all slices. A missing middle slice
then stretches the brain, and two series are interleaved, without a warning. Here positions are
compared first. A missing last slice cannot be detected: the volume is correct, but shorter.
"""

import os
from collections.abc import Sequence

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from idhray.errors import MriError
from idhray.mri.dicom.choice import one_per_place
from idhray.mri.dicom.multiframe import frame_stack, frames_of
from idhray.mri.dicom.slices import DicomFolder, DicomImage, dicom_reader, folder_slices
from idhray.mri.dicom.stack import check_alike, sorted_along_normal, stack_affine
from idhray.mri.nifti.reader import deliver_notes
from idhray.mri.nifti.settings import ReaderSettings
from idhray.mri.volume import Volume, Voxels

CAPTURE_CLASS = "1.2.840.10008.5.1.4.1.1.7"
"""SOPClassUIDs of secondary captures begin with it."""
_MOST_CHOICES = 8  # series that a message lists


def read_series(
    folder: str,
    series_uid: str | None = None,
    *,
    name: str | None = None,
    settings: ReaderSettings | None = None,
    notes: list[str] | None = None,
) -> Volume:
    """Volume of a DICOM series; i along the rows, j down the columns, k along the slices.

    Args:
        folder: Folder with the files of the series; other files in it are counted in a note. Or an
            enhanced multi-frame file.
        series_uid: UID of the series, if the folder holds several.
        name: Name of the volume in messages; defaults to the folder's name.
        settings: `max_voxels`, and `dicom_keep` if several images lie at one place.
        notes: List to which oddities that do not prevent use are appended; if None, they are
            warnings of Python.

    Raises:
        MriError: There is no series or a choice of several, or its files are not evenly spaced,
            parallel, distinct slices of one patient's MRI.
    """
    label = os.path.basename(os.path.normpath(folder))
    oddities: list[str] = []
    if not os.path.exists(folder):
        raise MriError(f"{label}: no folder {folder}; correct its manifest row")
    content = folder_slices(folder)
    if content.damaged:
        raise MriError(
            f"{label}: {content.damaged} MR images cannot be read: truncated or compressed in a "
            "way that GDCM does not know; export the series again"
        )
    if content.others:
        oddities.append(f"{content.others} files are not DICOM images: ignored")
    settings = settings or ReaderSettings()
    series = _scans_only(_each_once(_chosen(label, content, series_uid), oddities), oddities)
    series = [
        frame for file in series for frame in (frames_of(file) if file.frames > 1 else [file])
    ]
    check_alike(label, series, settings.max_voxels)
    series = one_per_place(
        label, series, settings, oddities, pixels=lambda image: _pixels_of(label, image).tobytes()
    )
    series = sorted_along_normal(label, series)
    affine = stack_affine(label, series, oddities)
    voxels = _voxels(label, series)
    deliver_notes(label, oddities, notes)
    return Volume(name=name or label, voxels=voxels, affine=affine)


def _chosen(label: str, content: DicomFolder, series_uid: str | None) -> list[DicomImage]:
    """Slices of the series `series_uid`, or of the only series."""
    slices = content.slices
    if not slices:
        raise MriError(
            f"{label}: no DICOM image among its {content.others} files; give the folder that "
            "holds the files of one series"
        )
    series: dict[str, list[DicomImage]] = {}
    for image in slices:
        series.setdefault(image.series_uid, []).append(image)
    if series_uid is None and len(series) == 1:
        return list(slices)
    if series_uid in series:
        return series[series_uid]
    choices = [_choice(uid, images) for uid, images in series.items()]
    more = ["..."] if len(choices) > _MOST_CHOICES else []
    problem = f"no series {series_uid}" if series_uid else "several series"
    patients = len({image.patient for image in slices})
    raise MriError(
        f"{label}: {problem}{f' (of {patients} patients)' if patients > 1 else ''}; choose one by "
        f"its UID: {', '.join(choices[:_MOST_CHOICES] + more)}"
    )


def _choice(uid: str, images: Sequence[DicomImage]) -> str:
    columns, rows = images[0].size
    details = [
        f"{sum(image.frames for image in images)} x {rows} x {columns}",
        *images[0].contrast,
        *(["localizer"] if images[0].localizer else []),
    ]
    return f"{uid} ({' '.join(details)})"


def _each_once(series: Sequence[DicomImage], notes: list[str]) -> list[DicomImage]:
    """Slices without copies of the same image."""
    by_uid = {image.image_uid or image.path: image for image in series}
    if copies := len(series) - len(by_uid):
        notes.append(f"{copies} files are copies of others: ignored")
    return list(by_uid.values())


def _scans_only(series: Sequence[DicomImage], notes: list[str]) -> list[DicomImage]:
    """Slices without secondary captures, such as screenshots in the series of a scan."""
    scans = [image for image in series if not image.class_uid.startswith(CAPTURE_CLASS)]
    if scans and len(scans) < len(series):
        notes.append(f"{len(series) - len(scans)} secondary captures are ignored")
        return scans
    return list(series)


def _pixels_of(label: str, image: DicomImage) -> NDArray[np.float32]:
    """Pixels of one image.

    Raises:
        MriError: They cannot be read.
    """
    if image.frame is not None:
        stack = frame_stack(label, image.path, [image])
        return np.asarray(stack[image.frame])
    try:
        return np.asarray(SimpleITK.GetArrayFromImage(dicom_reader(image.path).Execute()))
    except RuntimeError:  # its text has many lines and contains the path
        raise MriError(f"{label}: a slice is damaged; export it again") from None


def _voxels(label: str, series: Sequence[DicomImage]) -> Voxels:
    columns, rows = series[0].size
    voxels = np.empty((columns, rows, len(series)), dtype=np.float32, order="F")
    stacks: dict[str, NDArray[np.float32]] = {}
    for k, image in enumerate(series):
        if image.frame is not None:
            if image.path not in stacks:
                frames = [each for each in series if each.path == image.path]
                stacks[image.path] = frame_stack(label, image.path, frames)
            voxels[:, :, k] = stacks[image.path][image.frame].T
            continue
        try:
            pixels: NDArray[np.float32] = SimpleITK.GetArrayFromImage(
                dicom_reader(image.path).Execute()
            )
        except RuntimeError:  # its text has many lines and contains the path
            raise MriError(f"{label}: slice {k + 1} of {len(series)} is damaged; export it again")
        voxels[:, :, k] = pixels.reshape(rows, columns).T
    if voxels.min() == voxels.max():
        raise MriError(f"{label}: all voxels are {voxels.flat[0]:g}; the scan is empty")
    return voxels
