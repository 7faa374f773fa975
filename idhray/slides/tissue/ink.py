"""Pen marks on a thumbnail, by the hue of their optical density and by what they touch.

Hematoxylin and eosin both absorb green the most. Blue and green ink absorb red more than green; red
ink absorbs blue nearly as much as green, and little red; black ink absorbs all alike, and much.
Over tissue an ink's hue is mixed with the stains': such pixels count where they differ from the
slide's own stain and touch ink that is certain.
"""

import numpy as np
from scipy import ndimage

from idhray.slides.tissue.density import (
    Densities,
    Mask,
    Plane,
    Ratios,
    chroma,
    ratios,
    smoothed,
)

_SIDES = ndimage.generate_binary_structure(2, 2)
_SAMPLE = 50_000


def certain_ink(
    density: Densities, ratio: Ratios, hued: Plane, stained: Mask, spreads: float
) -> Mask:
    """Pixels that no mixture of hematoxylin and eosin gives.

    Limits are ours, chosen on the real pens, glioma and lung pictures of the tests.
    """
    # Violet stains are as cold as blue ink; they let blue pass better, or are never as dark.
    cold = (ratio.red > 1.0) & (ratio.blue > 0.25)
    cold |= (ratio.red > 0.9) & (ratio.blue > 0.25) & (density.green > 1.3)
    cold |= ratio.red > 1.5
    cold &= hued > 0.12
    red = (ratio.blue > 0.76) & (ratio.red < 0.62) & (hued > 0.3)
    black = (ratio.red > 0.56) & (ratio.blue > 0.64)
    black &= np.minimum(np.minimum(density.red, density.green), density.blue) > 0.95
    certain = cold | red | black
    # Thin red ink is pink; the slide's own eosin, if it is strong, tells how pink tissue can be.
    warmth = ratio.blue - ratio.red
    own = warmth[stained & ~certain]
    limit = 0.47
    if own.size > np.count_nonzero(certain):
        limit = max(limit, _outside(own, spreads))
    certain |= (warmth > limit) & (ratio.blue > 0.63) & (hued > 0.15)
    return np.asarray(certain)


def likely_ink(stained: Mask, certain: Mask, ratio: Ratios, spreads: float) -> Mask:
    """Pixels whose hue lies `spreads` robust deviations outside the slide's own stain.

    The stain is what is stained and not certainly ink; too little of it tells nothing, then only
    hues far from any stain are likely.
    """
    own = stained & ~certain
    likely = np.zeros(stained.shape, dtype=np.bool_)
    few = int(np.count_nonzero(own)) < max(int(np.count_nonzero(certain)), 100)
    for plane, lowest, highest in ((ratio.red, 0.62, 0.92), (ratio.blue, 0.60, 0.76)):
        own_limit = highest if few else _outside(plane[own], spreads)
        limit = min(max(own_limit, lowest), highest)
        likely |= plane > limit
    return likely & stained


def _outside(values: Plane, spreads: float) -> float:
    """The median plus `spreads` robust standard deviations."""
    some = values[:: max(1, values.size // _SAMPLE)]
    middle = float(np.median(some))
    return middle + spreads * max(1.4826 * float(np.median(np.abs(some - middle))), 0.02)


def ink_mask(
    density: Densities,
    stained: Mask,
    *,
    spreads: float,
    min_px: int,
    reach_px: int,
    margin_px: int,
) -> Mask:
    """Certain ink in regions of `min_px` or more, likely ink that touches it, and a margin.

    Likely ink reaches `reach_px` from the certain: a fold that a stroke crosses is of its own.
    """
    density = smoothed(density)
    ratio = ratios(density)
    certain = certain_ink(density, ratio, chroma(density), stained, spreads)
    if not certain.any():
        return certain
    seeds = large_regions(certain, min_px)
    if not seeds.any():
        return seeds
    near = widened(seeds, reach_px)
    both = certain | (likely_ink(stained, certain, ratio, spreads) & near)
    labels, count = ndimage.label(both, structure=_SIDES)
    inked = np.zeros(count + 1, dtype=np.bool_)
    inked[labels[seeds]] = True
    inked[0] = False
    return widened(inked[labels], margin_px)


def large_regions(mask: Mask, min_px: int) -> Mask:
    """The mask without 8-connected regions of fewer pixels than `min_px`."""
    labels, count = ndimage.label(mask, structure=_SIDES)
    if count == 0:
        return mask
    large = np.bincount(labels.ravel(), minlength=count + 1) >= min_px
    large[0] = False  # label 0 is what the mask leaves out
    return np.asarray(large[labels])


def widened(mask: Mask, margin_px: int) -> Mask:
    """The mask and all within a square of `margin_px` around its pixels."""
    if margin_px < 1:
        return mask
    found = np.pad(mask, margin_px)
    for axis in (0, 1):
        rows = np.moveaxis(found, axis, 0)
        reach = 1  # each pixel says whether one of so many, up to it, is set
        while reach <= 2 * margin_px:
            step = min(reach, 2 * margin_px + 1 - reach)
            rows[step:] |= rows[:-step].copy()
            reach += step
    return found[2 * margin_px :, 2 * margin_px :]
