"""Axial slices of a registered pair: CE-T1w, FLAIR and an empty channel, 8 bit.

Slices follow the axial direction of the CE-T1w, one for each of its slices, in radiological
orientation: anterior up, the patient's left on the right of the image. Both channels are black
outside the brain of the CE-T1w.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from scipy import ndimage

from idhray.errors import MriError
from idhray.images import RGB
from idhray.mri.reslice import Grid, PixelMask, PlaneValues, resliced
from idhray.mri.settings import SliceSettings
from idhray.mri.transform import Affine, transform_points
from idhray.mri.volume import (
    Volume,
    VolumeMask,
    canonical,
    canonical_mask,
    check_mask,
    cropped,
    mask_box,
    mask_volume,
)

MAX_IN_PLANE_MM = 3.0
"""Largest pixel of an axial slice as acquired. Axial slices through a scan of thicker sagittal or
coronal slices would be mostly interpolated."""
RIM_MM = 6.0
"""Width of the rim of a brain in which the FLAIR may lack numbers."""
_MARGIN = 4  # voxels around the brain that a spline needs
_ALL: PixelMask = np.ones(1, dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One slice and its position."""

    z_mm: float
    """Height (RAS) of the center of the image, in the space of the CE-T1w."""
    brain_fraction: float
    """Fraction of pixels that are brain."""
    tumor_fraction: float | None
    """Fraction of pixels that are tumor; None without a tumor mask."""
    image: RGB
    """(size_px, size_px, 3) uint8: CE-T1w, FLAIR, 0."""


@dataclass(frozen=True, kw_only=True)
class SliceSet:
    """Slices of one patient from bottom to top, with counts of each selection step."""

    slices: list[Slice]
    """The selected slices, at most `max_slices`."""
    planes: int
    """Number of slices from the lowest to the highest point of the brain."""
    with_brain: int
    """Number of `planes` with enough brain."""
    covered: int
    """Number of `with_brain` whose brain the FLAIR covers."""
    with_tumor: int
    """Number of `covered` with tumor; all of them without a tumor mask."""
    spacing_mm: float


def cut_slices(
    t1ce: Volume,
    brain: VolumeMask,
    flair: Volume,
    flair_to_t1ce: Affine,
    settings: SliceSettings,
    *,
    tumor: VolumeMask | None = None,
    flair_missing: VolumeMask | None = None,
) -> SliceSet:
    """Slices of a patient.

    Args:
        t1ce: CE-T1w, values 0..1 from `windowed`; not stripped, which would blur its rim.
        brain: Brain mask of `t1ce`.
        flair: FLAIR, values 0..1, on a grid of its own.
        flair_to_t1ce: RAS mm of `flair` -> RAS mm of `t1ce`.
        settings: Geometry and selection of slices.
        tumor: Tumor mask of `t1ce`; slices without tumor are then left out.
        flair_missing: Voxels of `flair` without a number. Deep in the brain they count as not
            covered; the rims of two brain masks differ by a few mm.

    Raises:
        MriError: A mask does not fit or is empty, the brain is larger than the field of view, or
            the CE-T1w is too coarse for axial slices.
    """
    check_mask(t1ce, brain)
    box, brain_box = cropped(t1ce, brain, margin=_MARGIN)
    upright = canonical(box)
    grid = slice_grid(upright, canonical_mask(brain_box, box), settings)
    pictures = zip(
        resliced(upright, grid, interpolation=settings.interpolation),
        resliced(flair, grid, flair_to_t1ce, settings.interpolation),
        _resliced_mask(t1ce, brain, grid),
        repeat(_ALL) if tumor is None else _resliced_mask(t1ce, tumor, grid),
        repeat(None)
        if flair_missing is None or not flair_missing.any()
        else _resliced_mask(flair, flair_missing, grid, flair_to_t1ce),
        strict=False,  # `repeat` has no end
    )
    slices: list[Slice] = []
    with_brain = covered = 0
    for k, ((t1ce_picture, _), (flair_picture, acquired), inside, lesion, missing) in enumerate(
        pictures
    ):
        if not inside.any() or inside.mean() < settings.min_brain_fraction:
            continue
        with_brain += 1
        if acquired[inside].mean() < settings.min_flair_coverage:
            continue
        if (
            missing is not None
            and _covered(missing, inside, settings) < settings.min_flair_coverage
        ):
            continue
        covered += 1
        if lesion.any():
            slices.append(
                Slice(
                    z_mm=_height_mm(grid, k),
                    brain_fraction=float(inside.mean()),
                    tumor_fraction=None if tumor is None else float(lesion.mean()),
                    image=_image(t1ce_picture, flair_picture, inside),
                )
            )
    return SliceSet(
        slices=evenly_spread(slices, settings.max_slices),
        planes=grid.shape[2],
        with_brain=with_brain,
        covered=covered,
        with_tumor=len(slices),
        spacing_mm=float(np.linalg.norm(grid.affine[:3, 2])),
    )


