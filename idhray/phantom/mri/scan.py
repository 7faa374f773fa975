"""From the made-up head to a scan of it: where the head lies, the grid, coil shading and noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.phantom.mri.fields import Field, smooth_noise

Matrix = NDArray[np.float64]  # (4, 4)

AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
FOV_MM = (176.0, 224.0, 176.0)
"""Right-left, back-front, foot-head: what a scan covers."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels on a grid."""

    voxels: NDArray[np.float32] | NDArray[np.int16] | NDArray[np.uint8]  # (i, j, k)
    affine: Matrix
    """Voxel index -> RAS mm, as the header says."""


def rigid(rotation_degrees: NDArray[np.float64], shift_mm: NDArray[np.float64]) -> Matrix:
    """A turn about an axis through the origin (its length is the angle), then a shift."""
    angle = np.radians(np.linalg.norm(rotation_degrees))
    axis = np.radians(rotation_degrees) / max(float(angle), 1e-12)
    cross = np.cross(np.eye(3), axis)
    matrix = np.eye(4)
    matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix[:3, 3] = shift_mm
    return matrix


def random_rigid(random: np.random.Generator, degrees: float, mm: float) -> Matrix:
    """A turn and a shift of a quarter of `degrees` and `mm` to all of it, any way."""
    turn, shift = random.standard_normal((2, 3))
    turn *= degrees * random.uniform(0.25, 1) / np.linalg.norm(turn)
    shift *= mm * random.uniform(0.25, 1) / np.linalg.norm(shift)
    return rigid(turn, shift)


def about(matrix: Matrix, center: NDArray[np.float64]) -> Matrix:
    """The same turn about another center."""
    there = np.eye(4)
    there[:3, 3] = center
    return np.asarray(there @ matrix @ np.linalg.inv(there))


def grid(
    orientation: str, spacing_mm: tuple[float, float, float], tilt: Matrix
) -> tuple[tuple[int, ...], Matrix]:
    """Shape and affine of a grid over FOV_MM, its center where `tilt` takes the origin.

    Args:
        orientation: Where each axis points, e.g. "LAS".
        spacing_mm: Right-left, back-front, foot-head.
    """
    shape, affine = [], np.zeros((4, 4))
    affine[3, 3] = 1
    for column, letter in enumerate(orientation):
        row, sign = AXES[letter]
        shape.append(round(FOV_MM[row] / spacing_mm[row]))
        affine[row, column] = sign * spacing_mm[row]
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return tuple(shape), np.asarray(tilt @ affine)


def sampled(
    head: Field, head_affine: Matrix, shape: tuple[int, ...], affine: Matrix, *, thin_mm: float
) -> Field:
    """A map of the head as a grid sees it: linear between points, averaged over thick slices.

    Args:
        head_affine: Index of `head` -> mm.
        affine: Index of the grid -> the same mm.
        thin_mm: An axis of voxels longer than that is averaged over parts.
    """
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    parts = np.maximum(np.rint(lengths / thin_mm), 1).astype(int)
    finer = affine.copy()
    finer[:3, :3] /= parts
    finer[:3, 3] -= affine[:3, :3] @ ((1 - 1 / parts) / 2)
    to_head = np.linalg.inv(head_affine) @ finer
    fine_shape = tuple((np.array(shape) * parts).tolist())
    image = ndimage.affine_transform(head, to_head, output_shape=fine_shape, order=1)
    split = [n for pair in zip(shape, parts.tolist(), strict=True) for n in pair]
    return np.asarray(image.reshape(split).mean(axis=(1, 3, 5)), dtype=np.float32)


def scanned(
    random: np.random.Generator, image: Field, *, noise: float, voxel_mm: tuple[float, ...]
) -> Field:
    """An image under smooth coil shading and Rician noise; white matter is 100."""
    feature = 90 / min(voxel_mm)
    shading = 1 + np.float32(0.07) * smooth_noise(random, image.shape, feature)
    real = image * shading + np.float32(100 * noise) * random.standard_normal(
        image.shape, dtype=np.float32
    )
    imaginary = np.float32(100 * noise) * random.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.hypot(real, imaginary), dtype=np.float32)
