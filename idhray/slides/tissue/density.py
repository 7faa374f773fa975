"""The optical density of a slide's thumbnail, and which of it is more than glass.

Density is the natural logarithm of glass over pixel (Beer-Lambert), so that stain, ink and a second
layer of tissue add up, and a ratio of two channels does not depend on how thick any of them is.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from idhray.images import RGB

Mask = NDArray[np.bool_]  # (height, width)
Plane = NDArray[np.float32]  # (height, width)

GLASS = 244
"""The gray value of glass where a picture shows none."""
_DARKEST = 8  # below it a channel tells no ratio any more
_MIN_GLASS_FRACTION = 0.005
_GLASS_FROM, _GLASS_SPREAD, _GLASS_MAGENTA = 190, 24, 10
_STEPS = 4096  # of the histogram between density 0 and _MAX_CHROMA
_MAX_CHROMA = 1.0


@dataclass(frozen=True)
class Densities:
    """What one conversion of a thumbnail gives."""

    red: Plane
    green: Plane
    blue: Plane

    @property
    def mean(self) -> Plane:
        """How dark a pixel is, whatever its color."""
        total: Plane = self.red + self.green
        total += self.blue
        total *= np.float32(1 / 3)
        return total


class Ratios(NamedTuple):
    """Color apart from strength: the densities of red and blue, as parts of green's."""

    red: Plane
    blue: Plane


def glass_color(rgb: RGB) -> NDArray[np.float64]:
    """The three channels of the empty slide, (3,): medians of its bright gray pixels.

    Pale tissue is bright and nearly gray too, but passes green the least. 244 where under 0.5 % of
    the picture is glass: tissue from edge to edge.
    """
    step = max(1, int((rgb.shape[0] * rgb.shape[1] / 2e5) ** 0.5))  # 200,000 pixels tell enough
    some = rgb[::step, ::step].reshape(-1, 3)
    low, high = (
        edge(edge(some[:, 0], some[:, 1]), some[:, 2]) for edge in (np.minimum, np.maximum)
    )
    gray = (low >= _GLASS_FROM) & (high - low <= _GLASS_SPREAD)
    glass = some[gray & (high - some[:, 1] <= _GLASS_MAGENTA)]
    if len(glass) < max(_MIN_GLASS_FRACTION * len(some), 1):
        return np.full(3, GLASS, dtype=np.float64)
    return np.asarray(np.median(glass, axis=0), dtype=np.float64)


def densities(rgb: RGB) -> Densities:
    """The optical density of each channel of (height, width, 3) uint8, relative to glass."""
    values = np.maximum(np.arange(256), _DARKEST)
    planes = []
    for channel, white in enumerate(glass_color(rgb)):
        table = np.log(white / values).astype(np.float32)
        planes.append(table[rgb[..., channel]])
    return Densities(*planes)


def smoothed(density: Densities) -> Densities:
    """Means over 3 x 3 pixels: the hue of a nucleus' edge or of JPEG noise is no ink."""
    planes = (density.red, density.green, density.blue)
    return Densities(*(ndimage.uniform_filter(plane, 3, mode="nearest") for plane in planes))


def chroma(density: Densities) -> Plane:
    """The largest less the smallest density of the channels.

    Shadows and uneven light darken all channels alike and leave it as it is.
    """
    high = np.maximum(np.maximum(density.red, density.green), density.blue)
    low = np.minimum(np.minimum(density.red, density.green), density.blue)
    return np.asarray(high - low)


def ratios(density: Densities) -> Ratios:
    """Red and blue over green; green is at least 0.02, so that glass divides by no zero."""
    green = np.maximum(density.green, np.float32(0.02))
    return Ratios(np.asarray(density.red / green), np.asarray(density.blue / green))


def stained_from(values: Plane, least: float, most: float) -> float:
    """Otsu's threshold of chroma, kept between `least` and `most`.

    With nothing but glass Otsu splits noise, below `least`; with nothing but tissue it splits
    nuclei from fibres, above `most`. Source: Otsu 1979.
    """
    counts = np.bincount(
        (np.clip(values, 0, _MAX_CHROMA) * np.float32(_STEPS)).astype(np.int16).ravel(),
        minlength=_STEPS + 1,
    )
    if np.count_nonzero(counts) < 2:
        return least
    centers = np.arange(counts.size) / _STEPS
    return float(np.clip(threshold_otsu(hist=(counts, centers)), least, most))
