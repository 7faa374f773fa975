"""Whether a slide's own blocks, decoded directly, are what OpenSlide shows; if not, why.

One block of each level is decoded both ways before the first region is read.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import openslide
from PIL import Image

from idhray.errors import SlideError
from idhray.images import RGB
from idhray.slides.tiff.blocks import Block, Blocks
from idhray.slides.tiff.codecs import JPEG_SHRINKS, decode_block, shrunk
from idhray.slides.tiff.tiles import TiledLevel, tiled_levels

VENDORS = ("aperio", "generic-tiff")
"""As OpenSlide names the kinds of files that are read directly."""
MAX_DIFFERENCE = 2
"""Gray values that a decoded block may differ from OpenSlide's. JPEG is equal; JPEG 2000 in YCbCr
is converted with other roundings."""
MAX_SHRUNK_DIFFERENCE = 2.0
"""Gray values, on average, that a block decoded smaller may differ from the mean of its pixels;
else that mean is taken. 4:2:0 and RGB differ by less than 1; 4:2:2, whose colors are decoded too
small across, by 3 at a quarter."""


def readable_levels(path: str, handle: openslide.OpenSlide) -> list[TiledLevel] | str:
    """The blocks of each of OpenSlide's levels, or why they are left to OpenSlide."""
    vendor = handle.properties.get(openslide.PROPERTY_NAME_VENDOR)
    if vendor not in VENDORS:
        return f"it is of the kind {vendor}, not {' or '.join(VENDORS)}"
    levels = tiled_levels(path, handle.level_dimensions)
    return levels if isinstance(levels, str) else _compared(path, levels)


def _compared(path: str, levels: list[TiledLevel]) -> list[TiledLevel] | str:
    """The levels, each with the scales at which its JPEGs may be decoded; or what differs."""
    checked = []
    blocks = Blocks(path, levels, cache_bytes=0)
    try:
        for number, level in enumerate(levels):
            found = _compared_level(path, number, level, blocks)
            if isinstance(found, str):
                return f"level {number}: {found}"
            checked.append(found)
    finally:
        blocks.close()
    return checked


def _compared_level(path: str, number: int, level: TiledLevel, blocks: Blocks) -> TiledLevel | str:
    """Compare the longest block, which holds the most detail.

    Byte counts that cannot be true are not shown to OpenSlide: it allocates what they say, and
    ends the process where it cannot. A block that OpenSlide cannot read either is just damaged.
    """
    lengths = np.where(blocks.plausible(level), level.counts, 0)
    if not lengths.any():
        return "no block lies within the file"
    row, column = divmod(int(np.argmax(lengths)), level.across)
    shown = _shown(path, number, level, row, column)
    if shown is None:
        return level
    block = Block(number, 1, row, column)
    try:
        pixels = blocks.read(block)
        off = pixels.astype(np.int16) - shown.pixels
        most = np.abs(off if shown.whole else off.mean(axis=(0, 1))).max()
        if most > MAX_DIFFERENCE:
            return f"pixels differ from OpenSlide's by up to {most:.0f}"
        scaled = _scaled(blocks.data(block), level)
    except SlideError as error:
        return str(error)
    return replace(level, coding=replace(level.coding, scaled=scaled))


def _scaled(data: bytes, level: TiledLevel) -> tuple[int, ...]:
    """By how much a JPEG block may be decoded smaller and still show the mean of its pixels."""
    if level.coding.codec != "jpeg":
        return ()
    whole = decode_block(data, level.block, level.coding)
    found = []
    for shrink in JPEG_SHRINKS:
        if shrink > 1 and all(side % shrink == 0 for side in level.block):
            coding = replace(level.coding, scaled=(shrink,))
            small = decode_block(data, level.block, coding, shrink).astype(np.int16)
            if np.abs(small - shrunk(whole, shrink)).mean() <= MAX_SHRUNK_DIFFERENCE:
                found.append(shrink)
    return tuple(found)


class _Shown(NamedTuple):
    """A block as OpenSlide shows it."""

    pixels: RGB
    whole: bool
    """It starts at a whole pixel of level 0; else OpenSlide interpolates, and means remain."""


def _shown(path: str, number: int, level: TiledLevel, row: int, column: int) -> _Shown | None:
    """The pixels of a block, white outside; None if OpenSlide cannot read it."""
    try:
        with openslide.OpenSlide(path) as handle:
            downsample = handle.level_downsamples[number]
            exact = (
                downsample * column * level.block[0],
                downsample * row * level.block[1],
            )
            corner = (round(exact[0]), round(exact[1]))
            rgba = handle.read_region(corner, number, level.block)
    except openslide.OpenSlideError:
        return None
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    whole = all(abs(a - b) < 1e-6 for a, b in zip(exact, corner, strict=True))
    return _Shown(np.asarray(white), whole)
