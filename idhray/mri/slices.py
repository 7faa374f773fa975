"""Axial slices of a registered pair: CE-T1w, FLAIR and an empty channel, 8 bit.

Slices are cut along the CE-T1w's own axial direction, one for each of its slices, and shown as
radiologists see them: anterior up, the patient's left on the right of the image. Both channels are
black outside the brain of the CE-T1w.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idhray.errors import MriError
from idhray.images import RGB
from idhray.mri.reslice import Covered, Grid, Picture, resliced
from idhray.mri.settings import SliceSettings
from idhray.mri.transform import Matrix, Points, moved
from idhray.mri.volume import (
    Mask,
    Volume,
    canonical,
    canonical_mask,
    check_mask,
    mask_points_mm,
)

MAX_IN_PLANE_MM = 3.0
"""Axial slices of a scan whose slices are sagittal or coronal, and thicker, would be made up."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One slice, and where it lies."""

    z_mm: float
    """Height (RAS) of the centre of the image, in the space of the CE-T1w."""
    brain_fraction: float
    """Part of the pixels that are brain."""
    image: RGB
    """(size_px, size_px, 3) uint8: CE-T1w, FLAIR, 0."""


@dataclass(frozen=True, kw_only=True)
class SliceSet:
    """The slices of one patient, from below to above, and how they were chosen."""

    slices: list[Slice]
    planes: int
    """Slices between the lowest and the highest of the CE-T1w."""
    with_brain: int
    """Of these, slices with enough brain."""
    covered: int
    """Of these, slices whose brain the FLAIR covers too."""
    with_tumour: int
    """Of these, slices with tumour; all of them where no tumour mask was given."""
    spacing_mm: float


def cut_slices(
    t1ce: Volume,
    brain: Mask,
    flair: Volume,
    flair_to_t1ce: Matrix,
    settings: SliceSettings,
    tumour: Mask | None = None,
) -> SliceSet:
    """The slices of a patient.

    Args:
        t1ce: Values 0..1, as `windowed` gives them, not stripped.
        brain: Of `t1ce`.
        flair: Values 0..1, on a grid of its own.
        flair_to_t1ce: RAS mm of `flair` -> RAS mm of `t1ce`.
        settings: Geometry, and which slices.
        tumour: Of `t1ce`; where given, only slices that show some of it are kept.

    Raises:
        MriError: a mask does not fit or is empty, the brain is larger than the field of view, or
            the CE-T1w is too coarse for axial slices.
    """
    check_mask(t1ce, brain)
    if tumour is not None:
        check_mask(t1ce, tumour)
    upright, brain = canonical(t1ce), canonical_mask(brain, t1ce)
    grid = slice_grid(upright, brain, settings)
    stacks = [
        resliced(upright, grid, interpolation=settings.interpolation),
        resliced(flair, grid, flair_to_t1ce, settings.interpolation),
        resliced(_as_volume(brain, upright), grid),
    ]
    ...


def slice_grid(t1ce: Volume, brain: Mask, settings: SliceSettings) -> Grid:
    """Where the slices of a canonical CE-T1w lie: square, centred on its brain.

    Raises:
        MriError: the brain is larger than the field of view, or the voxels are too coarse.
    """
