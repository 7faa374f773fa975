"""Do the two channels of a slice show one brain? Asked of real and synthetic slices alike."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.images import RGB
from idhray.mri.mutual_information import normalized_mutual_information

DARK = 12
"""8-bit values up to this are background; a generator's background is not exactly 0."""
_BINS = 32


def outline_dice(image: RGB) -> float:
    """Dice of the areas that CE-T1w and FLAIR fill, 1 where both show the same outline.

    Real slices are cut by one brain mask, so theirs is near 1 by construction: a generator has to
    learn it. NaN for an image without anything in it.
    """
    t1ce, flair = (_filled(image[..., channel]) for channel in (0, 1))
    size = t1ce.sum() + flair.sum()
    return float(2 * (t1ce & flair).sum() / size) if size else float("nan")


def channel_information(image: RGB) -> float:
    """Normalized mutual information of the channels inside the brain: 1 is none, 2 identity.

    It falls when one channel is shifted or belongs to another brain, and it does not when their
    contrasts differ, as they must.
    """
    brain = _filled(image[..., 0]) | _filled(image[..., 1])
    if brain.sum() < _BINS:
        return float("nan")
    joint, _, _ = np.histogram2d(
        image[..., 0][brain], image[..., 1][brain], bins=_BINS, range=[[0, 256], [0, 256]]
    )
    return float(normalized_mutual_information(joint))


def shuffled_information(images: list[RGB]) -> float:
    """Mean `channel_information` when every CE-T1w is paired with the FLAIR of the next image.

    What is left is what any two brains in the middle of the picture share: the floor.
    """
    pairs = zip(images, [*images[1:], *images[:1]], strict=True)
    mixed = [np.dstack([a[..., 0], b[..., 1], a[..., 2]]) for a, b in pairs]
    return float(np.nanmean([channel_information(image) for image in mixed]))


def _filled(channel: NDArray[np.uint8]) -> NDArray[np.bool_]:
    bright = ndimage.gaussian_filter(channel.astype(np.float32), 1) > DARK
    return np.asarray(ndimage.binary_fill_holes(bright))
