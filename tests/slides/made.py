"""Slides a few tiles big, made for a test."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

PINK = (210, 130, 170)
WHITE = (245, 245, 245)


def write_slide(path: Path, image: np.ndarray, mpp: float | None, downsamples=(1,)) -> str:
    """A pyramidal TIFF of 64 px tiles, without loss; its levels are means of level 0."""
    centimetre = None if mpp is None else (1e4 / mpp, 1e4 / mpp)
    with tifffile.TiffWriter(path) as tiff:
        for downsample in downsamples:
            tiff.write(
                np.asarray(Image.fromarray(image).reduce(downsample)),
                tile=(64, 64),
                compression="deflate",
                photometric="rgb",
                resolution=centimetre,
                resolutionunit=None if mpp is None else "CENTIMETER",
                subfiletype=int(downsample > 1),
                metadata=None,
            )
    return str(path)


def damage(path: str, tile: int, level: int = 0) -> None:
    """Overwrite one of the file's own tiles, so that it cannot be decoded."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[level]
        offset, count = page.dataoffsets[tile], page.databytecounts[tile]
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * count)


def plain(colour: tuple[int, int, int], size_px: int) -> np.ndarray:
    """A square of one colour."""
    return np.full((size_px, size_px, 3), colour, dtype=np.uint8)
