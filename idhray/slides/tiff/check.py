"""Check that a slide's blocks, decoded directly, agree with what OpenSlide shows.

One block of each level is decoded both ways before the first region is read.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import openslide

from idhray.errors import SlideError
from idhray.images import RGB
from idhray.slides.resample import over_white
from idhray.slides.tiff.blocks import BlockKey, BlockReader
from idhray.slides.tiff.codecs import JPEG_SHRINKS, decode_block, shrunk
from idhray.slides.tiff.tiles import TiledLevel, tiled_levels

VENDORS = ("aperio", "generic-tiff")
"""OpenSlide's names of the kinds of files that are read directly."""
MAX_DIFFERENCE = 2
"""Largest difference in gray values from OpenSlide's block. JPEG is equal; JPEG 2000 in YCbCr is
converted with other roundings."""
MAX_SHRUNK_DIFFERENCE = 2.0
"""Largest average difference in gray values between a block decoded at a smaller scale and the mean
of its pixels; beyond it the mean is used. 4:2:0 and RGB differ by less than 1; 4:2:2, whose colors
are decoded too small across, differs by 3 at a quarter."""


def readable_levels(path: str, handle: openslide.OpenSlide) -> list[TiledLevel] | str:
    """Blocks of each of OpenSlide's levels, or the reason why they cannot be read directly."""
    vendor = handle.properties.get(openslide.PROPERTY_NAME_VENDOR)
    if vendor not in VENDORS:
        return f"it is of the kind {vendor}, not {' or '.join(VENDORS)}"
    levels = tiled_levels(path, handle.level_dimensions)
    return levels if isinstance(levels, str) else _compared(path, levels)


def _compared(path: str, levels: list[TiledLevel]) -> list[TiledLevel] | str:
    """Levels with the scales at which their JPEGs may be decoded, or the first difference."""
    checked = []
    blocks = BlockReader(path, levels, cache_bytes=0)
    try:
        for number, level in enumerate(levels):
            result = _compared_level(path, number, level, blocks)
            if isinstance(result, str):
                return f"level {number}: {result}"
            checked.append(result)
    finally:
        blocks.close()
    return checked


def _compared_level(
    path: str, number: int, level: TiledLevel, blocks: BlockReader
) -> TiledLevel | str:
    """Compare the longest block, which holds the most detail.

    Blocks with impossible byte counts are not passed to OpenSlide: it allocates as many bytes, and
    ends the process if it cannot. A block that OpenSlide cannot read either is simply damaged.
    """
    lengths = np.where(blocks.plausible(level), level.counts, 0)
    if not lengths.any():
        return "no block lies within the file"
    row, column = divmod(int(np.argmax(lengths)), level.across)
    reference = _openslide_block(path, number, level, row, column)
    if reference is None:
        return level
    key = BlockKey(number, 1, row, column)
    try:
        pixels = blocks.read(key)
        off = pixels.astype(np.int16) - reference.pixels
        most = np.abs(off if reference.aligned else off.mean(axis=(0, 1))).max()
        if most > MAX_DIFFERENCE:
            return f"pixels differ from OpenSlide's by up to {most:.0f}"
        scaled = usable_shrinks(blocks.data(key), level)
    except SlideError as error:
        return str(error)
    return replace(level, coding=replace(level.coding, scaled=scaled))


def usable_shrinks(data: bytes, level: TiledLevel) -> tuple[int, ...]:
    """Shrinks at which a JPEG block may be decoded and still shows the mean of its pixels."""
    if level.coding.codec != "jpeg":
        return ()
    whole = decode_block(data, level.block, level.coding)
    shrinks = []
    for shrink in JPEG_SHRINKS:
        if shrink > 1 and all(side % shrink == 0 for side in level.block):
            coding = replace(level.coding, scaled=(shrink,))
            small = decode_block(data, level.block, coding, shrink).astype(np.int16)
            if np.abs(small - shrunk(whole, shrink)).mean() <= MAX_SHRUNK_DIFFERENCE:
                shrinks.append(shrink)
    return tuple(shrinks)


class _OpenSlideBlock(NamedTuple):
    """A block as OpenSlide shows it."""

    pixels: RGB
    aligned: bool
    """True if the block starts at a whole pixel of level 0. Otherwise OpenSlide interpolates, and
    only means can be compared."""


def _openslide_block(
    path: str, number: int, level: TiledLevel, row: int, column: int
) -> _OpenSlideBlock | None:
    """Pixels of a block, white outside the level; None if OpenSlide cannot read it."""
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
    aligned = all(abs(a - b) < 1e-6 for a, b in zip(exact, corner, strict=True))
    return _OpenSlideBlock(np.asarray(over_white(rgba)), aligned)
