"""Volumes: voxels, and the affine that gives their position in the patient.

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
from idhray.mri.transform import Affine, PointsMm, transform_points

Voxels = NDArray[np.float32]  # (i, j, k)
VolumeMask = NDArray[np.bool_]  # (i, j, k) of the volume that it belongs to
A = TypeVar("A", bound=np.generic)

MAX_POINTS = 20_000  # points of a mask that are compared

MAX_SHEAR = 0.02
"""Largest cosine between two axes of a volume. Axes of a scanner are orthogonal, and a rounded
header gives less than 0.001. An affine registration saved as a header gives more."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Volume:
    """Finite voxels on a grid of orthogonal axes, in any order and direction.

    Raises:
        MriError: Voxels or affine break these rules.
    """

    name: str
    """Name in messages, e.g. "TCGA-02-0001 flair"."""
    voxels: Voxels
    affine: Affine
    """(4, 4) float64, voxel index -> RAS mm."""
    nonfinite: VolumeMask | None = None
    """Voxels that were NaN or infinite in the file and are 0 here; None if there were none. Volumes
    that are made of this one do not carry it on."""

    def __post_init__(self) -> None:
        if self.voxels.ndim != 3 or self.voxels.dtype != np.float32 or not self.voxels.size:
            raise MriError(
                f"{self.name}: voxels are {self.voxels.shape} {self.voxels.dtype}, must be "
                "(i, j, k) float32"
            )
        # NaN passes through min and max, which need no second volume in memory.
        if not np.isfinite([self.voxels.min(), self.voxels.max()]).all():
            raise MriError(f"{self.name}: some voxels are not finite; convert the scan again")
        self._check_affine()

    def _check_affine(self) -> None:
        affine = self.affine
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise MriError(f"{self.name}: the affine is not 4 x 4 finite numbers; check its header")
        axes = affine[:3, :3]
        lengths = np.linalg.norm(axes, axis=0)
        if not np.array_equal(affine[3], [0, 0, 0, 1]) or not lengths.all():
            raise MriError(f"{self.name}: the affine maps voxels to no place; check its header")
        cosines = np.abs((axes / lengths).T @ (axes / lengths) - np.eye(3))
        if cosines.max() > MAX_SHEAR:
            raise MriError(
                f"{self.name}: axes of the affine are not orthogonal (cosine "
                f"{cosines.max():.2f}); use the scan as acquired, without an affine registration "
                "in its header"
            )

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centers along i, j and k."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)


def canonical(volume: Volume) -> Volume:
    """Volume with axes reordered to the nearest RAS orientation: i right, j anterior, k superior.

    Axes are swapped and reversed without resampling; an oblique volume stays oblique.
    """
    orientation = io_orientation(volume.affine)
    return Volume(
        name=volume.name,
        voxels=_reordered(volume.voxels, orientation),
        affine=volume.affine @ inv_ornt_aff(orientation, volume.voxels.shape),
    )


def canonical_mask(mask: VolumeMask, volume: Volume) -> VolumeMask:
    """Mask of `volume` reordered as a mask of `canonical(volume)`."""
    return _reordered(mask, io_orientation(volume.affine))


def _reordered(array: NDArray[A], orientation: NDArray[Any]) -> NDArray[A]:
    return np.ascontiguousarray(apply_orientation(array, orientation))


def check_mask(volume: Volume, mask: VolumeMask) -> None:
    """Refuse a mask that does not belong to `volume`.

    Raises:
        MriError: The mask has another shape or type, or is empty.
    """
    if mask.shape != volume.voxels.shape or mask.dtype != np.bool_:
        raise MriError(
            f"{volume.name}: its mask is {mask.shape} {mask.dtype}, must be {volume.voxels.shape} "
            "bool; use a mask made on this volume"
        )
    if not mask.any():
        raise MriError(f"{volume.name}: its mask is empty; check the brain extraction")


def mask_ml(mask: VolumeMask, volume: Volume) -> float:
    """Size of a mask of `volume` in milliliters."""
    return float(np.count_nonzero(mask) * np.abs(np.linalg.det(volume.affine[:3, :3])) / 1000)


def mask_points_mm(mask: VolumeMask, volume: Volume) -> PointsMm:
    """Points (3, n) in RAS mm: voxels inside a mask, or `MAX_POINTS` drawn with a fixed seed."""
    inside = np.flatnonzero(mask)
    if inside.size > MAX_POINTS:  # every nth voxel could lie in one slice of n voxels
        inside = inside[generator(0, "points of a mask").integers(inside.size, size=MAX_POINTS)]
    return transform_points(volume.affine, np.array(np.unravel_index(inside, mask.shape)))


def mask_box(mask: VolumeMask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest and highest index (i, j, k) inside a mask that is not empty."""
    others = [(1, 2), (0, 2), (0, 1)]
    inside = [np.flatnonzero(mask.any(axis=axes)) for axes in others]
    return np.array([line[0] for line in inside]), np.array([line[-1] for line in inside])


def cropped(volume: Volume, mask: VolumeMask, margin: int = 0) -> tuple[Volume, VolumeMask]:
    """Crop a volume and its mask to the box around the mask; voxels keep their RAS position.

    Args:
        volume: Volume to crop.
        mask: Mask of `volume`, not empty.
        margin: Voxels around the mask, as far as the volume has them.
    """
    low, high = mask_box(mask)
    low = np.maximum(low - margin, 0)
    box = tuple(slice(start, end + margin + 1) for start, end in zip(low, high, strict=True))
    affine = volume.affine.copy()
    affine[:3, 3] = transform_points(affine, low[:, None])[:, 0]
    return Volume(name=volume.name, voxels=volume.voxels[box], affine=affine), mask[box]


def padded(volume: Volume) -> Volume:
    """Volume within one layer of zeros; voxels keep their RAS position."""
    affine = volume.affine.copy()
    affine[:3, 3] = transform_points(affine, np.full((3, 1), -1))[:, 0]
    return Volume(name=volume.name, voxels=np.pad(volume.voxels, 1), affine=affine)


def mask_volume(mask: VolumeMask, volume: Volume) -> Volume:
    """Volume of 0 and 1 cropped to the box around a mask of `volume`, which is not empty."""
    box, inside = cropped(volume, mask)
    return Volume(name=volume.name, voxels=inside.astype(np.float32), affine=box.affine)
