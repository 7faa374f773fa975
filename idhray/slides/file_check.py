"""Checks that a file can be a color slide, made before OpenSlide opens it.

OpenSlide reports "Unsupported or missing image file" for anything that it cannot read. It shows
16-bit samples and fluorescence channels as if they were 8-bit colors. It also allocates the memory
that a file asks for: if there is not enough, GLib ends the process.
"""

import math
import os
import re
import stat
import struct
from collections.abc import Mapping, Sequence
from itertools import islice

import openslide
import tifffile

from idhray.slides.dicom_check import WHOLE_SLIDE_CLASS, class_of, is_dicom, other_shape
from idhray.slides.tiff.blocks import SPARE_BYTES
from idhray.slides.tiff.tiles import BAD_TIFF, MAX_PAGES

HEAD_BYTES = 2**20
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
LEAST_NEWLINES = 32
"""Number of line feeds, each after a carriage return, that is no coincidence. 1 MiB of compressed
pixels has 4000 line feeds, 16 of them after a carriage return."""
MAX_BLOCK_PX = 2**26
"""Pixels of one block, 8192 x 8192: OpenSlide allocates four bytes for each."""
MAX_SLIDE_MM = 200.0
"""Longest plausible side of a glass slide; whole mounts of half a brain have 150 mm."""
YCBCR_JPEG2000 = 33003  # compression tag
PALETTE, RGB_COLORS, YCBCR = 3, 2, 6  # photometric tag
CONVERT = (
    "convert it to a tiled pyramidal TIFF of JPEG (bioformats2raw or vips, for instance), or try "
    "--second-reader unopened"
)
COMPRESSIONS = {
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    34933: "PNG",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
}
"""Compression tags that OpenSlide refuses in a plain TIFF."""
OTHER_FORMATS = {
    b"\x89PNG": "a PNG picture, not a slide",
    b"\xff\xd8\xff": "a JPEG picture, not a slide",
    b"GIF8": "a GIF picture, not a slide",
    b"WEBPVP8": "a WebP picture, not a slide",
    b"\x0cjP  \r\n": "a JPEG 2000 picture, not a slide",
    b"ZISRAWFILE": "a CZI file of Zeiss that OpenSlide does not read",
    b"DPUfsImport": "an iSyntax file of Philips",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b\x08": "a gzip archive",
    b"\x89HDF": "an HDF5 file",
}
"""Bytes near the start of a file -> its kind."""
SIDES = ("width", "height")


def unusable_file(path: str) -> str | None:
    """Reason why the file cannot be a slide, and what to do; None if no reason is found."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return f"{path} is a folder; name the slide's file in its manifest row"
        if not stat.S_ISREG(mode):
            return f"{path} is a pipe or device, not a file; correct its manifest row"
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        return f"no file {path}; correct its manifest row"
    except OSError as error:
        return f"cannot be read ({error.strerror}); check {path}"
    return _other_file(path, head) or _text_mode_damage(head) or _other_content(path, head)


def remedy(path: str, error: str) -> str:
    """Advice on a file that OpenSlide could not open with this error."""
    with open(path, "rb") as file:
        head = file.read(64)
    tiff = head[:4] in TIFF_STARTS
    if advice := _other_format(head, error):
        return advice
    if tiff and _cut_short(path):
        return "the file is cut short; get it again"
    if tiff and _in_strips(path):
        return "it is stored in strips, a slide in tiles: convert it to a tiled pyramid"
    if "unexpected image" in error:
        return "its series holds parts of several slides in one folder; give each its own folder"
    return "get the file again, or leave it out"


def _other_format(head: bytes, error: str) -> str | None:
    """Advice on a file whose format or compression OpenSlide does not read; None if it does."""
    if kind := next((name for magic, name in OTHER_FORMATS.items() if magic in head), None):
        return f"it is {kind}; {CONVERT}"
    if compression := re.search(r"TIFF compression: (\d+)", error):
        name = COMPRESSIONS.get(int(compression[1]), f"compression {compression[1]}")
        return f"its blocks are {name}, which OpenSlide does not decode; {CONVERT}"
    if "transfer syntax" in error:
        return (
            "of DICOM it reads JPEG baseline, JPEG 2000 and uncompressed (explicit little endian): "
            "convert it, or leave it out"
        )
    return None


def wrong_levels(sizes: Sequence[tuple[int, int]], properties: Mapping[str, str]) -> str | None:
    """Reason if the levels of an open slide are implausible; None if they are not.

    Args:
        sizes: (width, height) of each level.
        properties: OpenSlide's properties. DICOM frames are decoded as a whole, so the check
            refuses absurdly large ones.
    """
    dicom = properties.get(openslide.PROPERTY_NAME_VENDOR) == "dicom"
    for level, (width, height) in enumerate(sizes):
        if min(width, height) < 1:
            return f"level {level} is of {width} x {height} px; get the file again"
        frame = [int(properties.get(f"openslide.level[{level}].tile-{side}", 1)) for side in SIDES]
        if dicom and math.prod(frame) > MAX_BLOCK_PX:
            return f"frames of {frame[0]} x {frame[1]} px, too large to decode; get the file again"
    return other_shape(sizes) if dicom else None


def wrong_extent(size_l0: tuple[int, int], mpp_xy: tuple[float, float]) -> str | None:
    """Reason if the slide is larger than any glass slide; None if it is not."""
    width, height = (side * mpp / 1000 for side, mpp in zip(size_l0, mpp_xy, strict=True))
    if max(width, height) <= MAX_SLIDE_MM:
        return None
    return (
        f"{size_l0[0]} x {size_l0[1]} px of {mpp_xy[0]:.4g} um are {width:.0f} x {height:.0f} mm, "
        f"and no slide is over {MAX_SLIDE_MM:.0f}; get the file again, or correct its mpp"
    )


def _other_file(path: str, head: bytes) -> str | None:
    """Reason if the file is empty, a Git-LFS pointer or text."""
    start = head[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "the file is empty; get it again"
    if start.startswith(b"version https://git-lfs"):
        return f"is a Git-LFS pointer of {os.path.getsize(path)} bytes; run git lfs pull"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<error", b"{")):
        text = head[:60].decode("utf-8", "replace")
        excerpt = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return f"is text, perhaps the error page of a failed download ({excerpt}); get it again"
    return None


def _text_mode_damage(head: bytes) -> str | None:
    """Reason if a transfer in text mode put a carriage return before each line feed."""
    binary = head.startswith(TIFF_STARTS) or is_dicom(head)
    feeds = head.count(b"\n")
    if binary and feeds >= LEAST_NEWLINES and head.count(b"\r\n") == feeds:
        return "was destroyed by a transfer in text mode (line feeds changed); get it again"
    return None


def _other_content(path: str, head: bytes) -> str | None:
    """Reason if a TIFF or DICOM file does not hold a slide."""
    if head.startswith(TIFF_STARTS):
        return _wrong_tiff(path)
    if is_dicom(head) and (dicom_class := class_of(head)) not in (None, WHOLE_SLIDE_CLASS):
        return (
            f"is a DICOM file of the class {dicom_class}, not a whole slide ({WHOLE_SLIDE_CLASS})"
        )
    return None


def _wrong_tiff(path: str) -> str | None:
    """Reason if the tags of a TIFF are not those of a slide, or contradict themselves.

    Files that tifffile cannot index are left to OpenSlide.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            pages = [page.aspage() for page in islice(tiff.pages, MAX_PAGES)]
            if not pages:
                return "a TIFF without an image; get the file again"
            reasons = (_wrong_blocks(page, tiff.filehandle.size) for page in pages)
            largest = max(pages, key=lambda page: page.imagewidth * page.imagelength)
            return _wrong_pixels(largest) or next(filter(None, reasons), None)
    except BAD_TIFF:
        return None


