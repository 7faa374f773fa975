"""Check on a slide's thumbnail that its colors were decoded correctly.

DICOM slides declare the storage of their colors twice: in PhotometricInterpretation and inside
their JPEG or JPEG 2000 frames. Converters often write a wrong PhotometricInterpretation, OpenSlide
relies on it, and tissue appears green, orange or violet without an error (openslide issues 646 and
772, ome/bioformats 4161). Stained tissue absorbs light in every channel, most in green; glass
absorbs none.
"""

import math

import numpy as np
from numpy.typing import NDArray

from idhray.images import RGB

COLORED = 20
"""Difference in gray values between channels above which a pixel has a color."""
LEAST_CORRELATION = 0.2
"""Smallest correlation of two channels over the thumbnail. H&E and pens: 0.42 to 0.97; undecoded
YCbCr: -0.97 to -0.35 (891 pictures of three organs)."""
LEAST_SPREAD = 5.0
"""Standard deviation of gray values below which the correlation is not judged."""
MOST_FALSE_WHITE = 0.2
"""Largest fraction of the thumbnail in a color that wrongly decoded white takes."""
MOST_OTHER = 0.05
"""Fraction of the thumbnail in colors other than pink and purple, such as pens, that passes."""
LEAST_STAIN = 0.06
"""Fewest pink and purple pixels per pixel of another color; biopsies beside a pen have 0.1."""
MOST_LIGHT, LEAST_DARK = 0.001, 0.5
"""Limits of the light and dark fractions that mark a picture on black: fluorescence, a negative."""
MAX_PIXELS = 300_000
"""Pixels of the thumbnail that are looked at."""

Channels = NDArray[np.int16]  # (3, pixels): red, green, blue


def implausible_colors(thumbnail: RGB) -> str | None:
    """Reason why the colors cannot be H&E on glass; None if they can.

    The check assumes that a whole slide shows some glass. Exchanged red and blue, which no known
    mistake produces, cannot be distinguished from a blue stain. All-white and all-black pictures
    pass.

    Args:
        thumbnail: (height, width, 3) uint8 of a whole slide, white where nothing was scanned.
    """
    step = math.ceil(math.sqrt(thumbnail.shape[0] * thumbnail.shape[1] / MAX_PIXELS))
    pixels = thumbnail[::step, ::step].reshape(-1, 3)
    channels = np.ascontiguousarray(pixels.T, dtype=np.int16)
    lowest, highest = channels.min(axis=0), channels.max(axis=0)
    return (
        _false_white(channels)
        or _opposed(channels)
        or _on_black(lowest, highest)
        or _unstained(channels, highest - lowest)
    )


def _false_white(channels: Channels) -> str | None:
    """Reason if much is wrongly decoded white.

    White is (255, 128, 128) if YCbCr is taken for RGB, and (255, 121, 255) if RGB is taken for
    YCbCr.
    """
    red, green, blue = channels
    neutral = (np.abs(green - 128) <= 8) & (np.abs(blue - 128) <= 8) & (red >= 190)
    violet = (red >= 250) & (blue >= 250) & (np.abs(green - 121) <= 40)
    for mask, mistake in ((neutral, "YCbCr taken for RGB"), (violet, "RGB taken for YCbCr")):
        if mask.mean() > MOST_FALSE_WHITE:
            return f"{mask.mean():.0%} of it has the color of white glass in {mistake}"
    return None


def _opposed(channels: Channels) -> str | None:
    """Reason if two channels do not darken together."""
    centered = channels - channels.mean(axis=1, dtype=np.float32, keepdims=True)
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
    """Reason if the picture is mostly black and has no light pixels."""
    light = ((lowest >= 180) & (highest - lowest < 2 * COLORED)).mean()
    dark = (highest < 60).mean()
    if light > MOST_LIGHT or dark < LEAST_DARK or dark == 1:
        return None
    return f"{dark:.0%} of it is black and none is light, as in fluorescence or a negative"


def _unstained(channels: Channels, spread: NDArray[np.int16]) -> str | None:
    """Reason if colors other than pink and purple prevail."""
    red, green, blue = channels
    colored = spread > COLORED
    stain = colored & (green <= red) & (green <= blue)
    other = float((colored & ~stain).mean())
    if other <= MOST_OTHER or stain.mean() >= LEAST_STAIN * other:
        return None
    return (
        f"{stain.mean():.1%} of it is pink or purple and {other:.0%} of other colors: channels "
        "exchanged, pen only, or no H&E"
    )
