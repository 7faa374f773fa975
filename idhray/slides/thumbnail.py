"""A whole slide at the scale that tissue is found on."""

import math

import numpy as np

from idhray.errors import SlideError
from idhray.images import RGB
from idhray.slides.reader import Slide
from idhray.slides.tissue.mask import Mask

_BLOCK_PX = 2048  # of the level that a thumbnail is read from, at a time
_SMALLEST_BLOCK_PX = 32  # of the thumbnail; a damaged place is located this exactly


def thumbnail(slide: Slide, mpp: float) -> tuple[RGB, Mask]:
    """The whole slide at `mpp` um per pixel, and which of its pixels could be read.

    It is read in blocks; a damaged one in ever smaller blocks, so that the rest is still had.
    """
    pixel_l0 = slide.extent_l0((1, 1), mpp)
    width, height = (
        math.ceil(side / each) for side, each in zip(slide.size_l0, pixel_l0, strict=True)
    )
    image = np.full((height, width, 3), 255, dtype=np.uint8)
    readable = np.zeros((height, width), dtype=np.bool_)
    step = max(int(_BLOCK_PX / slide.level_scale(mpp)), 1)

    def fill(left: int, top: int, step: int) -> None:
        right, bottom = min(left + step, width), min(top + step, height)
        corner = (round(left * pixel_l0[0]), round(top * pixel_l0[1]))
        try:
            block = slide.region(*corner, (right - left, bottom - top), mpp)
        except SlideError:
            if step > _SMALLEST_BLOCK_PX:
                fill_all(left, top, right, bottom, step // 2)
            return
        image[top:bottom, left:right] = block
        readable[top:bottom, left:right] = True

    def fill_all(left: int, top: int, right: int, bottom: int, step: int) -> None:
        for y in range(top, bottom, step):
            for x in range(left, right, step):
                fill(x, y, step)

    fill_all(0, 0, width, height, step)
    return image, readable
