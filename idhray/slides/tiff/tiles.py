"""Index of a tiled TIFF's blocks: levels, offsets and byte counts, read once.

A block is one of the file's compressed tiles. The index covers TIFFs with one image and its smaller
copies (Aperio SVS, generic pyramidal TIFF, also BigTIFF) in 8-bit RGB or YCbCr with no missing
block. Other files are left to OpenSlide, with a reason.
"""

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import tifffile
from numpy.typing import NDArray

from idhray.slides.tiff.codecs import Coding, jpeg_tables

# A SlideError reports what is wrong with a file; tifffile would log it as well.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

MAX_PAGES = 100
MAX_SUB_LEVELS = 20
MAX_BLOCK_SIDE_PX = 4096
MAX_BLOCKS = 4_000_000
"""Most blocks of a level: a slide with sides of 500,000 px in blocks of 256."""
CODECS = {
    1: "none",
    5: "lzw",
    7: "jpeg",
    8: "deflate",
    32946: "deflate",
    33003: "jpeg2000",
    33005: "jpeg2000",
}
RGB_PHOTOMETRIC, YCBCR_PHOTOMETRIC = 2, 6
# Errors that tifffile raises on files that contradict themselves.
BAD_TIFF = (
    tifffile.TiffFileError,
    struct.error,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    MemoryError,
    RuntimeError,
    OSError,
)


@dataclass(frozen=True, kw_only=True)
class TiledLevel:
    """Index of one level of the pyramid."""

    size: tuple[int, int]
    """(width, height) in pixels of the level."""
    block: tuple[int, int]
    """(width, height) of a block; the last blocks of a row or column extend beyond the level."""
    coding: Coding
    offsets: NDArray[np.int64]
    """Position of each block in the file, left to right, then down."""
    counts: NDArray[np.int64]
    """Length of each block in bytes."""

    @property
    def across(self) -> int:
        """Number of blocks in a row."""
        return -(-self.size[0] // self.block[0])


def tiled_levels(path: str, sizes: Sequence[tuple[int, int]]) -> list[TiledLevel] | str:
    """Index of each level, or the reason why the file is of another kind.

    Args:
        path: Path of a local file.
        sizes: (width, height) of the slide's levels, as OpenSlide gives them.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            first = [page.aspage() for page in islice(tiff.pages, MAX_PAGES)]
            pages = [page for page in first if page.is_tiled]
            by_size = [
                [page for page in pages if (page.imagewidth, page.imagelength) == tuple(size)]
                for size in sizes
            ]
            images_per_level = [len(group) for group in by_size]
            if images_per_level != [1] * len(sizes):
                return f"tiled images of the levels' sizes: {images_per_level}, not one each"
            levels = [_level(page) for (page,) in by_size]
    except BAD_TIFF as error:
        return f"tifffile cannot index it ({type(error).__name__})"
    reasons = [
        f"level {number}: {level}" for number, level in enumerate(levels) if isinstance(level, str)
    ]
    return reasons[0] if reasons else [level for level in levels if not isinstance(level, str)]


def sub_levels(path: str, size_l0: tuple[int, int]) -> list[TiledLevel]:
    """Index of the smaller copies that an OME-TIFF stores in the SubIFDs of its first image.

    OpenSlide does not list them. A copy that cannot be read directly is left out.

    Args:
        path: Path of a local file.
        size_l0: (width, height) of the slide.

    Returns:
        Levels from fine to coarse, each at most half as wide as the slide and with its proportions.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            first = [page.aspage() for page in islice(tiff.pages, MAX_PAGES)]
            copies = [
                copy.aspage()
                for page in first
                if page.subifds and (page.imagewidth, page.imagelength) == size_l0
                for copy in islice(page.pages or (), MAX_SUB_LEVELS)
            ]
            indexed = [_level(page) for page in copies if page.is_tiled]
    except BAD_TIFF:
        return []
    levels = {
        level.size: level
        for level in indexed
        if isinstance(level, TiledLevel) and _is_smaller_copy(level.size, size_l0)
    }
    return [levels[size] for size in sorted(levels, reverse=True)]


def _is_smaller_copy(size: tuple[int, int], size_l0: tuple[int, int]) -> bool:
    """True for a size of the slide's proportions, to a pixel, and at most half its width."""
    factor = max(size_l0[0] / size[0], size_l0[1] / size[1])
    return factor >= 1.9 and all(
        abs(whole / factor - side) <= 1 for whole, side in zip(size_l0, size, strict=True)
    )


def _level(page: tifffile.TiffPage) -> TiledLevel | str:
    """Index of one page, or the reason why it cannot be read directly."""
    reason = _other_pixels(page) or _other_blocks(page)
    if reason:
        return reason
    size, block = (page.imagewidth, page.imagelength), (page.tilewidth, page.tilelength)
    expected = -(-size[0] // block[0]) * -(-size[1] // block[1])
    offsets, counts = (
        np.array(values, dtype=np.int64) for values in (page.dataoffsets, page.databytecounts)
    )  # OverflowError from 2^63 on: numbers of BigTIFF are unsigned
    if not len(offsets) == len(counts) == expected:
        return f"{len(offsets)} offsets and {len(counts)} byte counts for {expected} blocks"
    if (offsets <= 0).any() or (counts <= 0).any() or (offsets > np.iinfo(np.int64).max // 2).any():
        return "blocks are missing"
    ycbcr = page.compression == 33003 or (
        page.compression == 7 and page.photometric == YCBCR_PHOTOMETRIC
    )
    tables = page.jpegtables if page.compression == 7 else None
    coding = Coding(
        codec=CODECS[int(page.compression)],
        ycbcr=ycbcr,
        difference=page.predictor == 2,
        tables=jpeg_tables(tables) if tables else b"",
    )
    return TiledLevel(
        size=size,
        block=block,
        coding=coding,
        offsets=offsets,
        counts=counts,
    )


def _other_pixels(page: tifffile.TiffPage) -> str | None:
    """Reason if the pixels of a page are unusual."""
    samples = (page.samplesperpixel, page.bitspersample, int(page.sampleformat))
    if samples != (3, 8, 1):
        return "{} samples of {} bits, format {}: not 8-bit RGB".format(*samples)
    if page.planarconfig != 1 or page.imagedepth != 1 or page.tiledepth != 1:
        return "colors or depths lie apart"
    if page.tags.valueof(274, 1) != 1:
        return "it is stored turned or mirrored"
    if page.fillorder != 1:
        return "its bits are stored in reverse"
    return None


def _other_blocks(page: tifffile.TiffPage) -> str | None:
    """Reason if the blocks of a page are unusual."""
    if page.compression not in CODECS:
        return f"compression {int(page.compression)} is not read directly"
    jpeg = CODECS[int(page.compression)] == "jpeg"
    photometrics = {RGB_PHOTOMETRIC, YCBCR_PHOTOMETRIC} if jpeg else {RGB_PHOTOMETRIC}
    if page.photometric not in photometrics and page.compression not in (33003, 33005):
        return f"photometric {int(page.photometric)} is not read directly"
    if page.predictor not in (1, 2):
        return f"predictor {int(page.predictor)} is not read directly"
    width, height = page.tilewidth, page.tilelength
    if not (0 < width <= MAX_BLOCK_SIDE_PX and 0 < height <= MAX_BLOCK_SIDE_PX):
        return f"blocks of {width} x {height} px"
    if -(-page.imagewidth // width) * -(-page.imagelength // height) > MAX_BLOCKS:
        return f"more than {MAX_BLOCKS} blocks"
    return None
