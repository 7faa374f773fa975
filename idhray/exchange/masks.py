"""Recognition of masks among images: nuclei, tumor outlines and label maps that tools put there."""

import numpy as np
from numpy.typing import NDArray

from idhray.errors import TableError

FLAT = 0.6
"""Share of neighboring pixels of one value, outside the most frequent value, that makes a mask.
Of 1,009 real H&E patches and MRI slices none has more than 0.42; label maps have 0.8 and more."""
MAX_COLORS = 64
"""Colors of a colored mask, at most; gray masks may number their objects."""
ROW_STEP = 8
"""Every eighth row decides whether all are compared."""


class MaskError(TableError):
    """An image is a mask and shows no tissue."""


def is_mask(pixels: NDArray[np.uint8]) -> bool:
    """True if an image consists of areas of single values, as masks do.

    An image of one value only is an empty image, not a mask.

    Args:
        pixels: (height, width) or (height, width, 3) uint8.
    """
    if _flatness(pixels[::ROW_STEP]) < FLAT:
        return False
    colors = _codes(pixels)
    values = np.unique(colors)
    is_gray = pixels.ndim == 2 or bool((np.ptp(pixels, axis=-1) == 0).all())
    if len(values) < 2 or (len(values) > MAX_COLORS and not is_gray):
        return False
    return _flatness(pixels) >= FLAT


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
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
