"""Tissue that cannot be used: folds, and regions out of focus."""

import numpy as np
from PIL import Image
from scipy import ndimage

from idhray.images import Mask, Plane
from idhray.slides.tissue.ink import large_regions, widened

_SAMPLE_PX = 50_000


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
    """Folds: bands in which tissue lies double.

    Two layers have twice the density of one. A fold is `times` as dark as the tissue within
    `reach_px` around it, which excludes dense tumor, and darker than the slide's median by
    `spreads` robust deviations.

    Args:
        dark: Mean optical density.
        stained: Mask of the tissue.
        times: Ratio of a fold's density to that of the tissue around.
        spreads: Robust deviations above the slide's median density.
        reach_px: Half the side of the square that counts as around.
        min_px: Smallest region that is a fold.
        margin_px: Width of the border that is added to a fold.
    """
    if not stained.any():
        return stained
    sample = dark[stained]
    sample = sample[:: max(1, sample.size // _SAMPLE_PX)]
    median = float(np.median(sample))
    spread = 1.4826 * float(np.median(np.abs(sample - median)))
    (around,) = _means_inside(stained, reach_px, np.minimum(dark, np.float32(2 * median)))
    limit = np.maximum(np.float32(times) * around, np.float32(median + spreads * spread))
    folds = large_regions(stained & (dark > limit), min_px)
    return widened(folds, margin_px) & stained


def _means_inside(mask: Mask, reach_px: int, *layers: Plane) -> list[Plane]:
    """Mean of each layer over the masked pixels in a square of `reach_px` to each side.

    It is computed on a grid of reach / 5, because it changes slowly, and enlarged bilinearly.
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
        np.asarray(Image.fromarray(total / share).resize(width_height, Image.Resampling.BILINEAR))
        for total in sums[1:]
    ]


def blur_mask(dark: Plane, stained: Mask, *, times: float, reach_px: int, min_px: int) -> Mask:
    """Tissue out of focus: its Laplacian varies far less than in the slide's other tissue.

    Only the inside of tissue is judged, because its border is always sharp. A slide that is blurred
    throughout has no sharp tissue to compare with, and none of it is removed.

    Args:
        dark: Mean optical density, not smoothed.
        stained: Mask of the tissue.
        times: Fraction of the slide's median deviation below which tissue is blurred.
        reach_px: Half the side of the square in which the deviation is measured.
        min_px: Smaller blurred regions count as tissue.
    """
    inside = ~widened(~stained, 1)
    if not inside.any():
        return inside
    laplacian = ndimage.laplace(dark, mode="nearest")
    power, around = _means_inside(inside, reach_px, laplacian * laplacian, dark)
    # The deviation is divided by density, because pale tissue has weaker edges.
    deviation = np.sqrt(np.maximum(power, 0)) / np.maximum(around, np.float32(0.05))
    sample = deviation[inside]
    median = float(np.median(sample[:: max(1, sample.size // _SAMPLE_PX)]))
    blurred = large_regions(inside & (deviation < times * median), min_px)
    return widened(blurred, 1) & stained
