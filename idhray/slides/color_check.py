"""Whether a slide's colors were decoded as they were meant, seen on its thumbnail.

DICOM slides say twice how their colors are stored, in PhotometricInterpretation and inside their
JPEG or JPEG 2000 frames. Converters often get the first wrong, OpenSlide believes it, and tissue
comes out green, orange or violet without an error (openslide issues 646 and 772, ome/bioformats
4161). Stained tissue takes light away from every channel, most from green; glass lets all through.
"""

import math

import numpy as np
from numpy.typing import NDArray

from idhray.images import RGB

COLORED = 20
"""Gray values between a pixel's channels from which it has a color."""
LEAST_CORRELATION = 0.2
"""Of any two channels over the thumbnail. H&E and pens: 0.42 to 0.97; undecoded YCbCr: -0.97 to
-0.35 (891 pictures of three organs)."""
LEAST_SPREAD = 5.0
"""Standard deviation of gray values below which a thumbnail shows too little for it."""
MOST_FALSE_WHITE = 0.2
"""Of the thumbnail, in the color that white takes when decoded wrongly."""
MOST_OTHER = 0.05
"""Of the thumbnail, in colors other than pink and purple, as of pens."""
LEAST_STAIN = 0.06
"""Pixels in pink and purple for each of another color; biopsies beside a pen have 0.1."""
MOST_LIGHT, LEAST_DARK = 0.001, 0.5
"""Of the thumbnail, in a picture on black: fluorescence, or a negative."""
MAX_PIXELS = 300_000


Planes = NDArray[np.int16]  # (3, pixels): red, green, blue


def implausible_colors(thumbnail: RGB) -> str | None:
    """What about the colors cannot be H&E on glass; None if nothing.

    It takes for granted that a whole slide shows some glass. Red and blue exchanged (which no known
    mistake does) cannot be told from a blue stain. All-white and all-black pictures are plausible.

    Args:
        thumbnail: (height, width, 3) uint8 of a whole slide, white where nothing was scanned.
    """
    step = math.ceil(math.sqrt(thumbnail.shape[0] * thumbnail.shape[1] / MAX_PIXELS))
    pixels = thumbnail[::step, ::step].reshape(-1, 3)
    planes = np.ascontiguousarray(pixels.T, dtype=np.int16)
    lowest, highest = planes.min(axis=0), planes.max(axis=0)
    return (
        _false_white(planes)
        or _opposed(planes)
        or _on_black(lowest, highest)
        or _unstained(planes, highest - lowest)
    )


def _false_white(planes: Planes) -> str | None:
    """White is (255, 128, 128) in YCbCr, and (255, 121, 255) where RGB is taken for YCbCr."""
    red, green, blue = planes
    neutral = (np.abs(green - 128) <= 8) & (np.abs(blue - 128) <= 8) & (red >= 190)
    violet = (red >= 250) & (blue >= 250) & (np.abs(green - 121) <= 40)
    for mask, what in ((neutral, "YCbCr taken for RGB"), (violet, "RGB taken for YCbCr")):
        if mask.mean() > MOST_FALSE_WHITE:
            return f"{mask.mean():.0%} of it has the color of white glass in {what}"
    return None


def _opposed(planes: Planes) -> str | None:
    centered = planes - planes.mean(axis=1, dtype=np.float32, keepdims=True)
    covariance = centered @ centered.T / centered.shape[1]
    spread = np.sqrt(np.diag(covariance))
    if spread.max() < LEAST_SPREAD:
        return None
    spread = np.where(spread > 0, spread, 1.0)
    least = float((covariance / np.outer(spread, spread)).min())
    if least >= LEAST_CORRELATION:
        return None
    return f"its channels do not darken together (correlation {least:.2f}), as undecoded YCbCr"


def _on_black(lowest: NDArray[np.int16], highest: NDArray[np.int16]) -> str | None:
    light = ((lowest >= 180) & (highest - lowest < 2 * COLORED)).mean()
    dark = (highest < 60).mean()
    if light > MOST_LIGHT or dark < LEAST_DARK or dark == 1:
        return None
    return f"{dark:.0%} of it is black and none is light, as in fluorescence or a negative"


def _unstained(planes: Planes, spread: NDArray[np.int16]) -> str | None:
    red, green, blue = planes
    colored = spread > COLORED
    stain = colored & (green <= red) & (green <= blue)
    other = float((colored & ~stain).mean())
    if other <= MOST_OTHER or stain.mean() >= LEAST_STAIN * other:
        return None
    return (
        f"{stain.mean():.1%} of it is pink or purple and {other:.0%} of other colors: channels "
        "exchanged, pen only, or no H&E"
    )
