"""Normalized mutual information: agreement of two volumes whose contrasts differ.

Source: Studholme et al. 1999, Pattern Recognition 32:71 (the measure); SPM12, spm_coreg.m (each
value is shared between two bins of the joint histogram, and the histogram is smoothed).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.mri.sampling import Trilinear, VoxelValues, values_at
from idhray.mri.transform import Affine, PointsMm, inverse
from idhray.mri.volume import Volume, padded

BINS = 64
SMOOTHING_BINS = 0.74
"""Standard deviation of the smoothing. SPM12 has 256 bins and smooths by 7 of them (full width at
half maximum), the same share of the range. On simulated brains 64, 128 and 256 bins were equally
accurate."""


def similarity_at(fixed: Volume, moving: Volume, points_mm: PointsMm) -> Callable[[Affine], float]:
    """Normalized mutual information of two volumes as a function of the position of one of them.

    Args:
        fixed: Fixed volume, values 0..1.
        moving: Moving volume, values 0..1.
        points_mm: (3, n) RAS mm of `fixed` at which the volumes are compared.

    Returns:
        A function of the matrix (4, 4) that carries RAS mm of `fixed` to RAS mm of `moving`.
    """
    fixed, moving = padded(fixed), padded(moving)  # a brain cut by the box then fades to 0
    points = points_mm.astype(np.float32)
    fixed_values = values_at(Trilinear(fixed.voxels), inverse(fixed.affine), points)
    rows = np.rint(fixed_values * (BINS - 1)).astype(np.int64) * BINS
    moving_at, to_voxels = Trilinear(moving.voxels), inverse(moving.affine)

    def similarity(matrix: Affine) -> float:
        values = values_at(moving_at, to_voxels @ matrix, points)
        return normalized_mutual_information(joint_histogram(rows, values))

    return similarity


def joint_histogram(rows: NDArray[np.int64], values: VoxelValues) -> NDArray[np.float64]:
    """Joint histogram (BINS, BINS): bins of the first volume by bins of the second.

    Args:
        rows: (n,) bins of the first volume's values, times BINS.
        values: (n,) values of the second volume, 0..1. Each value is shared between the two nearest
            bins, so that the histogram changes smoothly with the position of the volume.
    """
    place = np.clip(values, 0, 1) * np.float32(BINS - 1.001)
    lower = place.astype(np.int64)
    share = place - lower
    lower += rows
    counts = np.bincount(lower, 1 - share, BINS * BINS)
    counts += np.bincount(lower + 1, share, BINS * BINS)
    return np.asarray(
        ndimage.gaussian_filter(counts.reshape(BINS, BINS), SMOOTHING_BINS, mode="constant")
    )


def normalized_mutual_information(joint: NDArray[np.float64]) -> float:
    """Measure (H(a) + H(b)) / H(a, b): 1 for independent volumes, 2 for identical ones."""
    p = joint / joint.sum()
    joint_entropy = _entropy(p)
    marginals = _entropy(p.sum(axis=0)) + _entropy(p.sum(axis=1))
    return marginals / joint_entropy if joint_entropy else 1.0


def _entropy(p: NDArray[np.float64]) -> float:
    return -float((p * np.log(p, where=p > 0, out=np.zeros_like(p))).sum())
