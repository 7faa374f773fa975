"""A volume: voxels, and the affine that says where each of them lies in the patient.

The affine maps voxel indices (i, j, k) to millimeters towards the patient's right, anterior and
superior (RAS), as in nibabel: index 0 is the center of the first voxel. Nothing here resamples.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from numpy.typing import NDArray

from idhray.chance import generator
from idhray.errors import MriError
from idhray.mri.transform import Matrix, Points, moved

Voxels = NDArray[np.float32]  # (i, j, k)
Mask = NDArray[np.bool_]  # (i, j, k) of the volume that it belongs to
A = TypeVar("A", bound=np.generic)

MAX_SHEAR = 0.02
"""Cosine between two axes of a volume. Slices of a scanner are square to one another, and a rounded
header gives less than 0.001; an affine registration that was saved as a header gives more."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Volume:
    """Finite voxels on a grid whose axes are square to one another, in any order and direction.

    Raises:
        MriError: it is not.
    """

    name: str
    """How messages call it, e.g. "TCGA-02-0001 flair"."""
    voxels: Voxels
    affine: Matrix
    """(4, 4) float64, voxel index -> RAS mm."""

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or self.voxels.dtype != np.float32 or not self.voxels.size:
            raise MriError(
                f"{self.name}: voxels are {self.voxels.shape} {self.voxels.dtype}, must be "
                "(i, j, k) float32"
            )
        # NaN passes through min and max, and no second volume is needed to look for it.
        if not np.isfinite([self.voxels.min(), self.voxels.max()]).all():
            raise MriError(f"{self.name}: some voxels are not finite; convert the scan again")
        self._check_affine()

    def _check_affine(self) -> None:
        affine = self.affine
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise MriError(f"{self.name}: the affine is not 4 x 4 finite numbers; see its header")
        axes = affine[:3, :3]
        lengths = np.linalg.norm(axes, axis=0)
        if not np.array_equal(affine[3], [0, 0, 0, 1]) or not lengths.all():
            raise MriError(f"{self.name}: the affine maps voxels to no place; see its header")
        cosines = np.abs((axes / lengths).T @ (axes / lengths) - np.eye(3))
        if cosines.max() > MAX_SHEAR:
            raise MriError(
                f"{self.name}: axes of the affine are not square (cosine {cosines.max():.2f}); "
                "give the scan as acquired, without an affine registration in its header"
            )

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centers along i, j and k."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)


def canonical(volume: Volume) -> Volume:
    """The same volume with i towards the right, j anterior, k superior, as near as its axes lie.

    Axes are swapped and reversed, nothing is resampled; an oblique volume stays oblique.
    """
    orientation = io_orientation(volume.affine)
    return Volume(
        name=volume.name,
        voxels=_reordered(volume.voxels, orientation),
        affine=volume.affine @ inv_ornt_aff(orientation, volume.voxels.shape),
    )


def canonical_mask(mask: Mask, volume: Volume) -> Mask:
    """The mask of `volume` as that of `canonical(volume)`."""
    return _reordered(mask, io_orientation(volume.affine))


def _reordered(array: NDArray[A], orientation: NDArray[Any]) -> NDArray[A]:
    return np.ascontiguousarray(apply_orientation(array, orientation))


def check_mask(volume: Volume, mask: Mask) -> None:
    """Refuse a mask that is not one of `volume`.

    Raises:
        MriError: it has another shape or type, or marks nothing.
    """
    if mask.shape != volume.voxels.shape or mask.dtype != np.bool_:
        raise MriError(
            f"{volume.name}: its mask is {mask.shape} {mask.dtype}, must be {volume.voxels.shape} "
            "bool; give a mask made on this very volume"
        )
    if not mask.any():
        raise MriError(f"{volume.name}: its mask is empty; see how the brain was extracted")


def mask_ml(mask: Mask, volume: Volume) -> float:
    """Milliliters inside a mask of `volume`."""
    return float(np.count_nonzero(mask) * np.abs(np.linalg.det(volume.affine[:3, :3])) / 1000)


def mask_points_mm(mask: Mask, volume: Volume, most: int = 20_000) -> Points:
    """(3, n) RAS mm of the voxels inside a mask, or of `most` drawn among them, always the same."""
    inside = np.flatnonzero(mask)
    if inside.size > most:  # every nth could be a single slice, where n is a multiple of their size
        inside = inside[generator(0, "points of a mask").integers(inside.size, size=most)]
    return moved(volume.affine, np.array(np.unravel_index(inside, mask.shape)))


def mask_box(mask: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lowest and the highest index (i, j, k) inside a mask that is not empty."""
    others = [(1, 2), (0, 2), (0, 1)]
    inside = [np.flatnonzero(mask.any(axis=axes)) for axes in others]
    return np.array([line[0] for line in inside]), np.array([line[-1] for line in inside])


def cropped(volume: Volume, mask: Mask, margin: int = 0) -> tuple[Volume, Mask]:
    """The box round a mask, and the mask in it; every voxel keeps its place.

    Args:
        volume: To crop.
        mask: Of `volume`, not empty.
        margin: Voxels around the mask, where there are as many.
    """
    low, high = mask_box(mask)
    low = np.maximum(low - margin, 0)
    box = tuple(slice(start, end + margin + 1) for start, end in zip(low, high, strict=True))
    affine = volume.affine.copy()
    affine[:3, 3] = moved(affine, low[:, None])[:, 0]
    return Volume(name=volume.name, voxels=volume.voxels[box], affine=affine), mask[box]


def padded(volume: Volume) -> Volume:
    """The volume within one layer of zeros; every voxel keeps its place."""
    affine = volume.affine.copy()
    affine[:3, 3] = moved(affine, np.full((3, 1), -1))[:, 0]
    return Volume(name=volume.name, voxels=np.pad(volume.voxels, 1), affine=affine)


def mask_volume(mask: Mask, volume: Volume) -> Volume:
    """A mask of `volume`, not empty, as a volume of 0 and 1: the box round it."""
    box, inside = cropped(volume, mask)
    return Volume(name=volume.name, voxels=inside.astype(np.float32), affine=box.affine)
