"""How well two volumes agree whose contrasts differ: normalized mutual information.

Source: Studholme et al. 1999, Pattern Recognition 32:71 (the measure); SPM12, spm_coreg.m (a
joint histogram that is filled in shares and smoothed before the measure is taken).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.mri.sampling import Trilinear, Values, sampled
from idhray.mri.transform import Matrix, Points, inverse
from idhray.mri.volume import Volume, padded

BINS = 64
SMOOTHING_BINS = 0.74
"""Standard deviation. SPM12 has 256 bins and smooths by 7 of them (width at half height), the same
share of the range. On simulated brains 64, 128 and 256 bins came equally near to the truth."""


def similarity_at(fixed: Volume, moving: Volume, points_mm: Points) -> Callable[[Matrix], float]:
    """The normalized mutual information of two volumes, as a function of where one is moved.

    Args:
        fixed: Values 0..1.
        moving: Values 0..1.
        points_mm: (3, n) RAS mm of `fixed`, where the two are compared.

    Returns:
        A function of the matrix (4, 4) that carries RAS mm of `fixed` to RAS mm of `moving`.
    """
    fixed, moving = padded(fixed), padded(moving)  # so that a cut brain fades to nothing
    points = points_mm.astype(np.float32)
    fixed_values = sampled(Trilinear(fixed.voxels), inverse(fixed.affine), points)
    rows = np.rint(fixed_values * (BINS - 1)).astype(np.int64) * BINS
    moving_at, to_voxels = Trilinear(moving.voxels), inverse(moving.affine)

    def similarity(matrix: Matrix) -> float:
        values = sampled(moving_at, to_voxels @ matrix, points)
        return normalized_mutual_information(joint_histogram(rows, values))

    return similarity


def joint_histogram(rows: NDArray[np.int64], values: Values) -> NDArray[np.float64]:
    """(BINS, BINS) counts: the first volume's bins by those of the second.

    Args:
        rows: (n,) bin of the first volume's value, times BINS.
        values: (n,) of the second volume, 0..1. Each is shared between the two bins next to it, so
            that the histogram changes smoothly as the volume is moved.
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
    """(H(a) + H(b)) / H(a, b): 1 where the volumes tell nothing of each other, 2 where all."""
    p = joint / joint.sum()
    together = _entropy(p)
    return (_entropy(p.sum(axis=0)) + _entropy(p.sum(axis=1))) / together if together else 1.0


def _entropy(p: NDArray[np.float64]) -> float:
    return -float((p * np.log(p, where=p > 0, out=np.zeros_like(p))).sum())
