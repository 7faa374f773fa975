"""Slides a few tiles big, made for a test."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

PINK = (210, 130, 170)
WHITE = (245, 245, 245)


def write_slide(path: Path, image: np.ndarray, mpp: float | None, downsamples=(1,)) -> str:
    """A pyramidal TIFF of 64 px tiles, without loss; its levels are means of level 0."""
    centimeter = None if mpp is None else (1e4 / mpp, 1e4 / mpp)
    with tifffile.TiffWriter(path) as tiff:
        for downsample in downsamples:
            tiff.write(
                np.asarray(Image.fromarray(image).reduce(downsample)),
                tile=(64, 64),
                compression="deflate",
                photometric="rgb",
                resolution=centimeter,
                resolutionunit=None if mpp is None else "CENTIMETER",
                subfiletype=int(downsample > 1),
                metadata=None,
            )
    return str(path)


def write_levels(path: Path, levels: list[np.ndarray], mpp_xy: tuple[float, float]) -> str:
    """A TIFF of 64 px tiles, without loss, whose levels are the pictures given."""
    with tifffile.TiffWriter(path) as tiff:
        for number, level in enumerate(levels):
            tiff.write(
                level,
                tile=(64, 64),
                compression="deflate",
                photometric="rgb",
                resolution=(1e4 / mpp_xy[0], 1e4 / mpp_xy[1]),
                resolutionunit="CENTIMETER",
                subfiletype=int(number > 0),
                metadata=None,
            )
    return str(path)


def area_mean(
    image: np.ndarray, corner: tuple[float, float], size: tuple[int, int], scale: tuple
) -> np.ndarray:
    """(height, width, 3) float64: the mean over the exact area of each pixel of a region.

    The slow plain version. `corner`, `size` and `scale`, pixels of `image` per pixel, are (across,
    down); what lies outside the picture is white.
    """

    def weights(axis: int, length: int) -> np.ndarray:
        edges = corner[axis] + scale[axis] * np.arange(size[axis] + 1)
        place = np.arange(length)
        covered = np.minimum(edges[1:, None], place + 1) - np.maximum(edges[:-1, None], place)
        return np.maximum(covered, 0) / scale[axis]

    across, down = weights(0, image.shape[1]), weights(1, image.shape[0])
    inside = np.einsum("ij,jkc,lk->ilc", down, image.astype(float), across, optimize=True)
    covered = down.sum(axis=1)[:, None, None] * across.sum(axis=1)[None, :, None]
    return inside + 255 * (1 - covered)


def damage(path: str, tile: int, level: int = 0) -> None:
    """Overwrite one of the file's own tiles, so that it cannot be decoded."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[level]
        offset, count = page.dataoffsets[tile], page.databytecounts[tile]
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * count)


def change_tag(path: str, tag: int, value: int, page: int = 0) -> None:
    """Overwrite a tag's first value, so that the file lies."""
    with tifffile.TiffFile(path) as tiff:
        found = tiff.pages[page].tags[tag]
        place, size = found.valueoffset, 2 if found.dtype == 3 else 4
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(value.to_bytes(size, "little"))


def plain(color: tuple[int, int, int], size_px: int) -> np.ndarray:
    """A square of one color."""
    return np.full((size_px, size_px, 3), color, dtype=np.uint8)
