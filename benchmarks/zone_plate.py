"""Does a region show rings that are not there? A zone plate read at odd scales.

    python benchmarks/zone_plate.py [--side-px 2048] [--scales 1.0 1.98 2.004 8.0]

A slide is made of cos(pi r^2 / side), rings that narrow from the middle outwards to two pixels at
the middle of each edge: amplitude 100 gray values around 128. It is stored once without loss and
once as JPEG (quality 95, 4:4:4). It is read whole at each scale (level-0 pixels per pixel) by
OpenSlide ("openslide") and by the file's own blocks ("direct"), and compared with the mean of the
float64 rings over each pixel's exact area.

Prints a line per file, reader and scale: mean and largest difference from the area mean, in gray
values; and how much of the rings that the coarser pixels cannot show (more than half a ring a
pixel, across or down) is seen all the same as other rings: amplitude in percent of the plate's, of
the reader and of the area mean; and the most by which the reader's exceeds the area mean's in any
band of a quarter ring a pixel.
"""

import json
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
import tifffile
import tyro
from numpy.typing import NDArray

from idhray.images import RGB
from idhray.slides.direct import DirectSlide
from idhray.slides.reader import Slide

AMPLITUDE, MIDDLE = 100.0, 128.0
MPP = 0.5
BLOCK_PX = 256
SCALES = (1.0, 1.3, 1.98, 2.0, 2.004, 2.5, 3.3, 4.0, 4.016, 6.7, 8.0)
BAND = 0.25

Plate = NDArray[np.float64]  # (height, width)

READERS: dict[str, Callable[[str], Slide]] = {"openslide": Slide, "direct": DirectSlide}


class Figures(NamedTuple):
    """Of one reading; gray values, and percent of the plate's amplitude."""

    mean: float
    largest: float
    alias: float
    alias_of_area_mean: float
    excess: float


def main(side_px: int = 2048, scales: tuple[float, ...] = SCALES) -> None:
    """Print the figures."""
    plate = zone_plate(side_px)
    with tempfile.TemporaryDirectory() as folder:
        for coding in ("deflate", "jpeg"):
            path = write_plate(Path(folder) / f"{coding}.tiff", plate, coding)
            for scale in scales:
                reference = area_mean(plate, scale)
                for name, reader in READERS.items():
                    with reader(path) as slide:
                        found = read_whole(slide, scale, len(reference))
                    said = figures(found, reference, scale, side_px)
                    rounded = {key: round(value, 2) for key, value in said._asdict().items()}
                    print(json.dumps({"file": coding, "reader": name, "scale": scale} | rounded))
    print(json.dumps({"machine": f"{platform.machine()}, Python {platform.python_version()}"}))


def zone_plate(side_px: int) -> Plate:
    """Rings of cos(pi r^2 / side), r from the middle, sampled at pixel centers."""
    place = np.arange(side_px) - (side_px - 1) / 2
    square = place**2
    return MIDDLE + AMPLITUDE * np.cos(np.pi * (square[:, None] + square[None, :]) / side_px)


def write_plate(path: Path, plate: Plate, coding: str) -> str:
    """A slide of one level, of 0.5 um per pixel; `coding` is deflate or jpeg."""
    gray = np.rint(plate).astype(np.uint8)
    image = np.repeat(gray[..., None], 3, axis=2)
    place = range(0, len(image), BLOCK_PX)
    blocks = (
        np.ascontiguousarray(image[y : y + BLOCK_PX, x : x + BLOCK_PX])
        for y in place
        for x in place
    )
    coded = (
        bytes(imagecodecs.jpeg8_encode(block, level=95, subsampling="444")) for block in blocks
    )
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(
            coded if coding == "jpeg" else image,
            shape=image.shape,
            dtype=np.uint8,
            tile=(BLOCK_PX, BLOCK_PX),
            compression=coding,
            photometric="rgb",
            compressionargs={"outcolorspace": "ycbcr"} if coding == "jpeg" else None,
            subsampling=(1, 1) if coding == "jpeg" else None,
            resolution=(1e4 / MPP, 1e4 / MPP),
            resolutionunit="CENTIMETER",
            metadata=None,
        )
    return str(path)


def area_mean(plate: Plate, scale: float) -> Plate:
    """The mean over the exact area of each pixel; as many whole pixels as there are."""
    side = int(len(plate) / scale + 1e-9)
    edges = scale * np.arange(side + 1)
    place = np.arange(len(plate))
    covered = np.minimum(edges[1:, None], place + 1) - np.maximum(edges[:-1, None], place)
    weights = np.maximum(covered, 0) / scale
    return weights @ plate @ weights.T


def read_whole(slide: Slide, scale: float, side: int) -> RGB:
    """The plate in pixels of `scale` level-0 pixels, from its upper left corner on."""
    return slide.region(0, 0, (side, side), MPP * scale)


def figures(found: RGB, reference: Plate, scale: float, side_px: int) -> Figures:
    """How one reading differs from the area mean."""
    gray = found[..., 1].astype(float)
    off = np.abs(gray - reference)
    rings = rings_per_pixel(len(reference), scale, side_px)
    bands = [(rings > low) & (rings <= low + BAND) for low in np.arange(0.5, rings.max(), BAND)]
    excess = [
        _amplitude(gray, band) - _amplitude(reference, band) for band in bands if band.sum() > 200
    ]
    hidden = rings > 0.5
    return Figures(
        mean=float(off.mean()),
        largest=float(off.max()),
        alias=_amplitude(gray, hidden),
        alias_of_area_mean=_amplitude(reference, hidden),
        excess=max(excess, default=0.0),
    )


def rings_per_pixel(side: int, scale: float, side_px: int) -> Plate:
    """How many rings each pixel of a reading would hold, across or down, whichever are more."""
    place = scale * (np.arange(side) + 0.5) - side_px / 2
    along = np.abs(place) / side_px * scale
    return np.maximum(along[:, None], along[None, :])


def _amplitude(gray: Plate, where: NDArray[np.bool_]) -> float:
    """Of the rings seen in some pixels, in percent of the plate's."""
    if not where.any():
        return 0.0
    return float(np.sqrt(2 * np.mean((gray[where] - MIDDLE) ** 2)) / AMPLITUDE * 100)


if __name__ == "__main__":
    tyro.cli(main)
