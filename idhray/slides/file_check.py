"""Whether a file can be a slide of colors at all, asked before OpenSlide opens it.

OpenSlide says "Unsupported or missing image file" of whatever is none. It shows 16-bit samples and
fluorescence channels as if they were 8-bit colors, and allocates what a file claims: where that
cannot be had, GLib ends the process.
"""

import math
import os
import stat
import struct
from collections.abc import Mapping, Sequence
from itertools import islice

import openslide
import tifffile

from idhray.slides.dicom_check import WHOLE_SLIDE_CLASS, class_of, is_dicom, other_shape
from idhray.slides.tiff.tiles import BAD_TIFF, MAX_PAGES

HEAD_BYTES = 2**20
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
LEAST_NEWLINES = 32
"""So many line feeds, each after a carriage return, do not come about by chance: 1 MiB of
compressed pixels has 4000 line feeds, and 16 of them do."""
MAX_BLOCK_PX = 2**26
"""Pixels of one block, 8192 x 8192: OpenSlide takes four bytes for each."""
SPARE_BYTES = 65536
MAX_SLIDE_MM = 200.0
"""Longer sides than any glass slide has; whole mounts of a brain's half are 150 mm."""
YCBCR_JPEG2000 = 33003
PALETTE, RGB, YCBCR = 3, 2, 6
SIDES = ("width", "height")


def why_no_slide(path: str) -> str | None:
    """What is wrong with the file, and what to do; None where nothing is seen to be."""
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
    return _other_file(path, head) or _changed(head) or _other_content(path, head)


def why_unopened(path: str, said: str) -> str:
    """What to do about a file that OpenSlide could not open, of which it `said` why."""
    with open(path, "rb") as file:
        tiff = file.read(4) in TIFF_STARTS
    if tiff and _cut_short(path):
        return "the file is cut short; get it again"
    if tiff and _in_strips(path):
        return "it is stored in strips, a slide in tiles: convert it to a tiled pyramid"
    if "transfer syntax" in said:
        return (
            "of DICOM it reads JPEG baseline, JPEG 2000 and uncompressed (explicit little endian): "
            "convert it, or leave it out"
        )
    if "unexpected image" in said:
        return "its series holds parts of several slides in one folder; give each its own folder"
    return "get the file again, or leave it out"


def wrong_levels(sizes: Sequence[tuple[int, int]], properties: Mapping[str, str]) -> str | None:
    """What is wrong with the levels that OpenSlide found.

    Args:
        sizes: (width, height) of each.
        properties: OpenSlide's. A DICOM frame is decoded as a whole: absurd ones are refused.
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
    """What is wrong with the size of the slide in mm."""
    width, height = (side * mpp / 1000 for side, mpp in zip(size_l0, mpp_xy, strict=True))
    if max(width, height) <= MAX_SLIDE_MM:
        return None
    return (
        f"{size_l0[0]} x {size_l0[1]} px of {mpp_xy[0]:.4g} um are {width:.0f} x {height:.0f} mm, "
        f"and no slide is over {MAX_SLIDE_MM:.0f}; get the file again, or correct its mpp"
    )


def _other_file(path: str, head: bytes) -> str | None:
    """Which well-known other thing the file is."""
    start = head[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "the file is empty; get it again"
    if start.startswith(b"version https://git-lfs"):
        return f"is a Git-LFS pointer of {os.path.getsize(path)} bytes; run git lfs pull"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<error", b"{")):
        text = head[:60].decode("utf-8", "replace")
        shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return f"is text, perhaps the error page of a failed download ({shown}); get it again"
    return None


def _changed(head: bytes) -> str | None:
    """Whether a transfer in text mode put a carriage return before each line feed."""
    binary = head.startswith(TIFF_STARTS) or is_dicom(head)
    feeds = head.count(b"\n")
    if binary and feeds >= LEAST_NEWLINES and head.count(b"\r\n") == feeds:
        return "was destroyed by a transfer in text mode (line feeds changed); get it again"
    return None


def _other_content(path: str, head: bytes) -> str | None:
    """What about a TIFF or DICOM file is not of a slide."""
    if head.startswith(TIFF_STARTS):
        return _wrong_tiff(path)
    if is_dicom(head) and (found := class_of(head)) not in (None, WHOLE_SLIDE_CLASS):
        return f"is a DICOM file of the class {found}, not a whole slide ({WHOLE_SLIDE_CLASS})"
    return None


def _wrong_tiff(path: str) -> str | None:
    """What a TIFF says of itself that is of no slide, or cannot be.

    What tifffile cannot index is left to OpenSlide.
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
    """Whether they are not 8-bit colors; alpha is allowed, and a table of colors."""
    samples, bits = page.samplesperpixel, page.bitspersample
    kind = int(page.photometric)
    alpha = samples == 4 and any(int(extra) in (1, 2) for extra in page.extrasamples)
    colors = (samples == 3 or alpha) and (
        kind in (RGB, YCBCR) or int(page.compression) == YCBCR_JPEG2000
    )
    if bits == 8 and (colors or (samples == 1 and kind == PALETTE)):
        return None
    name = str(getattr(page.photometric, "name", kind)).lower()
    return (
        f"samples a pixel: {samples} ({name}) of {bits} bits, perhaps "
        "fluorescence; only 8-bit RGB slides can be read: leave it out"
    )


def _wrong_blocks(page: tifffile.TiffPage, file_bytes: int) -> str | None:
    """What OpenSlide would allocate for one block of the page, if that is absurd."""
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
    """Whether no picture of a TIFF is stored in tiles."""
    try:
        with tifffile.TiffFile(path) as tiff:
            return not any(page.aspage().is_tiled for page in islice(tiff.pages, MAX_PAGES))
    except BAD_TIFF:
        return False


def _cut_short(path: str) -> bool:
    """Whether a TIFF says that there is more of it than there is."""
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
    except struct.error:  # not even a number can be read where one should be
        return True
    except BAD_TIFF:
        return False
