"""Thumbnail: a whole slide at the scale at which tissue is found."""

import math

import numpy as np

from idhray.errors import SlideError
from idhray.images import RGB, Mask
from idhray.slides.reader import Slide

_BLOCK_PX = 2048  # side of a block, in pixels of the level that a thumbnail is read from
_SMALLEST_BLOCK_PX = 32  # in pixels of the thumbnail; damage is located with this precision


def thumbnail(slide: Slide, mpp: float) -> tuple[RGB, Mask]:
    """(whole slide at `mpp` um per pixel, mask of the pixels that could be read).

    The slide is read in blocks. A damaged block is divided again and again, to read the rest of it.
    """
    pixel_l0 = slide.extent_l0((1, 1), mpp)
    width, height = (
        math.ceil(side / pixel) for side, pixel in zip(slide.size_l0, pixel_l0, strict=True)
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
