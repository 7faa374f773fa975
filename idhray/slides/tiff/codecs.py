"""Decoding of one block of a tiled TIFF; JPEG blocks also at 1/2, 1/4 or 1/8.

A JPEG decoder that omits the high frequencies of each 8 x 8 block gives a smaller picture for a
fraction of the work (libjpeg-turbo's scaled inverse DCT). The size in a block's header is checked
before any memory is allocated for the block.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
import simplejpeg
from PIL import Image

from idhray.errors import SlideError, one_line
from idhray.images import RGB

JPEG_SHRINKS = (8, 4, 2, 1)
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APP = range(0xE0, 0xF0)
_SIZED = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
_OTHER_SIZED = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_START = b"\xff\xd8"
# The TIFF's photometric tag holds the colors; this Adobe segment tells the decoder: 0 RGB, 1 YCbCr.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
_SIZ = struct.Struct(">HHHHIIIIIIIIH")
# Errors that the libraries raise on other bytes; those of imagecodecs are RuntimeErrors.
_BAD_BLOCK = (RuntimeError, ValueError, TypeError, IndexError, OverflowError, OSError)


@dataclass(frozen=True, kw_only=True)
class Coding:
    """Compression of the blocks of one level."""

    codec: str
    """Name of the codec: jpeg, jpeg2000, deflate, lzw or none."""
    ycbcr: bool = False
    """True if colors are YCbCr inside the JPEG or JPEG 2000 stream, False if RGB."""
    difference: bool = False
    """True if pixels are stored as differences from their left neighbors (deflate and LZW)."""
    tables: bytes = b""
    """JPEG segments (quantization, Huffman) that all blocks share."""
    scaled: tuple[int, ...] = ()
    """Shrinks for which JPEG's scaled DCT is used; other shrinks use means of pixels."""


def jpeg_tables(data: bytes) -> bytes:
    """Segments of a JPEGTables tag, which stand before those of each block.

    Raises:
        ValueError: the data are no JPEG segments.
    """
    return b"".join(segment for _, segment in _segments(data) if segment)


def decode_block(data: bytes, size: tuple[int, int], coding: Coding, shrink: int = 1) -> RGB:
    """Pixels of one block, (height / shrink, width / shrink, 3) uint8.

    Args:
        data: Compressed bytes of the block.
        size: Required (width, height) of the block; multiples of `shrink`.
        coding: Compression of its level.
        shrink: 1, 2, 4 or 8; by scaled DCT if the coding allows it, else by the mean of
            shrink x shrink pixels.

    Raises:
        SlideError: the block is damaged, or has another size or number of colors.
    """
    width, height = size
    try:
        if coding.codec == "jpeg":
            by_dct = shrink if shrink in coding.scaled else 1
            pixels = shrunk(_jpeg(data, size, coding, by_dct), shrink // by_dct)
        elif coding.codec == "jpeg2000":
            pixels = shrunk(_jpeg2000(data, size, coding), shrink)
        else:
            pixels = shrunk(_plain(data, size, coding), shrink)
    except _BAD_BLOCK as error:
        raise SlideError(f"{coding.codec} block: {one_line(error)}") from None
    if pixels.shape != (height // shrink, width // shrink, 3) or pixels.dtype != np.uint8:
        raise SlideError(f"{coding.codec} block of {pixels.shape} {pixels.dtype}")
    return pixels


def shrunk(pixels: RGB, shrink: int) -> RGB:
    """Means of `shrink` x `shrink` pixels."""
    if shrink == 1:
        return pixels
    return np.asarray(Image.fromarray(pixels).reduce(shrink))


def _jpeg(data: bytes, size: tuple[int, int], coding: Coding, shrink: int) -> RGB:
    width, height = size
    jpeg = _complete_jpeg(data, size, coding)
    return np.asarray(
        simplejpeg.decode_jpeg(
            jpeg, min_width=width // shrink, min_height=height // shrink, min_factor=shrink
        )
    )


def _complete_jpeg(data: bytes, size: tuple[int, int], coding: Coding) -> bytes:
    """Complete JPEG of a block: shared tables and one color tag added, comments removed.

    Raises:
        ValueError: the header is broken, or differs from `size` and three colors.
    """
    parts = [_START, _ADOBE, b"\x01" if coding.ycbcr else b"\x00", coding.tables]
    header = None
    for code, segment in _segments(data):
        if code in _OTHER_SIZED:
            raise ValueError(f"JPEG of an unusual kind ({code:#x})")
        if code in _SIZED:
            if header is not None:
                raise ValueError("two JPEG headers")
            bits, rows, columns, colors = struct.unpack_from(">BHHB", segment, 4)
            header = (columns, rows, colors, bits)
            if header != (*size, 3, 8):
                raise ValueError("{} x {} px, {} colors of {} bits".format(*header))
        parts.append(segment)
        if code == _SOS:
            break
    else:
        raise ValueError("JPEG without an image")
    if header is None:
        raise ValueError("JPEG without a header")
    return b"".join(parts)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, bytes) of each JPEG segment; the segment of the image extends to the end.

    Comments and application segments are returned as empty bytes.

    Raises:
        ValueError: the data do not start as a JPEG, or a segment extends beyond the end.
    """
    if data[:2] != _START:
        raise ValueError("not a JPEG")
    place, end = 2, len(data)
    while place + 4 <= end:
        if data[place] != 0xFF:
            raise ValueError("broken JPEG header")
        code = data[place + 1]
        if code == 0xFF:  # a fill byte
            place += 1
            continue
        if code == _EOI:
            return
        stop = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if stop < place + 4 or stop > end:
            raise ValueError("broken JPEG header")
        if code == _SOS:
            yield code, data[place:]
            return
        yield code, b"" if code == _COM or code in _APP else data[place:stop]
        place = stop


def _jpeg2000(data: bytes, size: tuple[int, int], coding: Coding) -> RGB:
    if len(data) < _SIZ.size + 9:
        raise ValueError("not a JPEG 2000 codestream")
    soc, siz, _, _, right, bottom, left, top, *_, colors = _SIZ.unpack_from(data)
    if (soc, siz) != (0xFF4F, 0xFF51):
        raise ValueError("not a JPEG 2000 codestream")
    if (right - left, bottom - top, colors) != (*size, 3):
        raise ValueError(f"{right - left} x {bottom - top} px, {colors} colors")
    if data[_SIZ.size : _SIZ.size + 9] != b"\x07\x01\x01" * 3:
        raise ValueError("subsampled colors, or not of 8 bits")
    pixels = np.asarray(imagecodecs.jpeg2k_decode(data, numthreads=1))
    if coding.ycbcr:
        planes = [Image.fromarray(np.ascontiguousarray(pixels[..., k])) for k in range(3)]
        pixels = np.asarray(Image.merge("YCbCr", planes).convert("RGB"))
    return pixels


def _plain(data: bytes, size: tuple[int, int], coding: Coding) -> RGB:
    width, height = size
    expected = width * height * 3
    if coding.codec == "deflate":
        data = bytes(imagecodecs.zlib_decode(data, out=expected))
    elif coding.codec == "lzw":
        data = bytes(imagecodecs.lzw_decode(data, out=expected))
    if len(data) < expected:
        raise ValueError(f"{len(data)} bytes of {expected}")
    pixels = np.frombuffer(data, dtype=np.uint8, count=expected).reshape(height, width, 3)
    if coding.difference:
        return np.cumsum(pixels, axis=1, dtype=np.uint8)
    return pixels
