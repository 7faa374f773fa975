"""Which pixels of a thumbnail are tissue fit for tiles, and why the others are not.

Unlike the filters of tissue.py these look at the whole picture: thresholds follow the slide's own
glass and stain, and ink, folds and blur are found as regions. Everything is done once on a
thumbnail of about 16 um per pixel.
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from idhray.errors import ConfigError, SlideError
from idhray.images import RGB
from idhray.slides.tissue.density import (
    Densities,
    Mask,
    Plane,
    chroma,
    densities,
    stained_from,
)
from idhray.slides.tissue.ink import ink_mask, large_regions, widened
from idhray.slides.tissue.quality import blur_mask, fold_mask

Reasons = NDArray[np.uint8]  # (height, width), of Reason


class Reason(IntEnum):
    """What a pixel is taken for."""

    BACKGROUND = 0
    TISSUE = 1
    PEN = 2
    BLUR = 3
    FOLD = 4
    SMALL = 5


_RANGES = (
    ("min_object_um2", 0, 1e12),
    ("min_hole_um2", 0, 1e12),
    ("min_ink_um2", 0, 1e12),
    ("ink_spreads", 0, 100),
    ("ink_reach_um", 0, 1e4),
    ("ink_margin_um", 0, 1e4),
    ("fold_times", 1, 10),
    ("fold_spreads", 0, 100),
    ("min_gray", 0, 5),
    ("max_gray", 0, 3),
    ("gray_reach_um", 0, 1e4),
    ("fold_reach_um", 1, 1e5),
    ("min_fold_um2", 0, 1e12),
    ("blur_times", 0, 1),
    ("blur_reach_um", 1, 1e5),
    ("min_blur_um2", 0, 1e12),
)


@dataclass(frozen=True, kw_only=True)
class RobustTissueSettings:
    """What counts as tissue; lengths in um, limits of density in natural logarithms.

    Numbers without a source are ours, chosen on real slides and checked on the phantom's true masks
    (benchmarks/tissue_masks.py).
    """

    min_chroma: float = 0.06
    """Lowest difference between two channels' optical densities that can be stain; 0.06 is 6 %."""
    max_chroma: float = 0.12
    """Stain from here on, whatever Otsu's threshold; pale neuropil has 0.15."""
    min_object_um2: float = 128_000.0
    """Tissue islands below it go; 500 px of Liu's thumbnail at 16 um per pixel."""
    min_hole_um2: float = 40_000.0
    """Glass inside tissue (vessels, cracks) below it counts as tissue."""
    remove_pens: bool = True
    min_ink_um2: float = 4_000.0
    """Red cells are as red as ink; a stroke is larger."""
    ink_spreads: float = 3.0
    """Robust deviations from the slide's own stain at which a hue beside ink is ink."""
    ink_reach_um: float = 96.0
    """How far from certain ink such a hue counts."""
    ink_margin_um: float = 0.0
    """Around ink; its edge is out of focus and pale."""
    remove_folds: bool = True
    fold_times: float = 1.5
    """Of the density around; two layers have twice the density, blurred at the edges less."""
    fold_spreads: float = 3.0
    """Robust deviations above the slide's median density."""
    min_gray: float = 0.35
    """Density from which a pixel of little color, beside tissue, is called a fold."""
    max_gray: float = 0.35
    """Part of its density that such a pixel may have as chroma; stained tissue has above 0.5."""
    gray_reach_um: float = 64.0
    """How far from tissue; further out it is dust, a shadow or the coverslip's edge."""
    fold_reach_um: float = 500.0
    """Half the side of what is around; folds are far narrower."""
    min_fold_um2: float = 8_000.0
    remove_blur: bool = True
    blur_times: float = 0.25
    """Of the slide's median deviation of the Laplacian."""
    blur_reach_um: float = 160.0
    min_blur_um2: float = 250_000.0
    """Blurred regions below it, a quarter of a tile of 1024 um, stay."""

    def __post_init__(self) -> None:
        if not 0 < self.min_chroma <= self.max_chroma < 1:
            raise ConfigError(
                "min_chroma and max_chroma must be 0 < min_chroma <= max_chroma < 1, got "
                f"{self.min_chroma} and {self.max_chroma}"
            )
        for name, least, most in _RANGES:
            if not least <= getattr(self, name) <= most:
                raise ConfigError(
                    f"{name} must be {least:g} to {most:g}, got {getattr(self, name)}"
                )


PRESETS = {"robust": RobustTissueSettings()}


