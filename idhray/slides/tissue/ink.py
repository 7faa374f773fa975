"""Pen marks on a thumbnail, by the hue of their optical density and by contact with other ink.

Hematoxylin and eosin both absorb green the most. Blue and green ink absorb red more than green; red
ink absorbs blue nearly as much as green, and little red; black ink absorbs all channels equally and
strongly. Over tissue, the hue of ink mixes with that of the stains: such pixels count as ink if
they differ from the slide's stain and touch ink that is certain.
"""

import numpy as np
from scipy import ndimage

from idhray.images import Mask, Plane
from idhray.slides.tissue.density import Densities, Ratios, chroma, ratios, smoothed_densities

_EIGHT_NEIGHBORS = ndimage.generate_binary_structure(2, 2)
_SAMPLE_PX = 50_000


def certain_ink(
    density: Densities, ratio: Ratios, hued: Plane, stained: Mask, spreads: float
) -> Mask:
    """Pixels with a color that no mixture of hematoxylin and eosin has.

    The limits are ours, chosen on the real pictures of pens, glioma and lung in the tests.
    """
    # Violet stains are as cold as blue ink, but transmit more blue or are never as dark.
    cold = (ratio.red > 1.0) & (ratio.blue > 0.25)
    cold |= (ratio.red > 0.9) & (ratio.blue > 0.25) & (density.green > 1.3)
    cold |= ratio.red > 1.5
    cold &= hued > 0.12
    red = (ratio.blue > 0.76) & (ratio.red < 0.62) & (hued > 0.3)
    black = (ratio.red > 0.56) & (ratio.blue > 0.64)
    black &= np.minimum(np.minimum(density.red, density.green), density.blue) > 0.95
    certain = cold | red | black
    # Thin red ink is pink. The slide's eosin, if there is enough, shows how pink tissue can be.
    warmth = ratio.blue - ratio.red
    tissue_warmth = warmth[stained & ~certain]
    limit = 0.47
    if tissue_warmth.size > np.count_nonzero(certain):
        limit = max(limit, _upper_limit(tissue_warmth, spreads))
    certain |= (warmth > limit) & (ratio.blue > 0.63) & (hued > 0.15)
    return np.asarray(certain)


def likely_ink(stained: Mask, certain: Mask, ratio: Ratios, spreads: float) -> Mask:
    """Pixels whose hue lies `spreads` robust deviations outside the slide's stain.

    The stain is measured on stained pixels that are not certain ink. If there are too few of them,
    only hues far from any stain are likely ink.
    """
    tissue = stained & ~certain
    likely = np.zeros(stained.shape, dtype=np.bool_)
    few = int(np.count_nonzero(tissue)) < max(int(np.count_nonzero(certain)), 100)
    for plane, lowest, highest in ((ratio.red, 0.62, 0.92), (ratio.blue, 0.60, 0.76)):
        slide_limit = highest if few else _upper_limit(plane[tissue], spreads)
        limit = min(max(slide_limit, lowest), highest)
        likely |= plane > limit
    return likely & stained


def _upper_limit(values: Plane, spreads: float) -> float:
    """Median plus `spreads` robust standard deviations."""
    sample = values[:: max(1, values.size // _SAMPLE_PX)]
    median = float(np.median(sample))
    return median + spreads * max(1.4826 * float(np.median(np.abs(sample - median))), 0.02)


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

    Likely ink extends at most `reach_px` from certain ink: a fold that a stroke crosses is not ink.
    """
    density = smoothed_densities(density)
    ratio = ratios(density)
    certain = certain_ink(density, ratio, chroma(density), stained, spreads)
    if not certain.any():
        return certain
    seeds = large_regions(certain, min_px)
    if not seeds.any():
        return seeds
    near = widened(seeds, reach_px)
    both = certain | (likely_ink(stained, certain, ratio, spreads) & near)
    labels, count = ndimage.label(both, structure=_EIGHT_NEIGHBORS)
    inked = np.zeros(count + 1, dtype=np.bool_)
    inked[labels[seeds]] = True
    inked[0] = False
    return widened(inked[labels], margin_px)


def large_regions(mask: Mask, min_px: int) -> Mask:
    """Mask without 8-connected regions of fewer pixels than `min_px`."""
    labels, count = ndimage.label(mask, structure=_EIGHT_NEIGHBORS)
    if count == 0:
        return mask
    large = np.bincount(labels.ravel(), minlength=count + 1) >= min_px
    large[0] = False  # label 0 is the background
    return np.asarray(large[labels])


def widened(mask: Mask, margin_px: int) -> Mask:
    """Mask widened by a square of `margin_px` to each side of its pixels."""
    if margin_px < 1:
        return mask
    padded = np.pad(mask, margin_px)
    for axis in (0, 1):
        rows = np.moveaxis(padded, axis, 0)
        reach = 1  # a pixel is True if one of the `reach` pixels up to it is set
        while reach <= 2 * margin_px:
            step = min(reach, 2 * margin_px + 1 - reach)
            rows[step:] |= rows[:-step].copy()
            reach += step
    return padded[2 * margin_px :, 2 * margin_px :]
