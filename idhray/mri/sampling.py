"""Values of a volume between its voxels."""

import numpy as np
from numpy.typing import NDArray

from idhray.mri.transform import Matrix
from idhray.mri.volume import Voxels

Values = NDArray[np.float32]  # of any shape


class Trilinear:
    """Values of a volume between its voxels; they fade to 0 over one voxel outside of it.

    This is scipy's map_coordinates of order 1, four times as fast.
    """

    def __init__(self, voxels: Voxels) -> None:
        padded = np.pad(voxels, 1)
        self._flat = padded.ravel()
        self._plane, self._row = padded.shape[1] * padded.shape[2], padded.shape[2]
        self._last = [np.float32(side - 1.001) for side in padded.shape]

    def __call__(self, i: Values, j: Values, k: Values) -> Values:
        """The values at places in voxels, of which i, j and k are float32 of one shape."""
        x, y, z = (
            np.clip(axis + 1, 0, last) for axis, last in zip((i, j, k), self._last, strict=True)
        )
        x0, y0, z0 = (axis.astype(np.int32) for axis in (x, y, z))
        # float32 less int32 would be float64, at half the speed.
        x, y, z = x - x0.astype(np.float32), y - y0.astype(np.float32), z - z0.astype(np.float32)
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
