"""Resampling: every pixel of the result is interpolated once from the volume as acquired.

The matrix of a registration is applied to the coordinates that are read, so that nothing is
interpolated twice.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.mri.sampling import Trilinear, VoxelValues
from idhray.mri.transform import Affine, inverse
from idhray.mri.volume import Volume, Voxels

Interpolation = Literal["linear", "cubic"]
PlaneValues = NDArray[np.float32]  # (rows, columns)
PixelMask = NDArray[np.bool_]  # (rows, columns)


@dataclass(frozen=True, eq=False, kw_only=True)
class Grid:
    """Position of the pixels of a stack of slices."""

    affine: Affine
    """(4, 4): row, column, slice -> RAS mm of pixel centers."""
    shape: tuple[int, int, int]
    """Rows, columns, slices."""


def resliced(
    volume: Volume,
    grid: Grid,
    volume_to_grid: Affine | None = None,
    interpolation: Interpolation = "linear",
) -> Iterator[tuple[PlaneValues, PixelMask]]:
    """Slices of a volume on a grid, one after another.

    A pixel larger than the voxels is the mean of points spread over its area, and a slice thicker
    than the voxels the mean over its thickness. A single point would show noise and miss detail.

    Args:
        volume: Volume to resample.
        grid: Pixel positions.
        volume_to_grid: RAS mm of `volume` -> RAS mm of `grid`, from registration; None if they
            share one space.
        interpolation: Cubic values are clipped to the range of the volume, which the spline
            overshoots.

    Yields:
        (rows, columns) float32, 0 outside the acquired volume; and (rows, columns) bool, True
        inside it.
    """
    to_ras = grid.affine if volume_to_grid is None else inverse(volume_to_grid) @ grid.affine
    to_voxels = inverse(volume.affine) @ to_ras
    values = _interpolator(volume.voxels, interpolation)
    parts = tuple(max(round(float(step)), 1) for step in np.abs(to_voxels[:3, :3]).max(axis=0))
    rows, columns = (_fractions(n, split) for n, split in zip(grid.shape, parts[:2], strict=False))
    for k in range(grid.shape[2]):
        total = np.zeros((rows.size, columns.size), dtype=np.float32)
        count = np.zeros_like(total)
        for depth in k + _fractions(1, parts[2]):
            places = [
                m[0] * rows[:, None] + m[1] * columns + (m[2] * depth + m[3])
                for m in to_voxels[:3].astype(np.float32)
            ]
            inside = _inside(places, volume.voxels.shape)
            total += values(places) * inside
            count += inside
        total, count = (_block_sums(picture, parts[0], parts[1]) for picture in (total, count))
        covered = count >= math.prod(parts) / 2
        yield np.where(covered, total / np.maximum(count, 1), np.float32(0)), covered


def _fractions(n: int, parts: int) -> NDArray[np.float32]:
    """Positions of the `parts` points of each of `n` pixels; 0 is the center of the first pixel."""
    return ((np.arange(n * parts) + 0.5) / parts - 0.5).astype(np.float32)


def _inside(places: list[VoxelValues], shape: tuple[int, ...]) -> PixelMask:
    """True for places that the scan covers: up to half a voxel beyond the outermost centers."""
    pairs = zip(places, shape, strict=True)
    within = [(at >= -0.5) & (at <= side - 0.5) for at, side in pairs]
    return np.asarray(np.logical_and.reduce(within))


def _interpolator(
    voxels: Voxels, interpolation: Interpolation
) -> Callable[[list[VoxelValues]], VoxelValues]:
    """Interpolator of values at voxel coordinates; the outermost values continue outwards."""
    if interpolation == "linear":
        linear = Trilinear(voxels)
        return lambda places: linear(*places)
    last = [np.float32(side - 1) for side in voxels.shape]
    spline = ndimage.spline_filter(voxels, order=3, mode="mirror", output=np.float32)
    lowest, highest = voxels.min(), voxels.max()

    def cubic(places: list[VoxelValues]) -> VoxelValues:
        near = [np.clip(at, 0, end) for at, end in zip(places, last, strict=True)]
        values = ndimage.map_coordinates(
            spline, near, order=3, mode="mirror", prefilter=False, output=np.float32
        )
        return np.asarray(np.clip(values, lowest, highest))

    return cubic


def _block_sums(picture: PlaneValues, height: int, width: int) -> PlaneValues:
    rows, columns = picture.shape
    blocks = picture.reshape(rows // height, height, columns // width, width)
    return np.asarray(blocks.sum(axis=(1, 3)))
