"""Image slices among the files of a folder, from their DICOM headers; no pixel is read.

Names, numbers and birth dates of patients are used only to tell two patients apart, and appear in
no message.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from idhray.mri.nifti.settings import DICOM_KEYS

PATIENT_TAGS = ("0010|0010", "0010|0020", "0010|0030")  # name, number, birth date
CONTRAST_TAGS = {"TR": "0018|0080", "TE": "0018|0081", "TI": "0018|0082"}  # ms

MR_IMAGE_CLASS = b"1.2.840.10008.5.1.4.1.1.4"

TagNumbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class DicomImage:
    """Header of a single-frame image, or of a multi-frame file (`frames` above 1)."""

    path: str
    series_uid: str
    image_uid: str
    modality: str
    patient: tuple[str, ...]
    size: tuple[int, int]
    """(columns, rows)"""
    frames: int
    components: int
    position: TagNumbers
    """LPS position of the first pixel in mm, (3,); empty if the file has none."""
    axes: TagNumbers
    """LPS directions along a row and down a column, (6,); empty if the file has none."""
    pixel_mm: TagNumbers
    """Distance between rows and between columns, (2,); empty if the file has none."""
    spacing_mm: float | None
    """Nominal distance between slices."""
    localizer: bool
    contrast: tuple[str, ...]
    """Repetition, echo and inversion times of the header: "TR 9000"."""
    class_uid: str = ""
    """SOPClassUID."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Values of `DICOM_KEYS` that the header states."""
    frame: int | None = None
    """Number of the frame in a multi-frame file, from 0."""
    slope: float = 1.0
    intercept: float = 0.0
    """Scaling of a frame; that of single-frame files is applied by GDCM."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DicomFolder:
    """Content of a folder, without subfolders."""

    slices: list[DicomImage]
    damaged: int
    """Number of MR images that cannot be read."""
    others: int
    """Number of files that are not DICOM images."""


def folder_slices(folder: str) -> DicomFolder:
    """Slices and other files in a folder, or in one file; hidden files are skipped."""
    slices: list[DicomImage] = []
    damaged = others = 0
    paths = (
        [folder]
        if os.path.isfile(folder)
        else [os.path.join(folder, entry) for entry in sorted(os.listdir(folder))]
    )
    for path in paths:
        if os.path.basename(path).startswith(".") or not os.path.isfile(path):
            continue
        reader = dicom_reader(path)
        try:
            reader.ReadImageInformation()
            slices.append(_slice(path, reader))
        except RuntimeError:  # the only error that SimpleITK raises
            if _says_mr(path):
                damaged += 1
            else:
                others += 1
    return DicomFolder(slices=slices, damaged=damaged, others=others)


def is_dicom_file(path: str) -> bool:
    """True for a file with the preamble of DICOM."""
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def _says_mr(path: str) -> bool:
    with open(path, "rb") as file:
        start = file.read(1024)
    return start[128:132] == b"DICM" and MR_IMAGE_CLASS in start


def dicom_reader(path: str) -> SimpleITK.ImageFileReader:
    """Reader of float32 that treats the file as DICOM, whatever its name."""
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetOutputPixelType(SimpleITK.sitkFloat32)
    reader.SetFileName(path)
    return reader


def _slice(path: str, reader: SimpleITK.ImageFileReader) -> DicomImage:
    tags = {key: reader.GetMetaData(key).strip(" \0") for key in reader.GetMetaDataKeys()}
    size = reader.GetSize()
    spacing = _numbers(tags, "0018|0088", 1)
    return DicomImage(
        path=path,
        series_uid=tags.get("0020|000e", ""),
        image_uid=tags.get("0008|0018", ""),
        modality=tags.get("0008|0060", ""),
        patient=tuple(tags.get(key, "") for key in PATIENT_TAGS),
        size=(size[0], size[1]),
        frames=int(np.prod(size[2:])),
        components=reader.GetNumberOfComponents(),
        position=_numbers(tags, "0020|0032", 3),
        axes=_numbers(tags, "0020|0037", 6),
        pixel_mm=_numbers(tags, "0028|0030", 2),
        spacing_mm=abs(float(spacing[0])) if spacing.size else None,
        localizer="LOCALIZER" in tags.get("0008|0008", "").upper(),
        class_uid=tags.get("0008|0016", ""),
        details={key: tags[tag] for key, tag in DICOM_KEYS.items() if tags.get(tag)},
        contrast=tuple(f"{key} {tags[tag]}" for key, tag in CONTRAST_TAGS.items() if tags.get(tag)),
    )


def _numbers(tags: Mapping[str, str], key: str, count: int) -> TagNumbers:
    """The `count` finite numbers of a tag; empty if the tag does not have them."""
    try:
        numbers = np.array([float(text) for text in tags.get(key, "").split("\\")])
    except ValueError:
        return np.empty(0)
    return numbers if numbers.size == count and np.isfinite(numbers).all() else np.empty(0)
