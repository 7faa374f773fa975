"""What can be wrong with a DICOM slide, which is a series of files: a level each, and the label."""

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
"""Times that a level's downsample across may differ from that down; two slides differ by more."""
ROUNDED_PX = 512
"""A level of a shorter side may be rounded up to whole frames."""
PATCH_PX, LEAST_PATCH_PX = 256, 8
MAX_COLOR_CHANGE = 15.0
"""Gray values of the mean of a channel from one level to the next. JPEG and resampling: under 2;
YCbCr that is not decoded: 28 on purple, 46 on pink, 127 on white."""


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins so is DICOM."""
    return head[128:132] == b"DICM"


def class_of(head: bytes) -> str | None:
    """MediaStorageSOPClassUID (0002,0002)."""
    return _uid(head, 2)


def other_shape(sizes: Sequence[tuple[int, int]]) -> str | None:
    """Which level of a DICOM slide is not level 0 made smaller; None if all are.

    Args:
        sizes: (width, height) of each level.
    """
    for level, (width, height) in enumerate(sizes):
        across, down = sizes[0][0] / width, sizes[0][1] / height
        alike = max(across, down) <= MAX_LEVELS_APART * min(across, down)
        if not alike and min(width, height) > ROUNDED_PX:
            return (
                f"level {level} is of {width} x {height} px, level 0 of {sizes[0][0]} x "
                f"{sizes[0][1]}: its series holds parts of several slides; give each its own folder"
            )
    return None


def why_not_whole(path: str, properties: Mapping[str, str]) -> str | None:
    """Whether a DICOM file is a lesser part of its slide: a smaller level, the label.

    OpenSlide opens the slide by any of its files. With each of them in a manifest, one slide would
    be tiled under many names, perhaps of several patients.
    """
    whole = properties.get("dicom.SOPInstanceUID")
    if whole is None or _instance(path) in (None, whole):
        return None
    beside = os.scandir(os.path.dirname(path) or ".")
    names = [file.name for file in beside if file.is_file() and _instance(file.path) == whole]
    found = f"{min(names)}, which holds it" if names else f"the file of instance {whole}"
    return f"is not the full resolution of its DICOM slide; name {found}, in the manifest row"


def changed_colors(handle: openslide.OpenSlide) -> str | None:
    """Whether the middle of a DICOM slide has other colors in one level than in the next.

    Each level is a file that says for itself how its colors are stored: a thumbnail of the right
    colors does not vouch for tiles that are read from another level.

    Raises:
        OpenSlideError: a level is damaged there; the handle must be closed.
    """
    if handle.properties.get(openslide.PROPERTY_NAME_VENDOR) != "dicom":
        return None
    for finer, coarser in pairwise(range(handle.level_count)):
        ratio = handle.level_downsamples[coarser] / handle.level_downsamples[finer]
        side = min(PATCH_PX, *(length // 2 for length in handle.level_dimensions[finer]))
        if side / ratio < LEAST_PATCH_PX:
            continue
        one, other = _middle(handle, finer, side), _middle(handle, coarser, round(side / ratio))
        if one is None or other is None:
            continue
        change = float(np.abs(one - other).max())
        if change > MAX_COLOR_CHANGE:
            return (
                f"its levels {finer} and {coarser} have other colors in the same place (by "
                f"{change:.0f} of 255), as where one of them is wrongly decoded; convert it again"
            )
    return None


def _middle(handle: openslide.OpenSlide, level: int, side: int) -> NDArray[np.float64] | None:
    """The mean color below and right of the middle; None where most of it was not scanned."""
    width, height = handle.dimensions
    region = np.asarray(handle.read_region((width // 2, height // 2), level, (side, side)))
    scanned = region[..., 3] > 0
    if scanned.mean() < 0.5:
        return None
    mean: NDArray[np.float64] = region[scanned][:, :3].mean(axis=0)
    return mean


def _instance(path: str) -> str | None:
    """MediaStorageSOPInstanceUID (0002,0003) of a file; None where it is no DICOM, or not ours."""
    try:
        with open(path, "rb") as file:
            head = file.read(1024)
    except OSError:
        return None
    return _uid(head, 3) if is_dicom(head) else None


def _uid(head: bytes, element: int) -> str | None:
    """A UID of the group 0002, which stands near the beginning."""
    place = head[:1024].find(b"\x02\x00" + bytes((element, 0)) + b"UI", 132)
    if place < 0:
        return None
    length = int.from_bytes(head[place + 6 : place + 8], "little")
    found = head[place + 8 : place + 8 + length].rstrip(b"\0 ")
    return found.decode() if re.fullmatch(rb"[0-9.]{1,64}", found) else None
