"""Rigid transforms as 4 x 4 matrices in millimeters, and the displacements of points.

Points are transformed one coordinate at a time: NumPy computes a matrix product of many points with
BLAS, whose last bits depend on its number of threads.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Affine = NDArray[np.float64]  # (4, 4), its last row 0, 0, 0, 1
PointsMm = NDArray[np.float64]  # (3, n)


def transform_points(matrix: Affine, points: NDArray[np.generic]) -> PointsMm:
    """Points (3, n) of any number type, transformed by a matrix."""
    x, y, z = np.asarray(points, dtype=np.float64)
    return np.stack([row[0] * x + row[1] * y + row[2] * z + row[3] for row in matrix[:3]])


def rigid_transform(shift_mm: ArrayLike, angles_rad: ArrayLike, center_mm: ArrayLike) -> Affine:
    """Rotation about `center_mm` (about x, then y, then z), then a translation."""
    center = np.asarray(center_mm, dtype=np.float64)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", np.asarray(angles_rad)).as_matrix()
    matrix[:3, 3] = center + np.asarray(shift_mm) - matrix[:3, :3] @ center
    return matrix


def inverse(matrix: Affine) -> Affine:
    """Inverse of a matrix."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def rotation_degrees(matrix: Affine) -> float:
    """Rotation angle of a rigid matrix, 0 to 180."""
    return float(np.degrees(Rotation.from_matrix(matrix[:3, :3]).magnitude()))


def displacements_mm(matrix: Affine, points: PointsMm) -> NDArray[np.float64]:
    """Distances (n,) by which a matrix moves points."""
    shift = transform_points(matrix, points) - points
    return np.asarray(np.sqrt((shift**2).sum(axis=0)))
