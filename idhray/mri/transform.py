"""Rigid transforms as 4 x 4 matrices in millimeters, and how far they move things.

Points are multiplied out one coordinate at a time: a matrix product of many points is handed to
BLAS, whose last bits depend on its number of threads.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Matrix = NDArray[np.float64]  # (4, 4), its last row 0, 0, 0, 1
Points = NDArray[np.float64]  # (3, n)


def moved(matrix: Matrix, points: NDArray[np.generic]) -> Points:
    """The points, (3, n) of any number type, carried by a matrix."""
    x, y, z = np.asarray(points, dtype=np.float64)
    return np.stack([row[0] * x + row[1] * y + row[2] * z + row[3] for row in matrix[:3]])


def rigid(shift_mm: ArrayLike, angles_rad: ArrayLike, center_mm: ArrayLike) -> Matrix:
    """A turn about `center_mm` (about x, then y, then z), then a shift."""
    center = np.asarray(center_mm, dtype=np.float64)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", np.asarray(angles_rad)).as_matrix()
    matrix[:3, 3] = center + np.asarray(shift_mm) - matrix[:3, :3] @ center
    return matrix


def inverse(matrix: Matrix) -> Matrix:
    """The matrix that undoes it."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def rotation_degrees(matrix: Matrix) -> float:
    """The angle of the one turn that a rigid matrix makes, 0 to 180."""
    return float(np.degrees(Rotation.from_matrix(matrix[:3, :3]).magnitude()))


def displacements_mm(matrix: Matrix, points: Points) -> NDArray[np.float64]:
    """(n,): how far each of the points is carried."""
    shift = moved(matrix, points) - points
    return np.asarray(np.sqrt((shift**2).sum(axis=0)))
