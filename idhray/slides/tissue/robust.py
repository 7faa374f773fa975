"""Classification of a thumbnail's pixels: tissue that can be used, or the reason why not.

Unlike the filters in mask.py, this method uses the whole picture: thresholds adapt to the slide's
glass and stain, and ink, folds and blur are found as regions. It runs once on a thumbnail of about
16 um per pixel.
"""

import math
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from idhray.errors import SlideError
from idhray.images import RGB, Mask, Plane
from idhray.slides.tissue.density import Densities, chroma, densities, stain_threshold
from idhray.slides.tissue.ink import ink_mask, large_regions, widened
from idhray.slides.tissue.mask import black
from idhray.slides.tissue.quality import blur_mask, fold_mask

Reasons = NDArray[np.uint8]  # (height, width), values of Reason


class Reason(IntEnum):
    """Class of a pixel: tissue, background, or the reason why tissue is removed."""

    BACKGROUND = 0
    TISSUE = 1
    PEN = 2
    BLUR = 3
    FOLD = 4
    SMALL = 5


# Lengths are in um, limits of density in natural logarithms. The numbers are ours, chosen on real
# slides and checked on the phantom's true masks (benchmarks/tissue_masks.py).
MIN_CHROMA = 0.06
"""Smallest difference between two channels' optical densities that can be stain; 0.06 is 6 %."""
MAX_CHROMA = 0.12
"""Difference that is always stain, whatever Otsu's threshold; pale neuropil has 0.15."""
MIN_OBJECT_UM2 = 128_000.0
"""Smaller tissue islands are removed; 500 px of Liu's thumbnail at 16 um per pixel."""
MIN_HOLE_UM2 = 40_000.0
"""Smaller glass inside tissue (vessels, cracks) counts as tissue."""
BLACK_EDGE_PX = 2
"""Pixels of the thumbnail that mix black with what lies beside it."""
MIN_INK_UM2 = 4_000.0
"""Smallest stroke of ink. Red cells are as red as ink, but smaller."""
INK_SPREADS = 3.0
"""Robust deviations from the slide's stain above which a hue near ink is ink."""
INK_REACH_UM = 96.0
"""Distance from certain ink within which such a hue counts."""
INK_MARGIN_UM = 0.0
"""Margin around ink, whose edge is out of focus and pale."""
FOLD_TIMES = 1.5
"""Ratio of a fold's density to the density around. Two layers have a ratio of 2, less at edges."""
FOLD_SPREADS = 3.0
"""Robust deviations of a fold above the slide's median density."""
MIN_GRAY = 0.35
"""Density above which a pixel of little color near tissue is a fold."""
MAX_GRAY = 0.35
"""Largest ratio of chroma to density of such a pixel; stained tissue has above 0.5."""
GRAY_REACH_UM = 64.0
"""Largest distance of such a pixel from tissue. Further away it is dust, a shadow or the edge of
the coverslip."""
FOLD_REACH_UM = 500.0
"""Half the side of the square around a fold; folds are far narrower."""
MIN_FOLD_UM2 = 8_000.0
BLUR_TIMES = 0.25
"""Fraction of the slide's median deviation of the Laplacian below which tissue is blurred."""
BLUR_REACH_UM = 160.0
MIN_BLUR_UM2 = 250_000.0
"""Smaller blurred regions count as tissue; it is a quarter of a tile of 1024 um."""


def tissue_reasons(rgb: RGB, *, mpp: float = 16.0) -> Reasons:
    """Class of each pixel of a thumbnail.

    Args:
        rgb: (height, width, 3) uint8, the whole slide.
        mpp: um per pixel of `rgb`; folds and blur are tuned at 8 to 32.

    Returns:
        (height, width) uint8 of Reason. If several apply, the first of pen, fold, blur, small.

    Raises:
        SlideError: `rgb` is not (height, width, 3) uint8 or has no pixel; `mpp` is not above 0.
    """
    _check(rgb, mpp)
    density = densities(rgb)
    hue_strength, dark = chroma(density), density.mean
    # Black regions were not scanned, or were blacked out. Their few gray values have any color.
    outside = large_regions(black(rgb), round(MIN_OBJECT_UM2 / mpp**2))
    scanned = ~widened(outside, BLACK_EDGE_PX)
    stained = hue_strength > stain_threshold(hue_strength[scanned], MIN_CHROMA, MAX_CHROMA)
    stained &= scanned
    reasons = np.zeros(rgb.shape[:2], dtype=np.uint8)
    usable = _removed(_ink(density, stained, mpp) & scanned, stained, Reason.PEN, reasons)
    usable = usable | (scanned & _small_holes(usable, reasons, round(MIN_HOLE_UM2 / mpp**2)))
    gray = (hue_strength < MAX_GRAY * dark) & (dark > MIN_GRAY)
    gray &= (reasons == Reason.BACKGROUND) & scanned
    usable = _removed(_folds(dark, usable, gray, mpp), usable, Reason.FOLD, reasons)
    usable = _removed(_blur(dark, usable, mpp), usable, Reason.BLUR, reasons)
    reasons[usable] = Reason.SMALL
    reasons[large_regions(usable, round(MIN_OBJECT_UM2 / mpp**2))] = Reason.TISSUE
    return reasons


def _removed(region: Mask, usable: Mask, reason: Reason, reasons: Reasons) -> Mask:
    """Usable pixels without the region, which gets the reason in `reasons`, in place."""
    reasons[region] = reason
    return usable & ~region


def _ink(density: Densities, stained: Mask, mpp: float) -> Mask:
    return ink_mask(
        density,
        stained,
        spreads=INK_SPREADS,
        min_px=round(MIN_INK_UM2 / mpp**2),
        reach_px=_pixels(INK_REACH_UM, mpp),
        margin_px=_pixels(INK_MARGIN_UM, mpp),
    )


def _folds(dark: Plane, usable: Mask, gray: Mask, mpp: float) -> Mask:
    """Folds by density, and dark gray pixels near tissue: layers too thick to show color."""
    fold = fold_mask(
        dark,
        usable,
        times=FOLD_TIMES,
        spreads=FOLD_SPREADS,
        reach_px=_pixels(FOLD_REACH_UM, mpp),
        min_px=round(MIN_FOLD_UM2 / mpp**2),
        margin_px=1,
    )
    if gray.any():
        fold = fold | (gray & widened(usable & ~gray, _pixels(GRAY_REACH_UM, mpp)))
    return fold


def _blur(dark: Plane, usable: Mask, mpp: float) -> Mask:
    return blur_mask(
        dark,
        usable,
        times=BLUR_TIMES,
        reach_px=_pixels(BLUR_REACH_UM, mpp),
        min_px=round(MIN_BLUR_UM2 / mpp**2),
    )


def _check(rgb: RGB, mpp: float) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[-1] != 3 or rgb.size == 0:
        raise SlideError(f"tissue needs (height, width, 3) uint8, got {rgb.shape} {rgb.dtype}")
    if not 0 < mpp < math.inf:
        raise SlideError(f"the thumbnail's mpp must be above 0 um per pixel, got {mpp}")


def _pixels(length_um: float, mpp: float) -> int:
    return math.ceil(length_um / mpp)


def _small_holes(tissue: Mask, reasons: Reasons, max_px: int) -> Mask:
    """Background in regions of at most `max_px`: pixels that are no tissue and were not removed."""
    empty = ~tissue & (reasons == Reason.BACKGROUND)
    return np.asarray(empty & ~large_regions(empty, max_px + 1))
