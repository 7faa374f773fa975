"""Optical density of a slide's thumbnail, and the threshold above which it is stain.

Density is the natural logarithm of glass over pixel (Beer-Lambert). Stain, ink and a second layer
of tissue therefore add up, and the ratio of two channels does not depend on thickness.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from idhray.images import RGB, Plane
from idhray.slides.tissue.mask import BLACK

DEFAULT_GLASS = 244
"""Gray value of glass for a picture that shows none."""
_DARKEST = 8  # below it the ratio of channels is unreliable
_MIN_GLASS_FRACTION = 0.005
_GLASS_FROM, _GLASS_SPREAD, _GLASS_MAGENTA = 190, 24, 10
_STEPS = 4096  # steps of the histogram between density 0 and _MAX_CHROMA
_MAX_CHROMA = 1.0


@dataclass(frozen=True)
class Densities:
    """Optical densities of a thumbnail's three channels."""

    red: Plane
    green: Plane
    blue: Plane

    @property
    def mean(self) -> Plane:
        """Mean density of the channels: darkness, whatever the color."""
        total: Plane = self.red + self.green
        total += self.blue
        total *= np.float32(1 / 3)
        return total


class Ratios(NamedTuple):
    """Color without strength: the densities of red and blue, divided by that of green."""

    red: Plane
    blue: Plane


def glass_color(rgb: RGB) -> NDArray[np.float64]:
    """Color of empty glass, (3,): medians of the bright gray pixels.

    Pale tissue is also bright and nearly gray, but transmits green the least. The color is 244 in
    each channel if under 0.5 % of the picture that is not black is glass: tissue from edge to edge.
    """
    step = max(1, int((rgb.shape[0] * rgb.shape[1] / 2e5) ** 0.5))  # 200,000 pixels are enough
    pixels = rgb[::step, ::step].reshape(-1, 3)
    low, high = (
        edge(edge(pixels[:, 0], pixels[:, 1]), pixels[:, 2]) for edge in (np.minimum, np.maximum)
    )
    gray = (low >= _GLASS_FROM) & (high - low <= _GLASS_SPREAD)
    glass = pixels[gray & (high - pixels[:, 1] <= _GLASS_MAGENTA)]
    if len(glass) < max(_MIN_GLASS_FRACTION * np.count_nonzero(high >= BLACK), 1):
        return np.full(3, DEFAULT_GLASS, dtype=np.float64)
    return np.asarray(np.median(glass, axis=0), dtype=np.float64)


def densities(rgb: RGB) -> Densities:
    """Optical density of each channel of (height, width, 3) uint8, relative to glass."""
    values = np.maximum(np.arange(256), _DARKEST)
    planes = []
    for channel, white in enumerate(glass_color(rgb)):
        table = np.log(white / values).astype(np.float32)
        planes.append(table[rgb[..., channel]])
    return Densities(*planes)


def smoothed_densities(density: Densities) -> Densities:
    """Means over 3 x 3 pixels, so that edges of nuclei and JPEG noise do not look like ink."""
    planes = (density.red, density.green, density.blue)
    return Densities(*(ndimage.uniform_filter(plane, 3, mode="nearest") for plane in planes))


def chroma(density: Densities) -> Plane:
    """Difference between the largest and the smallest density of the channels.

    Shadows and uneven light darken all channels equally and do not change it.
    """
    high = np.maximum(np.maximum(density.red, density.green), density.blue)
    low = np.minimum(np.minimum(density.red, density.green), density.blue)
    return np.asarray(high - low)


def ratios(density: Densities) -> Ratios:
    """Red and blue over green; green is at least 0.02, to avoid division by zero on glass."""
    green = np.maximum(density.green, np.float32(0.02))
    return Ratios(np.asarray(density.red / green), np.asarray(density.blue / green))


def stain_threshold(values: Plane, least: float, most: float) -> float:
    """Otsu's threshold of chroma, limited to `least` and `most`.

    On a picture of glass alone Otsu splits noise, below `least`; on a picture of tissue alone it
    splits nuclei from fibers, above `most`. Source: Otsu 1979.
    """
    counts = np.bincount(
        (np.clip(values, 0, _MAX_CHROMA) * np.float32(_STEPS)).astype(np.int16).ravel(),
        minlength=_STEPS + 1,
    )
    if np.count_nonzero(counts) < 2:
        return least
    centers = np.arange(counts.size) / _STEPS
    return float(np.clip(threshold_otsu(hist=(counts, centers)), least, most))
