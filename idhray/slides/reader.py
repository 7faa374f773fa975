"""Open a slide, know its resolution and where that came from, read regions at an exact mpp.

10x means 1.0 um per pixel here, 20x 0.5, whatever the scanner calls it: a region is resampled to
the micrometre, so that a tile shows the same width of tissue from every scanner.
"""

import math
import os
from collections.abc import Mapping
from typing import Self

import numpy as np
import openslide
from PIL import Image

from idhray.errors import SlideError
from idhray.images import RGB

UM_AT_1X = 10.0
"""um per pixel times magnification."""
MAX_MPP = 10.0
MAX_ANISOTROPY = 0.02
LEVEL_TOLERANCE = 0.02
"""A level (or slide) this much coarser than wanted still serves. A 40x scan at 0.2527 um has its
level of a quarter at 1.011 um; refusing it for 10x would read sixteen times the pixels."""

WHOLE_PX = 1 / 16
"""Nearer than this, a place or a width counts as a whole number of pixels and is not resampled."""
LEAST_HAMMING = 1.4
"""Pixels per pixel of the region from which Pillow's HAMMING is nearer to the mean over the area
than BICUBIC; it is twice as near at 2, and takes two thirds of the time."""


def smooth_method(scale: float) -> Image.Resampling:
    """How to resample where whole pixels do not fit, `scale` of them to one of the region."""
    return Image.Resampling.HAMMING if scale >= LEAST_HAMMING else Image.Resampling.BICUBIC


def _number(name: str, what: str, value: object) -> float:
    """A resolution as a float in (0, 10], or a SlideError; `what` names it in the message."""
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not 0 < number <= MAX_MPP:
        raise SlideError(
            f"{name}: {what} is {value} um per pixel, must be above 0 and at most "
            f"{MAX_MPP:g}; correct mpp in its manifest row"
        )
    return number


def resolution(
    name: str,
    properties: Mapping[str, str],
    *,
    mpp: float | None = None,
    objective_power: float | None = None,
) -> tuple[float, str]:
    """The um per level-0 pixel, and its source.

    The first of: `mpp` of the manifest ("manifest"); what OpenSlide says ("openslide.mpp", the
    vendor's own field, or the resolution tags of a plain TIFF); 10 / objective power of the
    manifest or of the file ("objective_power").

    Raises:
        SlideError: none of them is there, or the first is no resolution, or pixels are not square.
    """
    if mpp is not None:
        return _number(name, "mpp of the manifest", mpp), "manifest"
    keys = (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y)
    if any(key in properties for key in keys):
        x, y = (_number(name, key, properties.get(key)) for key in keys)
        if abs(x - y) > MAX_ANISOTROPY * min(x, y):
            raise SlideError(
                f"{name}: mpp is {x:g} across and {y:g} down, but pixels must be square; "
                "add mpp to its manifest row if one of them is right"
            )
        return (x + y) / 2, "openslide.mpp"
    power: float | str | None = objective_power
    if power is None:
        power = properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER)
    if power is None:
        raise SlideError(
            f"{name}: no mpp and no objective power; add mpp or objective_power to its manifest row"
        )
    try:
        derived = UM_AT_1X / float(power)
    except (ValueError, ZeroDivisionError):
        raise SlideError(f"{name}: objective power is {power}; correct it in its manifest row")
    return _number(name, f"10 / objective power {power}", derived), "objective_power"


class Slide:
    """An open slide; use as `with Slide(path) as slide`.

    Attributes:
        name: How messages call it.
        size_l0: (width, height) in level-0 pixels.
        mpp: um per level-0 pixel.
        mpp_source: Where `mpp` came from, see `resolution`.
    """

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        mpp: float | None = None,
        objective_power: float | None = None,
    ) -> None:
        """Open the file.

        Raises:
            SlideError: there is no such file, OpenSlide cannot open it, or `resolution` refuses.
        """
        self.path = path
        self.name = name or os.path.basename(path)
        self._handle: openslide.OpenSlide | None = None
        handle = self._opened()
        self.size_l0: tuple[int, int] = handle.dimensions
        self._downsamples: tuple[float, ...] = handle.level_downsamples
        try:
            self.mpp, self.mpp_source = resolution(
                self.name, handle.properties, mpp=mpp, objective_power=objective_power
            )
        except SlideError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; the next read opens it again."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _opened(self) -> openslide.OpenSlide:
        if self._handle is None:
            if not os.path.isfile(self.path):
                raise SlideError(f"{self.name}: no file {self.path}; correct its manifest row")
            try:
                self._handle = openslide.OpenSlide(self.path)
            except openslide.OpenSlideError as error:
                raise SlideError(f"{self.name}: OpenSlide cannot open it ({_one_line(error)})")
        return self._handle

    def level_for(self, mpp: float) -> int:
        """The coarsest level that is still as fine as `mpp`.

        Raises:
            SlideError: even level 0 is coarser; nothing is ever enlarged.
        """
        wanted = mpp / self.mpp * (1 + LEVEL_TOLERANCE)
        fine = [k for k, downsample in enumerate(self._downsamples) if downsample <= wanted]
        if not fine:
            raise SlideError(
                f"{self.name}: {self.mpp:.4g} um per pixel ({self.mpp_source}) is coarser than the "
                f"{mpp:.4g} asked for; leave it out or ask for less magnification"
            )
        return max(fine, key=lambda k: self._downsamples[k])

    def level_scale(self, mpp: float) -> float:
        """Pixels of `level_for(mpp)` per pixel of `mpp`; 1 or more, but for the tolerance."""
        return mpp / self.mpp / self._downsamples[self.level_for(mpp)]

    def region(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> RGB:
        """(height, width, 3) uint8 at exactly `mpp` um per pixel; white where nothing was scanned.

        Args:
            x_l0: Left edge; outside the slide is allowed, and white.
            y_l0: Top edge.
            size: (width, height) of what comes back, in pixels.
            mpp: um per pixel of what comes back.

        Raises:
            SlideError: that part of the file is damaged, or the slide is coarser than `mpp`. Other
                regions can still be read.
        """
        level = self.level_for(mpp)
        scale = self.level_scale(mpp)
        width, height = size[0] * scale, size[1] * scale
        whole = (math.ceil(width - 1e-6), math.ceil(height - 1e-6))
        try:
            rgba = self._opened().read_region((x_l0, y_l0), level, whole)
        except openslide.OpenSlideError as error:
            self.close()  # OpenSlide refuses all further reads from a handle that failed once
            raise SlideError(f"{self.name}: unreadable at ({x_l0}, {y_l0}) ({_one_line(error)})")
        # BOX is the mean of whole pixels: right where whole pixels fit, ragged where they do not.
        fits = abs(scale - round(scale)) * max(size) < WHOLE_PX
        method = Image.Resampling.BOX if fits else smooth_method(scale)
        return np.asarray(_over_white(rgba).resize(size, method, box=(0, 0, width, height)))


def _over_white(rgba: Image.Image) -> Image.Image:
    if rgba.getchannel("A").getextrema() == (255, 255):
        return rgba.convert("RGB")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
