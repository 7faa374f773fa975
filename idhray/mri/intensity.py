"""Scaling of a scanner's arbitrary intensities to 0..1 inside the brain.

Each volume has a window of its own between two percentiles of its brain: intensities have no unit,
and a few bright vessels or a noise spike must not set the scale.
"""

import numpy as np

from idhray.errors import MriError
from idhray.mri.volume import Volume, VolumeMask, Voxels, check_mask


def window(volume: Volume, brain: VolumeMask, low: float, high: float) -> tuple[float, float]:
    """Values at the percentiles `low` and `high` of the voxels inside the brain.

    Raises:
        MriError: The mask does not fit or is empty, or both values are the same.
    """
    check_mask(volume, brain)
    bottom, top = np.percentile(volume.voxels[brain], [low, high])
    if not bottom < top:
        raise MriError(
            f"{volume.name}: the brain is {bottom:g} from percentile {low:g} to {high:g}, where a "
            "scan has more than one value; check file and mask"
        )
    return float(bottom), float(top)


def windowed(volume: Volume, limits: tuple[float, float]) -> Volume:
    """Volume with `limits` mapped to 0 and 1, and values outside the limits clipped."""
    bottom, top = limits
    voxels = (volume.voxels - np.float32(bottom)) / np.float32(top - bottom)
    return Volume(name=volume.name, voxels=np.clip(voxels, 0, 1), affine=volume.affine)


def stripped(volume: Volume, brain: VolumeMask) -> Volume:
    """Volume with 0 outside the brain."""
    voxels: Voxels = np.where(brain, volume.voxels, np.float32(0))
    return Volume(name=volume.name, voxels=voxels, affine=volume.affine)
