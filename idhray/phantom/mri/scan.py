"""Scan of the phantom head: pose of the head, grid, coil shading and noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.phantom.mri.fields import HeadMap, smooth_noise

HeadTransform = NDArray[np.float64]  # (4, 4)

AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
FOV_MM = (176.0, 224.0, 176.0)
"""Field of view of a scan: right-left, posterior-anterior, inferior-superior."""


@dataclass(frozen=True, eq=False)
class PhantomVolume:
    """Voxels on a grid."""

    voxels: NDArray[np.float32] | NDArray[np.int16] | NDArray[np.uint8]  # (i, j, k)
    affine: HeadTransform
    """Affine of the header, voxel index -> RAS mm."""


def rotation_and_shift(
    rotation_degrees: NDArray[np.float64], shift_mm: NDArray[np.float64]
) -> HeadTransform:
    """Rotation about an axis through the origin (its length is the angle), then a shift."""
    angle = np.radians(np.linalg.norm(rotation_degrees))
    axis = np.radians(rotation_degrees) / max(float(angle), 1e-12)
    cross = np.cross(np.eye(3), axis)
    matrix = np.eye(4)
    matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix[:3, 3] = shift_mm
    return matrix


def random_motion(random: np.random.Generator, degrees: float, mm: float) -> HeadTransform:
    """Random rotation and shift, of 25 to 100 % of `degrees` and `mm`, in random directions."""
    rotation, shift = random.standard_normal((2, 3))
    rotation *= degrees * random.uniform(0.25, 1) / np.linalg.norm(rotation)
    shift *= mm * random.uniform(0.25, 1) / np.linalg.norm(shift)
    return rotation_and_shift(rotation, shift)


def motion_about(matrix: HeadTransform, center: NDArray[np.float64]) -> HeadTransform:
    """The same motion about another center."""
    to_center = np.eye(4)
    to_center[:3, 3] = center
    return np.asarray(to_center @ matrix @ np.linalg.inv(to_center))


def scan_grid(
    orientation: str, spacing_mm: tuple[float, float, float], tilt: HeadTransform
) -> tuple[tuple[int, ...], HeadTransform]:
    """Shape and affine of a grid over FOV_MM.

    Args:
        orientation: Direction of each axis, e.g. "LAS".
        spacing_mm: Voxel spacing right-left, posterior-anterior, inferior-superior.
        tilt: Motion of the grid, which is centered on the origin before.
    """
    shape, affine = [], np.zeros((4, 4))
    affine[3, 3] = 1
    for column, letter in enumerate(orientation):
        row, sign = AXES[letter]
        shape.append(round(FOV_MM[row] / spacing_mm[row]))
        affine[row, column] = sign * spacing_mm[row]
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return tuple(shape), np.asarray(tilt @ affine)


def sample_head(
    head: HeadMap,
    head_affine: HeadTransform,
    shape: tuple[int, ...],
    affine: HeadTransform,
    *,
    thin_mm: float,
) -> HeadMap:
    """Map of the head on a scan grid: linear interpolation, averaged over thick slices.

    Args:
        head: Map of the head.
        head_affine: Index of `head` -> mm.
        shape: Shape of the scan grid.
        affine: Index of the scan grid -> the same mm.
        thin_mm: Voxel length above which an axis is averaged over parts.
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


def with_shading_and_noise(
    random: np.random.Generator, image: HeadMap, *, noise: float, voxel_mm: tuple[float, ...]
) -> HeadMap:
    """Image with smooth coil shading and Rician noise; white matter is 100."""
    feature = 90 / min(voxel_mm)
    shading = 1 + np.float32(0.07) * smooth_noise(random, image.shape, feature)
    real = image * shading + np.float32(100 * noise) * random.standard_normal(
        image.shape, dtype=np.float32
    )
    imaginary = np.float32(100 * noise) * random.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.hypot(real, imaginary), dtype=np.float32)
