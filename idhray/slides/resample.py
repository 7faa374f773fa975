"""Place of a region in a level of the pyramid, and its pixels, resampled from those of the level.

A pixel is a square of tissue and a region is a rectangle of tissue: all lengths are floats,
measured from the upper left corner of the slide.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from idhray.images import RGB

WHOLE_PX = 1 / 16
"""A position or length this close to a whole number of pixels counts as whole: no resampling."""
LEAST_HAMMING = 1.4
"""Scale from which Pillow's HAMMING is closer to the mean over the area than BICUBIC. At a scale of
2 its error is half as large, and it takes two thirds of the time."""

XY = tuple[float, float]
"""A length or position across (x) and down (y)."""


class ReadPlan(NamedTuple):
    """Place of a region in a level, in pixels of `level` shrunk by `shrink`."""

    level: int
    shrink: int
    left: float
    top: float
    width: float
    height: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the whole pixels that cover the region."""
        return (
            math.floor(self.left + WHOLE_PX),
            math.floor(self.top + WHOLE_PX),
            math.ceil(self.left + self.width - WHOLE_PX),
            math.ceil(self.top + self.height - WHOLE_PX),
        )


def level_downsamples(sizes: Sequence[tuple[int, int]]) -> list[XY]:
    """Level-0 pixels per pixel of each level, across and down.

    Scanners halve a picture and drop or fill up the last incomplete pixel: a level of 8228 rows of
    32914 has a downsample of exactly 4, not of 4.0002, which would be 4 px off at the lower edge.
    The downsample is therefore a whole number, preferably a power of two, if both sides of the
    level agree with it to one pixel; otherwise the ratio of the sides, separately for each.

    Args:
        sizes: (width, height) of each level.
    """
    return [_downsample(sizes[0], size) for size in sizes]


def _downsample(level_0: tuple[int, int], level: tuple[int, int]) -> XY:
    across, down = level_0[0] / level[0], level_0[1] / level[1]
    mean = math.sqrt(across * down)
    for steps in (2 ** round(math.log2(mean)), round(mean)):
        excess = (level_0[0] / steps - level[0], level_0[1] / steps - level[1])
        if all(abs(length) < 1 for length in excess):
            return float(steps), float(steps)
    return across, down


def whole_steps(plan: ReadPlan, size: tuple[int, int]) -> tuple[int, int] | None:
    """Whole pixels per pixel of the region, across and down; None if no whole number fits."""
    steps = (max(round(plan.width / size[0]), 1), max(round(plan.height / size[1]), 1))
    off = (
        plan.width - steps[0] * size[0],
        plan.height - steps[1] * size[1],
        plan.left - round(plan.left),
        plan.top - round(plan.top),
    )
    return steps if all(abs(length) <= WHOLE_PX for length in off) else None


def resampled(pixels: RGB, corner: XY, plan: ReadPlan, size: tuple[int, int]) -> RGB:
    """Exactly the region as an image of `size`, from pixels that cover it.

    Args:
        pixels: Pixels of the level, shrunk; they cover at least `plan.box`.
        corner: Position of the upper left corner of `pixels`, in the units of `plan`.
        plan: Place of the region.
        size: (width, height) of the result.
    """
    left, top = plan.left - corner[0], plan.top - corner[1]
    steps = whole_steps(plan, size)
    if max(abs(left), abs(top)) > WHOLE_PX:
        steps = None
    if steps == (1, 1):
        return pixels[: size[1], : size[0]]
    picture = Image.fromarray(pixels)
    if steps is not None:
        # The mean of whole pixels is exact if whole pixels fit; otherwise edges become ragged.
        return np.asarray(picture.reduce(steps, box=(0, 0, steps[0] * size[0], steps[1] * size[1])))
    right, bottom = min(left + plan.width, picture.width), min(top + plan.height, picture.height)
    left, top = max(left, 0.0), max(top, 0.0)
    across, down = _method(plan.width / size[0]), _method(plan.height / size[1])
    if across != down:
        narrow = picture.resize(
            (size[0], picture.height), across, box=(left, 0, right, picture.height)
        )
        return np.asarray(narrow.resize(size, down, box=(0, top, size[0], bottom)))
    return np.asarray(picture.resize(size, across, box=(left, top, right, bottom)))


def _method(scale: float) -> Image.Resampling:
    """Filter that resamples `scale` pixels to one if no whole number fits."""
    return Image.Resampling.HAMMING if scale >= LEAST_HAMMING else Image.Resampling.BICUBIC


def over_white(rgba: Image.Image) -> Image.Image:
    """OpenSlide's pixels in RGB, white where they are transparent."""
    if rgba.getchannel("A").getextrema() == (255, 255):
        return rgba.convert("RGB")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white
