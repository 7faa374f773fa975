"""Resampling: every pixel of the result is read once, from the volume as it was acquired.

Where registration moved a volume, its matrix goes into the places that are read, so that nothing
is interpolated twice.
"""

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
    """(4, 4): row, column, slice -> RAS mm of pixel centres."""
    shape: tuple[int, int, int]
    """Rows, columns, slices."""
    parts: tuple[int, int, int] = (1, 1, 1)
    """Points of which a pixel is the mean, along rows, columns and slices: a pixel that is larger
    than a voxel shows all of its area, and a thick slice all of its thickness."""


def resliced(
    volume: Volume,
    grid: Grid,
    moved: Matrix | None = None,
    interpolation: Interpolation = "linear",
) -> Iterator[tuple[Picture, Covered]]:
    """Slice after slice of a volume on a grid.

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
    to_voxels = np.float32(inverse(volume.affine) @ to_ras)
    values = _reader(volume.voxels, interpolation)
    rows, columns, _ = (
        _fractions(n, parts) for n, parts in zip(grid.shape, grid.parts, strict=True)
    )
    for k in range(grid.shape[2]):
        total = np.zeros((rows.size, columns.size), dtype=np.float32)
        count = np.zeros_like(total)
        for depth in k + _fractions(1, grid.parts[2]):
            places = [
                m[0] * rows[:, None] + m[1] * columns + (m[2] * depth + m[3])
                for m in to_voxels[:3]
            ]
            inside = _inside(places, volume.voxels.shape)
            total += values(places) * inside
            count += inside
        total, count = (_block_sums(picture, grid) for picture in (total, count))
        covered = count >= np.prod(grid.parts) / 2
        yield np.where(covered, total / np.maximum(count, 1), np.float32(0)), covered


def _fractions(n: int, parts: int) -> NDArray[np.float32]:
    """Where the `parts` points of each of `n` pixels lie, 0 being the centre of the first."""
    return np.float32((np.arange(n * parts) + 0.5) / parts - 0.5)


def _inside(places: list[Values], shape: tuple[int, ...]) -> Covered:
    """Up to half a voxel beyond the outermost centres: that is what the scan covers."""
    pairs = zip(places, shape, strict=True)
    return np.logical_and.reduce([(at >= -0.5) & (at <= side - 0.5) for at, side in pairs])


def _reader(voxels: Voxels, interpolation: Interpolation) -> Callable[[list[Values]], Values]:
    """Values at places in voxels; beyond the outermost centres, what is there."""
    last = [np.float32(side - 1) for side in voxels.shape]

    def clipped(places: list[Values]) -> list[Values]:
        return [np.clip(at, 0, end) for at, end in zip(places, last, strict=True)]

    if interpolation == "linear":
        linear = Trilinear(voxels)
        return lambda places: linear(*clipped(places))
    spline = ndimage.spline_filter(voxels, order=3, mode="mirror", output=np.float32)
    lowest, highest = voxels.min(), voxels.max()

    def cubic(places: list[Values]) -> Values:
        found = ndimage.map_coordinates(
            spline, clipped(places), order=3, mode="mirror", prefilter=False, output=np.float32
        )
        return np.asarray(np.clip(found, lowest, highest))

    return cubic


def _block_sums(picture: Picture, grid: Grid) -> Picture:
    (rows, columns, _), (a, b, _) = grid.shape, grid.parts
    return np.asarray(picture.reshape(rows, a, columns, b).sum(axis=(1, 3)))
