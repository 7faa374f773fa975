"""Where a region lies in a level of the pyramid, and how its pixels are made from the level's.

A pixel is a square of tissue, and a region a rectangle of it: all lengths are floats, and count
from the upper left corner of the slide.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from idhray.images import RGB

WHOLE_PX = 1 / 16
"""Nearer than this, a place or a width counts as a whole number of pixels and is not resampled."""
LEAST_HAMMING = 1.4
"""Pixels per pixel of the region from which Pillow's HAMMING is nearer to the mean over the area
than BICUBIC; it is twice as near at 2, and takes two thirds of the time."""

Pair = tuple[float, float]
"""Across and down."""


class Plan(NamedTuple):
    """Where a region lies; lengths in pixels of `level` shrunk by `shrink`."""

    level: int
    shrink: int
    left: float
    top: float
    width: float
    height: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the whole pixels that hold it."""
        return (
            math.floor(self.left + WHOLE_PX),
            math.floor(self.top + WHOLE_PX),
            math.ceil(self.left + self.width - WHOLE_PX),
            math.ceil(self.top + self.height - WHOLE_PX),
        )


def level_downsamples(sizes: Sequence[tuple[int, int]]) -> list[Pair]:
    """Level-0 pixels per pixel of each level, across and down.

    Scanners halve a picture and leave out, or fill up, what does not make a whole pixel: a level
    of 8228 rows of 32914 is of exactly a quarter, not of 4.0002, which would be 4 px off at the
    lower edge. So a whole number is taken where both sides are what it leaves, a power of two
    first; else the ratio of the sides, each on its own.

    Args:
        sizes: (width, height) of each level.
    """
    return [_downsample(sizes[0], size) for size in sizes]


def _downsample(whole: tuple[int, int], level: tuple[int, int]) -> Pair:
    across, down = whole[0] / level[0], whole[1] / level[1]
    mean = math.sqrt(across * down)
    for steps in (2 ** round(math.log2(mean)), round(mean)):
        left_over = (whole[0] / steps - level[0], whole[1] / steps - level[1])
        if all(abs(part) < 1 for part in left_over):
            return float(steps), float(steps)
    return across, down


def whole_steps(plan: Plan, size: tuple[int, int]) -> tuple[int, int] | None:
    """How many whole pixels make one of the region across and down; None if they do not."""
    steps = (max(round(plan.width / size[0]), 1), max(round(plan.height / size[1]), 1))
    off = (
        plan.width - steps[0] * size[0],
        plan.height - steps[1] * size[1],
        plan.left - round(plan.left),
        plan.top - round(plan.top),
    )
    return steps if all(abs(length) <= WHOLE_PX for length in off) else None


def resampled(pixels: RGB, corner: Pair, plan: Plan, size: tuple[int, int]) -> RGB:
    """`size` pixels of exactly the region, from pixels that hold it.

    Args:
        pixels: Of the level, shrunk; at least `plan.box`.
        corner: Where the upper left corner of `pixels` lies, in the lengths of `plan`.
        plan: Where the region lies.
        size: (width, height) of what comes back.
    """
    left, top = plan.left - corner[0], plan.top - corner[1]
    steps = whole_steps(plan, size)
    if max(abs(left), abs(top)) > WHOLE_PX:
        steps = None
    if steps == (1, 1):
        return pixels[: size[1], : size[0]]
    picture = Image.fromarray(pixels)
    if steps is not None:
        # The mean of whole pixels: right where whole pixels fit, ragged where they do not.
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
    """How to resample `scale` pixels to one where whole ones do not fit."""
    return Image.Resampling.HAMMING if scale >= LEAST_HAMMING else Image.Resampling.BICUBIC
