"""Components, holes and faces of a mask, and the background value of a volume."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.mri.volume import VolumeMask, Voxels, mask_box


def largest_component(mask: VolumeMask) -> tuple[VolumeMask, float]:
    """Largest component (6-connected), and its fraction of the mask; 0 if the mask is empty."""
    if not mask.any():
        return mask, 0.0
    box = _box(mask)
    labels, _ = ndimage.label(mask[box])
    sizes = np.bincount(labels.ravel(order="K"))
    sizes[0] = 0  # label 0 is outside the mask
    component = np.zeros_like(mask)
    component[box] = labels == sizes.argmax()
    return component, float(sizes.max() / sizes.sum())


def fill_holes(mask: VolumeMask) -> VolumeMask:
    """Mask with its holes filled: voxels that cannot be reached from a face of its bounding box."""
    if not mask.any():
        return mask
    box = _box(mask)
    labels, count = ndimage.label(~mask[box])
    reached = np.zeros(count + 1, dtype=np.bool_)
    for face in faces(labels):
        reached[face] = True
    reached[0] = False  # label 0 is the mask
    solid = mask.copy()
    solid[box] = ~reached[labels]
    return solid


def _box(mask: VolumeMask) -> tuple[slice, ...]:
    low, high = mask_box(mask)
    return tuple(slice(start, end + 1) for start, end in zip(low, high, strict=True))


def faces(volume: NDArray[Any]) -> list[NDArray[Any]]:
    """Six outermost planes: first and last along i, j and k."""
    return [volume.take(end, axis=axis) for axis in range(3) for end in (0, -1)]


def face_fractions(mask: VolumeMask) -> list[float]:
    """Fraction of each face that the mask covers; first and last along i, j and k."""
    return [float(face.mean()) for face in faces(mask)]


def most_frequent_value(voxels: Voxels) -> float:
    """Most frequent value of a volume: its background, if the background has one value."""
    values, counts = np.unique(
        voxels.ravel()[:: max(voxels.size // 100_000, 1)], return_counts=True
    )
    return float(values[counts.argmax()])
