"""Intensity: from a scanner's arbitrary numbers to 0..1 inside the brain.

Each volume has its own window, between two percentiles of its brain: a scanner's units mean
nothing, and a few bright vessels or a needle of noise must not set the scale.
"""

import numpy as np

from idhray.errors import MriError
from idhray.mri.volume import Mask, Volume, Voxels, check_mask


def window(volume: Volume, brain: Mask, low: float, high: float) -> tuple[float, float]:
    """The values at the percentiles `low` and `high` of the voxels inside the brain.

    Raises:
        MriError: the mask does not fit or is empty, or the brain has one value between them.
    """
    check_mask(volume, brain)
    bottom, top = np.percentile(volume.voxels[brain], [low, high])
    if not bottom < top:
        raise MriError(
            f"{volume.name}: the brain is {bottom:g} from percentile {low:g} to {high:g}; a scan "
            "has more than one value there, see file and mask"
        )
    return float(bottom), float(top)


def windowed(volume: Volume, limits: tuple[float, float]) -> Volume:
    """The volume with `limits` at 0 and 1, and what lies outside of them clipped."""
    bottom, top = limits
    voxels = (volume.voxels - np.float32(bottom)) / np.float32(top - bottom)
    return Volume(name=volume.name, voxels=np.clip(voxels, 0, 1), affine=volume.affine)


def stripped(volume: Volume, brain: Mask) -> Volume:
    """The volume with 0 outside of the brain."""
    voxels: Voxels = np.where(brain, volume.voxels, np.float32(0))
    return Volume(name=volume.name, voxels=voxels, affine=volume.affine)
