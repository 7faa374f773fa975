"""One block of a tiled TIFF, decoded; a JPEG one at 1/2, 1/4 or 1/8 where that is enough.

A JPEG decoder that leaves out the high frequencies of each 8 x 8 block gives the smaller picture
for a fraction of the work (libjpeg-turbo's scaled inverse DCT). What a block says of its own size
is read from its header and refused before anything is allocated for it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
import simplejpeg
from PIL import Image

from idhray.errors import SlideError
from idhray.images import RGB

JPEG_SHRINKS = (8, 4, 2, 1)
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APP = range(0xE0, 0xF0)
_SIZED = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
_OTHER_SIZED = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_START = b"\xff\xd8"
# The TIFF's photometric tag says the colors; Adobe's segment tells the decoder, 0 RGB, 1 YCbCr.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
_SIZ = struct.Struct(">HHHHIIIIIIIIH")
# What the libraries raise on bytes that are no such image; imagecodecs' errors are RuntimeErrors.
_BAD_BLOCK = (RuntimeError, ValueError, TypeError, IndexError, OverflowError, OSError)


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How the blocks of one level are compressed."""

    codec: str
    """jpeg, jpeg2000, deflate, lzw or none."""
    ycbcr: bool = False
    """Colors are YCbCr inside the JPEG or JPEG 2000 stream, else RGB."""
    difference: bool = False
    """Deflate and LZW: each pixel is stored as its difference from the one to its left."""
    tables: bytes = b""
    """JPEG segments (quantization, Huffman) that all blocks share."""
    scaled: tuple[int, ...] = ()
    """The shrinks for which JPEG's scaled DCT is used; for others, means of its pixels."""


def jpeg_tables(data: bytes) -> bytes:
    """The segments of a JPEGTables tag that go in front of a block's own.

    Raises:
        ValueError: they are no JPEG segments.
    """
    return b"".join(segment for _, segment in _segments(data) if segment)


def decode_block(data: bytes, size: tuple[int, int], coding: Coding, shrink: int = 1) -> RGB:
    """(height / shrink, width / shrink, 3) uint8 of one block.

    Args:
        data: As it lies in the file.
        size: (width, height) that it must have; multiples of `shrink`.
        coding: Of its level.
        shrink: 1, 2, 4 or 8; by scaled DCT where the coding allows it, else by the mean of
            shrink x shrink pixels.

    Raises:
        SlideError: it is damaged, or not of that size and three colors.
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
        raise SlideError(" ".join(f"{coding.codec} block: {error}".split())) from None
    if pixels.shape != (height // shrink, width // shrink, 3) or pixels.dtype != np.uint8:
        raise SlideError(f"{coding.codec} block of {pixels.shape} {pixels.dtype}")
    return pixels


def shrunk(pixels: RGB, shrink: int) -> RGB:
    """The mean of every `shrink` x `shrink` pixels."""
    if shrink == 1:
        return pixels
    return np.asarray(Image.fromarray(pixels).reduce(shrink))


def _jpeg(data: bytes, size: tuple[int, int], coding: Coding, shrink: int) -> RGB:
    width, height = size
    whole = _whole_jpeg(data, size, coding)
    return np.asarray(
        simplejpeg.decode_jpeg(
            whole, min_width=width // shrink, min_height=height // shrink, min_factor=shrink
        )
    )


def _whole_jpeg(data: bytes, size: tuple[int, int], coding: Coding) -> bytes:
    """A JPEG of its own: shared tables put in, colors said once, other programs' words left out.

    Raises:
        ValueError: a broken header, or another size or number of colors than `size` and three.
    """
    parts = [_START, _ADOBE, b"\x01" if coding.ycbcr else b"\x00", coding.tables]
    found = None
    for code, segment in _segments(data):
        if code in _OTHER_SIZED:
            raise ValueError(f"JPEG of an unusual kind ({code:#x})")
        if code in _SIZED:
            if found is not None:
                raise ValueError("two JPEG headers")
            bits, rows, columns, colors = struct.unpack_from(">BHHB", segment, 4)
            found = (columns, rows, colors, bits)
            if found != (*size, 3, 8):
                raise ValueError("{} x {} px, {} colors of {} bits".format(*found))
        parts.append(segment)
        if code == _SOS:
            break
    else:
        raise ValueError("JPEG without an image")
    if found is None:
        raise ValueError("JPEG without a header")
    return b"".join(parts)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, bytes) of each JPEG segment; the one of the image runs to the end.

    Comments and application segments come as empty bytes.

    Raises:
        ValueError: it does not start as a JPEG, or a segment runs beyond its end.
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
    wanted = width * height * 3
    if coding.codec == "deflate":
        data = bytes(imagecodecs.zlib_decode(data, out=wanted))
    elif coding.codec == "lzw":
        data = bytes(imagecodecs.lzw_decode(data, out=wanted))
    if len(data) < wanted:
        raise ValueError(f"{len(data)} bytes of {wanted}")
    pixels = np.frombuffer(data, dtype=np.uint8, count=wanted).reshape(height, width, 3)
    if coding.difference:
        return np.cumsum(pixels, axis=1, dtype=np.uint8)
    return pixels
