"""Checks of a DICOM slide, which is a series of files: one for each level, and the label."""

import os
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import openslide
from numpy.typing import NDArray

WHOLE_SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""DICOM: VL Whole Slide Microscopy Image Storage."""
MAX_LEVELS_APART = 1.1
"""Largest ratio of a level's downsamples across and down; between two slides it is larger."""
ROUNDED_PX = 512
"""Levels with a side up to this may be rounded up to whole frames and are not compared."""
PATCH_PX, LEAST_PATCH_PX = 256, 8
"""Side of the compared patch at the finer level, and its smallest side at the coarser one."""
MAX_COLOR_CHANGE = 15.0
"""Largest change of a channel's mean gray value from one level to the next. JPEG and resampling:
under 2; undecoded YCbCr: 28 on purple, 46 on pink, 127 on white."""


def is_dicom(head: bytes) -> bool:
    """True if a file that begins with these bytes is DICOM."""
    return head[128:132] == b"DICM"


def class_of(head: bytes) -> str | None:
    """MediaStorageSOPClassUID (0002,0002) of a DICOM file; None if it is not found."""
    return _uid(head, 2)


def other_shape(sizes: Sequence[tuple[int, int]]) -> str | None:
    """Reason if a level of a DICOM slide does not have the shape of level 0; None if all have.

    Args:
        sizes: (width, height) of each level.
    """
    for level, (width, height) in enumerate(sizes):
        across, down = sizes[0][0] / width, sizes[0][1] / height
        same_shape = max(across, down) <= MAX_LEVELS_APART * min(across, down)
        if not same_shape and min(width, height) > ROUNDED_PX:
            return (
                f"level {level} is of {width} x {height} px, level 0 of {sizes[0][0]} x "
                f"{sizes[0][1]}: its series holds parts of several slides; give each its own folder"
            )
    return None


def not_full_resolution(path: str, properties: Mapping[str, str]) -> str | None:
    """Reason if a DICOM file holds only a smaller level or the label of its slide; else None.

    OpenSlide opens a slide by any of its files. If a manifest listed each of them, one slide would
    be tiled under many names, perhaps of several patients.
    """
    level_0 = properties.get("dicom.SOPInstanceUID")
    if level_0 is None or _instance(path) in (None, level_0):
        return None
    files = os.scandir(os.path.dirname(path) or ".")
    names = [file.name for file in files if file.is_file() and _instance(file.path) == level_0]
    right_file = f"{min(names)}, which holds it" if names else f"the file of instance {level_0}"
    return f"is not the full resolution of its DICOM slide; name {right_file}, in the manifest row"


def changed_colors(handle: openslide.OpenSlide) -> str | None:
    """Reason if the middle of a DICOM slide differs in color between two levels; else None.

    Each level is a file that declares the storage of its colors itself: a thumbnail with correct
    colors proves nothing about tiles that are read from another level.

    Raises:
        OpenSlideError: a level is damaged in the middle; the handle must be closed.
    """
    if handle.properties.get(openslide.PROPERTY_NAME_VENDOR) != "dicom":
        return None
    for finer, coarser in pairwise(range(handle.level_count)):
        ratio = handle.level_downsamples[coarser] / handle.level_downsamples[finer]
        side = min(PATCH_PX, *(length // 2 for length in handle.level_dimensions[finer]))
        if side / ratio < LEAST_PATCH_PX:
            continue
        fine_color = _middle(handle, finer, side)
        coarse_color = _middle(handle, coarser, round(side / ratio))
        if fine_color is None or coarse_color is None:
            continue
        change = float(np.abs(fine_color - coarse_color).max())
        if change > MAX_COLOR_CHANGE:
            return (
                f"its levels {finer} and {coarser} have other colors in the same place (by "
                f"{change:.0f} of 255), so one of them is wrongly decoded; convert it again"
            )
    return None


def _middle(handle: openslide.OpenSlide, level: int, side: int) -> NDArray[np.float64] | None:
    """Mean color of a square below and right of the middle; None if most of it was not scanned."""
    width, height = handle.dimensions
    region = np.asarray(handle.read_region((width // 2, height // 2), level, (side, side)))
    scanned = region[..., 3] > 0
    if scanned.mean() < 0.5:
        return None
    mean: NDArray[np.float64] = region[scanned][:, :3].mean(axis=0)
    return mean


def _instance(path: str) -> str | None:
    """MediaStorageSOPInstanceUID (0002,0003) of a DICOM file; None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            head = file.read(1024)
    except OSError:
        return None
    return _uid(head, 3) if is_dicom(head) else None


def _uid(head: bytes, element: int) -> str | None:
    """UID of an element of group 0002, which stands near the start of the file."""
    place = head[:1024].find(b"\x02\x00" + bytes((element, 0)) + b"UI", 132)
    if place < 0:
        return None
    length = int.from_bytes(head[place + 6 : place + 8], "little")
    uid = head[place + 8 : place + 8 + length].rstrip(b"\0 ")
    return uid.decode() if re.fullmatch(rb"[0-9.]{1,64}", uid) else None