def robust_tissue_mask(
    rgb: RGB, *, mpp: float = 16.0, settings: RobustTissueSettings = PRESETS["robust"]
) -> Mask:
    """True where `tissue_reasons` says TISSUE; the same arguments and errors."""
    return np.asarray(tissue_reasons(rgb, mpp=mpp, settings=settings) == Reason.TISSUE)


def tissue_reasons(
    rgb: RGB, *, mpp: float = 16.0, settings: RobustTissueSettings = PRESETS["robust"]
) -> Reasons:
    """What each pixel of a thumbnail is taken for.

    Args:
        rgb: (height, width, 3) uint8, the whole slide.
        mpp: um per pixel of `rgb`; folds and blur are tuned at 8 to 32.
        settings: Thresholds.

    Returns:
        (height, width) uint8 of Reason. Where several apply, in this order: pen, fold, blur, small.

    Raises:
        SlideError: `rgb` is not (height, width, 3) uint8 or has no pixel; `mpp` is not above 0.
    """
    _check(rgb, mpp)
    density = densities(rgb)
    hued, dark = chroma(density), density.mean
    stained = hued > stained_from(hued, settings.min_chroma, settings.max_chroma)
    reasons = np.zeros(rgb.shape[:2], dtype=np.uint8)
    usable = stained
    if settings.remove_pens:
        usable = _without(_ink(density, stained, mpp, settings), usable, Reason.PEN, reasons)
    usable = usable | _small_holes(usable, reasons, round(settings.min_hole_um2 / mpp**2))
    if settings.remove_folds:
        gray = (hued < settings.max_gray * dark) & (dark > settings.min_gray)
        gray &= reasons == Reason.BACKGROUND
        fold = _folds(dark, usable, gray, mpp, settings)
        usable = _without(fold, usable, Reason.FOLD, reasons)
    if settings.remove_blur:
        usable = _without(_blur(dark, usable, mpp, settings), usable, Reason.BLUR, reasons)
    reasons[usable] = Reason.SMALL
    reasons[large_regions(usable, round(settings.min_object_um2 / mpp**2))] = Reason.TISSUE
    return reasons


def _without(found: Mask, usable: Mask, reason: Reason, reasons: Reasons) -> Mask:
    """What stays usable; what was found gets its reason."""
    reasons[found] = reason
    return usable & ~found


def _ink(density: Densities, stained: Mask, mpp: float, settings: RobustTissueSettings) -> Mask:
    return ink_mask(
        density,
        stained,
        spreads=settings.ink_spreads,
        min_px=round(settings.min_ink_um2 / mpp**2),
        reach_px=_pixels(settings.ink_reach_um, mpp),
        margin_px=_pixels(settings.ink_margin_um, mpp),
    )


def _folds(
    dark: Plane, usable: Mask, gray: Mask, mpp: float, settings: RobustTissueSettings
) -> Mask:
    """Folds by density, and what is dark and gray beside tissue: layers too thick for color."""
    fold = fold_mask(
        dark,
        usable,
        times=settings.fold_times,
        spreads=settings.fold_spreads,
        reach_px=_pixels(settings.fold_reach_um, mpp),
        min_px=round(settings.min_fold_um2 / mpp**2),
        margin_px=1,
    )
    if gray.any():
        fold = fold | (gray & widened(usable & ~gray, _pixels(settings.gray_reach_um, mpp)))
    return fold


def _blur(dark: Plane, usable: Mask, mpp: float, settings: RobustTissueSettings) -> Mask:
    return blur_mask(
        dark,
        usable,
        times=settings.blur_times,
        reach_px=_pixels(settings.blur_reach_um, mpp),
        min_px=round(settings.min_blur_um2 / mpp**2),
    )


def _check(rgb: RGB, mpp: float) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[-1] != 3 or rgb.size == 0:
        raise SlideError(f"tissue needs (height, width, 3) uint8, got {rgb.shape} {rgb.dtype}")
    if not 0 < mpp < math.inf:
        raise SlideError(f"the thumbnail's mpp must be above 0 um per pixel, got {mpp}")


def _pixels(length_um: float, mpp: float) -> int:
    return math.ceil(length_um / mpp)


def _small_holes(tissue: Mask, reasons: Reasons, max_px: int) -> Mask:
    """What is neither tissue nor removed for a reason, in regions of at most `max_px`."""
    empty = ~tissue & (reasons == Reason.BACKGROUND)
    return np.asarray(empty & ~large_regions(empty, max_px + 1))
