"""Pieces, holes and edges of a mask."""

import numpy as np
from scipy import ndimage

from idhray.mri.volume import Mask


def largest_component(mask: Mask) -> tuple[Mask, float]:
    """The largest piece (6-connected), and the part of the mask that it is; 0 if it is empty."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask, 0.0
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0  # label 0 is what the mask leaves out
    return np.asarray(labels == sizes.argmax()), float(sizes.max() / sizes.sum())


def filled(mask: Mask) -> Mask:
    """The mask with its holes: what it leaves out and cannot be reached from a face."""
    labels, count = ndimage.label(~mask)
    reached = np.zeros(count + 1, dtype=np.bool_)
    for face in faces(labels):
        reached[face] = True
    reached[0] = False  # label 0 is the mask
    return np.asarray(~reached[labels])


def faces(volume: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> list[np.ndarray]:
    """The six outermost planes: first and last along i, j and k."""
    return [volume.take(end, axis=axis) for axis in range(3) for end in (0, -1)]


def face_fractions(mask: Mask) -> list[float]:
    """The part of each face that the mask covers; first and last along i, j and k."""
    return [float(face.mean()) for face in faces(mask)]