def slice_grid(t1ce: Volume, brain: VolumeMask, settings: SliceSettings) -> Grid:
    """Grid of the slices of a canonical CE-T1w: the field of view, centered on its brain.

    Raises:
        MriError: The brain is larger than the field of view, or the voxels are too coarse.
    """
    spacing = np.asarray(t1ce.spacing_mm)
    if spacing[:2].max() > MAX_IN_PLANE_MM + 1e-3:  # affines are rounded
        raise MriError(
            f"{t1ce.name}: axial slices would have pixels of {spacing[0]:.1f} x {spacing[1]:.1f} "
            "mm; it was acquired in another plane, use a CE-T1w in thin or axial slices"
        )
    low, high = mask_box(brain)
    extent = (high - low + 1) * spacing
    if extent[:2].max() > settings.fov_mm:
        raise MriError(
            f"{t1ce.name}: the brain is {extent[0]:.0f} x {extent[1]:.0f} mm, more than the field "
            f"of view of {settings.fov_mm:g}; check its mask, or raise fov_mm"
        )
    step = settings.slice_spacing_mm or float(spacing[2])
    shape = (settings.size_px, settings.size_px, max(int(extent[2] / step + 1e-6), 1))
    right, anterior, superior = (t1ce.affine[:3, :3] / spacing).T
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = -anterior * settings.pixel_mm, -right * settings.pixel_mm
    affine[:3, 2] = superior * step
    center = transform_points(t1ce.affine, ((low + high) / 2)[:, None])[:, 0]
    affine[:3, 3] = center - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(affine=affine, shape=shape)


def evenly_spread(slices: list[Slice], most: int | None) -> list[Slice]:
    """At most `most` slices, evenly spread with the outermost included; a single one is central."""
    if most is None or len(slices) <= most:
        return slices
    if most == 1:
        return [slices[len(slices) // 2]]
    return [slices[round(k)] for k in np.linspace(0, len(slices) - 1, most)]


def _covered(missing: PixelMask, brain: PixelMask, settings: SliceSettings) -> float:
    """Fraction of a slice's brain, without its rim, where the FLAIR has numbers."""
    steps = max(round(RIM_MM / settings.pixel_mm), 1)
    deep = ndimage.binary_erosion(brain, iterations=steps)
    return 1 - float(missing[deep].mean()) if deep.any() else 1.0


def _resliced_mask(
    volume: Volume, mask: VolumeMask, grid: Grid, volume_to_grid: Affine | None = None
) -> Iterator[PixelMask]:
    """Slices of a mask of `volume` on a grid."""
    check_mask(volume, mask)
    stack = resliced(mask_volume(mask, volume), grid, volume_to_grid)
    return (np.asarray(picture >= 0.5) for picture, _ in stack)


def _image(t1ce: PlaneValues, flair: PlaneValues, brain: PixelMask) -> RGB:
    channels = np.stack([t1ce, flair, np.zeros_like(t1ce)], axis=-1)
    return np.asarray(np.rint(channels * brain[..., None] * 255), dtype=np.uint8)


def _height_mm(grid: Grid, k: int) -> float:
    rows, columns, _ = grid.shape
    return float(
        transform_points(grid.affine, np.array([[(rows - 1) / 2], [(columns - 1) / 2], [k]]))[2, 0]
    )
