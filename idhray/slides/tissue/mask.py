"""Tissue mask of a slide image by the filters of Liu et al. 2020.

A filter takes the three channels of an image and returns a mask, True where a pixel may be tissue.
Filters treat each pixel alone and never use each other's masks, so their order does not matter.

Source: Liu et al. 2020, Methods, "Image pre-processing": background, shadow, pens of three colors,
small objects. The pipeline that it cites takes green above 200 for background and channels within
15 for gray, and its pen filters are lists of channel limits, one for each darkness of ink. The pen
filters here compare channels instead, so that a few numbers fit pale and dark ink; they were chosen
on real slides, see tests/slides/tissue/test_mask.py. Hematoxylin and eosin both absorb green the
most; inks absorb red the most (green, blue), or green and blue equally (red).
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from idhray.errors import SlideError
from idhray.images import RGB, Mask

Channel = NDArray[np.int16]  # (height, width), 0..255; signed, for differences

BACKGROUND_GREEN = 200
BACKGROUND_GREEN_MAX = 242
"""Green of glass; pixels above it are never tissue, however empty the slide."""
MAX_BACKGROUND_FRACTION = 0.9
BLACK = 40
"""Gray value below which all channels of a pixel are black: not scanned, or a label blacked out.
Nuclei are above it. Black is neither glass nor tissue."""
GRAY_SPREAD = 15

_BAND_PX = 1 << 15  # pixels at a time: nine int16 arrays of this size fit in the CPU cache


def black(rgb: RGB) -> Mask:
    """Pixels that are black: all channels below `BLACK`."""
    dark = rgb[..., 0] < BLACK
    return np.asarray(dark & (rgb[..., 1] < BLACK) & (rgb[..., 2] < BLACK))


def background_limit(rgb: RGB, tissue: Mask | None = None) -> int:
    """Green value above which a pixel is background.

    It starts at 200 and moves halfway to 255, again and again, while more than 90 % of the image
    would be background (small or pale tissue on much glass), up to 242. Black pixels do not count.

    Args:
        rgb: (height, width, 3) uint8, the thumbnail of a whole slide.
        tissue: Tissue that another method found. The limit then moves until 90 % of this tissue
            is not background.
    """
    if tissue is not None and tissue.any():
        green, most = rgb[..., 1][tissue], 1 - MAX_BACKGROUND_FRACTION
    else:
        green, most = rgb[..., 1][~black(rgb)], MAX_BACKGROUND_FRACTION
    limit = BACKGROUND_GREEN
    while limit < BACKGROUND_GREEN_MAX:
        if np.count_nonzero(green > limit) <= most * green.size:
            break
        limit = math.ceil((limit + 255) / 2)
    return min(limit, BACKGROUND_GREEN_MAX)


def not_gray(r: Channel, g: Channel, b: Channel) -> Mask:
    """Drop gray pixels (shadows, black pen, pencil): their channels are within 15."""
    highest = np.maximum(np.maximum(r, g), b)
    return highest - np.minimum(np.minimum(r, g), b) > GRAY_SPREAD


def not_red_pen(r: Channel, g: Channel, b: Channel) -> Mask:
    """Drop red ink, and the reddish black of a marker.

    Eosin transmits more blue than green, red ink hardly more. Dark tissue pixels are nuclei, which
    are bluer still, so the limit for dark pixels is wider.
    """
    red, blue = r - g, b - g
    ink = (red >= 40) & (4 * blue < red)
    dark = (r < 120) & (red >= 12) & (3 * blue < 2 * red)
    return ~(ink | dark)


def not_green_pen(r: Channel, g: Channel, b: Channel) -> Mask:
    """Drop green and teal ink: as much green as red, and blue not far above green."""
    return ~((g >= r) & (b - g <= 30))


def not_blue_pen(r: Channel, g: Channel, b: Channel) -> Mask:
    """Drop blue ink: far less red than green (azure), or dark with blue alone (navy).

    Hematoxylin transmits about as much red as green, or more.
    """
    azure = (g - r > 25) & (b > g)
    navy = (r < 100) & (g >= r) & (b - r > 70)
    return ~(azure | navy)


def not_black_pen(r: Channel, g: Channel, b: Channel) -> Mask:
    """Drop brownish and purplish black ink: dark, yet with little color for its darkness.

    Nuclei as dark as this transmit far more red or blue than green.
    """
    highest = np.maximum(np.maximum(r, g), b)
    spread = highest - np.minimum(np.minimum(r, g), b)
    black = (highest < 80) & (2 * spread < highest)
    brown = (highest < 110) & (5 * spread < 2 * highest)
    return ~(black | brown)


PENS = (not_red_pen, not_green_pen, not_blue_pen, not_black_pen)


def channels(rgb: RGB) -> tuple[Channel, Channel, Channel]:
    """Red, green and blue as three contiguous arrays."""
    r, g, b = np.moveaxis(rgb, -1, 0).astype(np.int16, order="C")
    return r, g, b


def tissue_mask(rgb: RGB, *, min_object_px: int = 500, green_limit: int | None = None) -> Mask:
    """Pixels that pass every filter, without connected regions under `min_object_px`.

    Args:
        rgb: (height, width, 3) uint8.
        min_object_px: Smaller regions are no tissue.
        green_limit: `background_limit` of the slide that the image is a part of; None if the image
            is the whole slide.

    Raises:
        SlideError: `rgb` is not (height, width, 3) uint8.

    Source: Liu et al. 2020, Methods, "Image pre-processing".
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[-1] != 3:
        raise SlideError(f"tissue needs (height, width, 3) uint8, got {rgb.shape} {rgb.dtype}")
    mask = np.zeros(rgb.shape[:2], dtype=np.bool_)
    limit = background_limit(rgb) if green_limit is None else green_limit
    rows = max(_BAND_PX // max(rgb.shape[1], 1), 1)
    for top in range(0, rgb.shape[0], rows):
        r, g, b = channels(rgb[top : top + rows])
        band = (g <= limit) & not_gray(r, g, b)
        for pen_filter in PENS:
            band &= pen_filter(r, g, b)
        mask[top : top + rows] = band
    return without_small_objects(mask, min_object_px)


def without_small_objects(mask: Mask, min_object_px: int) -> Mask:
    """Mask without 4-connected regions of fewer pixels than `min_object_px`."""
    if min_object_px <= 1:
        return mask
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    large = np.bincount(labels.ravel(), minlength=count + 1) >= min_object_px
    large[0] = False  # label 0 is the background
    return np.asarray(large[labels])


def tissue_fraction(mask: Mask, x: float, y: float, size: float) -> float:
    """Tissue fraction of a square, whose edges are rounded to whole pixels of the mask."""
    left, top, right, bottom = (round(edge) for edge in (x, y, x + size, y + size))
    window = mask[max(top, 0) : bottom, max(left, 0) : right]
    return float(window.mean()) if window.size else 0.0