def _wrong_pixels(page: tifffile.TiffPage) -> str | None:
    """Reason if the pixels are not 8-bit colors; alpha and a color palette are allowed."""
    samples, bits = page.samplesperpixel, page.bitspersample
    kind = int(page.photometric)
    alpha = samples == 4 and any(int(extra) in (1, 2) for extra in page.extrasamples)
    colors = (samples == 3 or alpha) and (
        kind in (RGB_COLORS, YCBCR) or int(page.compression) == YCBCR_JPEG2000
    )
    if bits == 8 and (colors or (samples == 1 and kind == PALETTE)):
        return None
    name = str(getattr(page.photometric, "name", kind)).lower()
    return (
        f"samples a pixel: {samples} ({name}) of {bits} bits, perhaps "
        "fluorescence; only 8-bit RGB slides can be read: leave it out"
    )


def _wrong_blocks(page: tifffile.TiffPage, file_bytes: int) -> str | None:
    """Reason if OpenSlide would allocate an absurd amount of memory for a block of the page."""
    if not page.is_tiled:
        return None
    width, height = page.tilewidth, page.tilelength
    if width * height > MAX_BLOCK_PX:
        return f"blocks of {width} x {height} px, too large to decode; get the file again"
    most = min(file_bytes, 2 * page.samplesperpixel * width * height + SPARE_BYTES)
    longest = max(map(int, page.databytecounts), default=0)
    if longest > most:
        return f"a block of {longest} bytes, at most {most} are plausible; get the file again"
    return None


def _in_strips(path: str) -> bool:
    """True if no picture of a TIFF is stored in tiles."""
    try:
        with tifffile.TiffFile(path) as tiff:
            return not any(page.aspage().is_tiled for page in islice(tiff.pages, MAX_PAGES))
    except BAD_TIFF:
        return False


def _cut_short(path: str) -> bool:
    """True if the tags of a TIFF point beyond the end of the file."""
    try:
        with tifffile.TiffFile(path) as tiff:
            ends = [
                offset + count
                for page in islice(tiff.pages, MAX_PAGES)
                for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            ]
            tiff.filehandle.seek(tiff.pages.next_page_offset or 0)
            following = tiff.filehandle.read(tiff.tiff.offsetsize)
            ends += struct.unpack(tiff.tiff.offsetformat, following)
            return bool(max(ends) > tiff.filehandle.size)
    except struct.error:  # the file ends within a number
        return True
    except BAD_TIFF:
        return False
