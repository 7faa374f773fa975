"""Pieces, holes and edges of a mask, and the background of the volume under it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.mri.volume import Mask, Voxels, mask_box


def largest_component(mask: Mask) -> tuple[Mask, float]:
    """The largest piece (6-connected), and the part of the mask that it is; 0 if it is empty."""
    if not mask.any():
        return mask, 0.0
    box = _box(mask)
    labels, _ = ndimage.label(mask[box])
    sizes = np.bincount(labels.ravel(order="K"))
    sizes[0] = 0  # label 0 is what the mask leaves out
    piece = np.zeros_like(mask)
    piece[box] = labels == sizes.argmax()
    return piece, float(sizes.max() / sizes.sum())


def filled(mask: Mask) -> Mask:
    """The mask with its holes: what it leaves out and cannot be reached from a face.

    Looked for in the smallest box around the mask, whose faces can be reached from outside.
    """
    if not mask.any():
        return mask
    box = _box(mask)
    labels, count = ndimage.label(~mask[box])
    reached = np.zeros(count + 1, dtype=np.bool_)
    for face in faces(labels):
        reached[face] = True
    reached[0] = False  # label 0 is the mask
    whole = mask.copy()
    whole[box] = ~reached[labels]
    return whole


def _box(mask: Mask) -> tuple[slice, ...]:
    low, high = mask_box(mask)
    return tuple(slice(start, end + 1) for start, end in zip(low, high, strict=True))


def faces(volume: NDArray[Any]) -> list[NDArray[Any]]:
    """The six outermost planes: first and last along i, j and k."""
    return [volume.take(end, axis=axis) for axis in range(3) for end in (0, -1)]


def face_fractions(mask: Mask) -> list[float]:
    """The part of each face that the mask covers; first and last along i, j and k."""
    return [float(face.mean()) for face in faces(mask)]


def commonest(voxels: Voxels) -> float:
    """The value that most voxels have: background, if any value is frequent at all."""
    values, counts = np.unique(
        voxels.ravel()[:: max(voxels.size // 100_000, 1)], return_counts=True
    )
    return float(values[counts.argmax()])
