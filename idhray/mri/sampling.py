"""Values of a volume between its voxels."""

import numpy as np
from numpy.typing import NDArray

from idhray.mri.transform import Matrix
from idhray.mri.volume import Voxels

Values = NDArray[np.float32]  # of any shape


class Trilinear:
    """Values of a volume between its voxels; beyond the outermost centers, what is there.

    This is scipy's map_coordinates of order 1, mode "nearest", four times as fast.
    """

    def __init__(self, voxels: Voxels) -> None:
        twice = [(0, int(side == 1)) for side in voxels.shape]  # between two voxels, of one also
        voxels = np.pad(voxels, twice, mode="edge") if 1 in voxels.shape else voxels
        self._flat = voxels.ravel()
        self._shape = voxels.shape
        self._plane, self._row = voxels.shape[1] * voxels.shape[2], voxels.shape[2]

    def __call__(self, i: Values, j: Values, k: Values) -> Values:
        """The values at places in voxels, of which i, j and k are float32 of one shape."""
        axes = [
            np.clip(axis, 0, np.float32(side - 1))
            for axis, side in zip((i, j, k), self._shape, strict=True)
        ]
        x0, y0, z0 = (
            np.minimum(axis.astype(np.int32), side - 2)
            for axis, side in zip(axes, self._shape, strict=True)
        )
        # float32 less int32 would be float64, at half the speed.
        x, y, z = (
            axis - low.astype(np.float32) for axis, low in zip(axes, (x0, y0, z0), strict=True)
        )
        corner = x0 * self._plane + y0 * self._row + z0

        def along_k(offset: int) -> Values:
            low = self._flat.take(corner + offset)
            return np.asarray(low + (self._flat.take(corner + (offset + 1)) - low) * z)

        def along_jk(offset: int) -> Values:
            low = along_k(offset)
            return np.asarray(low + (along_k(offset + self._row) - low) * y)

        low = along_jk(0)
        return np.asarray(low + (along_jk(self._plane) - low) * x)


def sampled(values: Trilinear, matrix: Matrix, points: NDArray[np.float32]) -> Values:
    """(n,) values at (3, n) points that `matrix` carries to voxels."""
    x, y, z = points
    i, j, k = (
        row[0] * x + row[1] * y + row[2] * z + row[3] for row in matrix[:3].astype(np.float32)
    )
    return values(i, j, k)
