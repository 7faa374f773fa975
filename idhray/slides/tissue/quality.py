"""Tissue that is there and shows nothing: folds, and what is out of focus."""

import numpy as np
from PIL import Image
from scipy import ndimage

from idhray.slides.tissue.density import Mask, Plane
from idhray.slides.tissue.ink import large_regions, widened

_SAMPLE = 50_000


def fold_mask(
    dark: Plane,
    stained: Mask,
    *,
    times: float,
    spreads: float,
    reach_px: int,
    min_px: int,
    margin_px: int,
) -> Mask:
    """Bands where tissue lies double.

    Two layers have twice the density of one: a fold is `times` as dark as the tissue within
    `reach_px` around, so that a dense tumor is none; and darker than the slide's median by
    `spreads` robust deviations.

    Args:
        dark: Mean optical density.
        stained: Where there is tissue.
    """
    if not stained.any():
        return stained
    some = dark[stained]
    some = some[:: max(1, some.size // _SAMPLE)]
    middle = float(np.median(some))
    spread = 1.4826 * float(np.median(np.abs(some - middle)))
    (around,) = _means_inside(stained, reach_px, np.minimum(dark, np.float32(2 * middle)))
    limit = np.maximum(np.float32(times) * around, np.float32(middle + spreads * spread))
    doubled = large_regions(stained & (dark > limit), min_px)
    return widened(doubled, margin_px) & stained


def _means_inside(mask: Mask, reach_px: int, *layers: Plane) -> list[Plane]:
    """The mean of each layer over the masked pixels in a square of `reach_px` to each side.

    Done on a grid of reach / 5, for it changes no faster, and enlarged bilinearly.
    """
    step = min(max(1, reach_px // 5), *mask.shape)
    size = 2 * max(1, round(reach_px / step)) + 1
    inside = mask.astype(np.float32)
    sums = [
        ndimage.uniform_filter(
            np.asarray(Image.fromarray(layer).reduce(step)), size, mode="constant"
        )
        for layer in (inside, *(layer * inside for layer in layers))
    ]
    share = np.maximum(sums[0], np.float32(1e-4))
    width_height = (mask.shape[1], mask.shape[0])
    return [
        np.asarray(Image.fromarray(one / share).resize(width_height, Image.Resampling.BILINEAR))
        for one in sums[1:]
    ]


def blur_mask(dark: Plane, stained: Mask, *, times: float, reach_px: int, min_px: int) -> Mask:
    """Tissue out of focus: the Laplacian varies far less than in the slide's other tissue.

    Only the inside of tissue is judged, as its border is sharp next to anything. A slide that is
    even throughout has nothing to compare with and stays whole.

    Args:
        dark: Mean optical density, not smoothed.
        stained: Where there is tissue.
        times: Of the slide's median deviation, below which tissue is blurred.
        reach_px: Half the side of the square in which the deviation is taken.
        min_px: Smaller blurred regions are kept as tissue.
    """
    inside = ~widened(~stained, 1)
    if not inside.any():
        return inside
    laplacian = ndimage.laplace(dark, mode="nearest")
    power, around = _means_inside(inside, reach_px, laplacian * laplacian, dark)
    # Relative to density: pale tissue has weaker edges.
    deviation = np.sqrt(np.maximum(power, 0)) / np.maximum(around, np.float32(0.05))
    some = deviation[inside]
    typical = float(np.median(some[:: max(1, some.size // _SAMPLE)]))
    blurred = large_regions(inside & (deviation < times * typical), min_px)
    return widened(blurred, 1) & stained
