"""Measures of whether the two channels of a real or synthetic slice show the same brain."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.images import RGB
from idhray.mri.mutual_information import normalized_mutual_information

DARK = 12
"""Highest 8-bit value of the background; a generator's background is not exactly 0."""
_BINS = 32


def outline_dice(image: RGB) -> float:
    """Dice of the areas inside the outlines of CE-T1w and FLAIR; NaN for an empty image.

    Both channels of a real slice are masked by one brain mask, so its Dice is near 1 by
    construction. A generator has to learn this.
    """
    t1ce, flair = (_brain_area(image[..., channel]) for channel in (0, 1))
    size = t1ce.sum() + flair.sum()
    return float(2 * (t1ce & flair).sum() / size) if size else float("nan")


def channel_information(image: RGB) -> float:
    """Normalized mutual information of the channels inside the brain: 1 is none, 2 identity.

    It falls if one channel is shifted or belongs to another brain. It does not fall because the
    contrasts of the channels differ.
    """
    brain = _brain_area(image[..., 0]) | _brain_area(image[..., 1])
    if brain.sum() < _BINS:
        return float("nan")
    joint, _, _ = np.histogram2d(
        image[..., 0][brain], image[..., 1][brain], bins=_BINS, range=[[0, 256], [0, 256]]
    )
    return float(normalized_mutual_information(joint))


def shuffled_information(images: list[RGB]) -> float:
    """Mean `channel_information` of every CE-T1w paired with the FLAIR of the next image.

    This is the information that any two centered brains share.
    """
    pairs = zip(images, [*images[1:], *images[:1]], strict=True)
    shuffled = [np.dstack([a[..., 0], b[..., 1], a[..., 2]]) for a, b in pairs]
    return float(np.nanmean([channel_information(image) for image in shuffled]))


def _brain_area(channel: NDArray[np.uint8]) -> NDArray[np.bool_]:
    bright = ndimage.gaussian_filter(channel.astype(np.float32), 1) > DARK
    return np.asarray(ndimage.binary_fill_holes(bright))
