"""Resampling: every pixel of the result is read once, from the volume as it was acquired.

Where registration moved a volume, its matrix goes into the places that are read, so that nothing
is interpolated twice.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.mri.sampling import Trilinear, Values
from idhray.mri.transform import Matrix, inverse
from idhray.mri.volume import Volume, Voxels

Interpolation = Literal["linear", "cubic"]
Picture = NDArray[np.float32]  # (rows, columns)
Covered = NDArray[np.bool_]  # (rows, columns), True where the volume was acquired


@dataclass(frozen=True, eq=False, kw_only=True)
class Grid:
    """Where the pixels of a stack of pictures lie."""

    affine: Matrix
    """(4, 4): row, column, slice -> RAS mm of pixel centers."""
    shape: tuple[int, int, int]
    """Rows, columns, slices."""


def resliced(
    volume: Volume,
    grid: Grid,
    moved: Matrix | None = None,
    interpolation: Interpolation = "linear",
) -> Iterator[tuple[Picture, Covered]]:
    """Slice after slice of a volume on a grid.

    A pixel that is larger than the voxels is the mean of points spread over its area, and a slice
    that is thicker the mean over its thickness: a single point would show noise, and miss detail.

    Args:
        volume: To read from.
        grid: Where.
        moved: RAS mm of `volume` -> RAS mm of `grid`, as registration gives it; none where they
            share their space.
        interpolation: cubic is clipped to the range of the volume, which its waves overshoot.

    Yields:
        (rows, columns) float32, 0 where nothing was acquired; and which pixels were.
    """
    to_ras = grid.affine if moved is None else inverse(moved) @ grid.affine
    to_voxels = inverse(volume.affine) @ to_ras
    values = _reader(volume.voxels, interpolation)
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
    """Where the `parts` points of each of `n` pixels lie, 0 being the center of the first."""
    return ((np.arange(n * parts) + 0.5) / parts - 0.5).astype(np.float32)


def _inside(places: list[Values], shape: tuple[int, ...]) -> Covered:
    """Up to half a voxel beyond the outermost centers: that is what the scan covers."""
    pairs = zip(places, shape, strict=True)
    within = [(at >= -0.5) & (at <= side - 0.5) for at, side in pairs]
    return np.asarray(np.logical_and.reduce(within))


def _reader(voxels: Voxels, interpolation: Interpolation) -> Callable[[list[Values]], Values]:
    """Values at places in voxels; beyond the outermost centers, what is there."""
    if interpolation == "linear":
        linear = Trilinear(voxels)
        return lambda places: linear(*places)
    last = [np.float32(side - 1) for side in voxels.shape]
    spline = ndimage.spline_filter(voxels, order=3, mode="mirror", output=np.float32)
    lowest, highest = voxels.min(), voxels.max()

    def cubic(places: list[Values]) -> Values:
        near = [np.clip(at, 0, end) for at, end in zip(places, last, strict=True)]
        found = ndimage.map_coordinates(
            spline, near, order=3, mode="mirror", prefilter=False, output=np.float32
        )
        return np.asarray(np.clip(found, lowest, highest))

    return cubic


def _block_sums(picture: Picture, height: int, width: int) -> Picture:
    rows, columns = picture.shape
    blocks = picture.reshape(rows // height, height, columns // width, width)
    return np.asarray(blocks.sum(axis=(1, 3)))
