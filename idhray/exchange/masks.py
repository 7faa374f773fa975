"""Recognition of masks among images: nuclei, tumor outlines and label maps that tools put there."""

import re

import numpy as np
from numpy.typing import NDArray

from idhray.errors import TableError

FLAT = 0.6
"""Share of neighboring pixels of one value, outside the most frequent value, that makes a mask.
Of 1,009 real H&E patches and MRI slices none has more than 0.42; label maps have 0.8 and more."""
MAX_COLORS = 64
"""Colors of a colored mask, at most; gray masks may number their objects."""
FEW_COLORS = 4
"""An image with so few colors is a mask; its objects may be too small to be flat."""
ROW_STEP = 8
"""Every eighth row decides whether all are compared."""


MASK_NAME = re.compile(
    r"(?<![a-z])(masks?|seg|segmentations?|labels?|labelmaps?|annotations?|gt)(?![a-z])",
    re.IGNORECASE,
)
"""Words of a name that say that an image is a mask."""


class MaskError(TableError):
    """An image is a mask and shows no tissue."""


def is_mask(pixels: NDArray[np.uint8], name: str = "") -> bool:
    """True if an image consists of areas of single values, as masks do.

    An image of one value only is an empty mask if its name says so, else an empty image.

    Args:
        pixels: (height, width) or (height, width, 3) uint8.
        name: Path of the image in its source.
    """
    sample = pixels[::ROW_STEP]
    if _flatness(sample) < FLAT and len(np.unique(_codes(sample))) > FEW_COLORS:
        return False
    colors = _codes(pixels)
    values = np.unique(colors)
    if len(values) == 1:
        return MASK_NAME.search(name) is not None
    is_gray = pixels.ndim == 2 or bool((np.ptp(pixels, axis=-1) == 0).all())
    if len(values) > MAX_COLORS and not is_gray:
        return False
    return len(values) <= FEW_COLORS or _flatness(pixels) >= FLAT


def _flatness(pixels: NDArray[np.uint8]) -> float:
    """Share of equal pairs of horizontal neighbors, without pairs of the most frequent value.

    1 if there are no other pairs.
    """
    colors = _codes(pixels)
    values, counts = np.unique(colors, return_counts=True)
    left, right = colors[:, :-1], colors[:, 1:]
    others = (left != values[counts.argmax()]) | (right != values[counts.argmax()])
    return float((left == right)[others].mean()) if others.any() else 1.0


def _codes(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """One number for the color of each pixel, (height, width)."""
    wide = pixels.astype(np.uint32)
    if pixels.ndim == 2:
        return wide
    return np.asarray(wide[..., 0] * 65536 + wide[..., 1] * 256 + wide[..., 2], dtype=np.uint32)
