"""Open a slide, know its resolution and where that came from, read regions at an exact mpp.

A region is resampled to the micrometer, across and down, so that a tile shows the same square of
tissue from every scanner.
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
from idhray.slides import color_profile
from idhray.slides.dicom_check import changed_colors, why_not_whole
from idhray.slides.file_check import why_no_slide, why_unopened, wrong_extent, wrong_levels
from idhray.slides.resample import Pair, Plan, level_downsamples, resampled
from idhray.slides.resolution import UM_AT_1X as UM_AT_1X
from idhray.slides.resolution import resolution

LEVEL_TOLERANCE = 0.02
"""A level (or slide) this much coarser than wanted still serves. A 40x scan at 0.2527 um has its
level of a quarter at 1.011 um; refusing it for 10x would read sixteen times the pixels."""

MARGIN_PX = 4
"""Around a region that is asked for: what it is resampled from may lie there."""


class Slide:
    """An open slide; use as `with Slide(path) as slide`.

    Attributes:
        name: How messages call it.
        size_l0: (width, height) in level-0 pixels.
        mpp: um per level-0 pixel, across.
        mpp_xy: The same across and down; two numbers where pixels are not square.
        mpp_source: Where `mpp` came from, see `resolution`.
        scanned: Left, top, right and bottom (level 0) of what was scanned of the glass; None where
            nothing says it.
    """

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        mpp: float | None = None,
        objective_power: float | None = None,
        assume_mpp: float | None = None,
        to_srgb: bool = False,
    ) -> None:
        """Open the file.

        Args:
            path: A local file.
            name: How messages call it.
            mpp: The manifest's, where it has one.
            objective_power: The manifest's, where it has one.
            assume_mpp: Used where nothing says the resolution; without it such a slide is refused.
            to_srgb: Convert colors by the file's ICC profile; without one nothing changes.

        Raises:
            SlideError: there is no such file, it is no slide, OpenSlide cannot open it,
                `resolution` refuses, or its color profile is broken.
        """
        self.path = path
        self.name = name or os.path.basename(path)
        self._handle: openslide.OpenSlide | None = None
        if reason := why_no_slide(path):
            raise SlideError(f"{self.name}: {reason}")
        handle = self._opened()
        try:
            self.size_l0: tuple[int, int] = handle.dimensions
            if reason := (
                wrong_levels(handle.level_dimensions, handle.properties)
                or why_not_whole(path, handle.properties)
            ):
                raise SlideError(f"{self.name}: {reason}")
            self.scanned = _scanned(handle.properties)
            self._downsamples: list[Pair] = level_downsamples(handle.level_dimensions)
            x, y, self.mpp_source = resolution(
                self.name,
                handle.properties,
                mpp=mpp,
                objective_power=objective_power,
                assume_mpp=assume_mpp,
            )
            if reason := wrong_extent(self.size_l0, (x, y)):
                raise SlideError(f"{self.name}: {reason}")
            self._converted = color_profile.to_srgb(handle, self.name) if to_srgb else None
            if reason := self._changed_colors(handle):
                raise SlideError(f"{self.name}: {reason}")
        except SlideError:
            self.close()
            raise
        self.mpp, self.mpp_xy = x, (x, y)

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
            try:
                self._handle = openslide.OpenSlide(self.path)
            except openslide.OpenSlideError as error:
                said = _one_line(error)
                raise SlideError(
                    f"{self.name}: OpenSlide cannot open it ({said}); "
                    f"{why_unopened(self.path, said)}"
                )
        return self._handle

    def _changed_colors(self, handle: openslide.OpenSlide) -> str | None:
        try:
            return changed_colors(handle)
        except openslide.OpenSlideError:
            self.close()  # damaged there: a read that needs the place will say it
            return None

    def extent_l0(self, size: Pair, mpp: float) -> Pair:
        """(width, height) in level-0 pixels of `size` (width, height) pixels of `mpp` um."""
        return size[0] * mpp / self.mpp_xy[0], size[1] * mpp / self.mpp_xy[1]

    def level_for(self, mpp: float) -> int:
        """The coarsest level that is still as fine as `mpp`, across and down.

        Raises:
            SlideError: even level 0 is coarser; nothing is ever enlarged.
        """
        least = 1 / (1 + LEVEL_TOLERANCE)
        levels = range(len(self._downsamples))
        fine = [level for level in levels if min(self._level_scales(level, mpp)) >= least]
        if not fine:
            raise SlideError(
                f"{self.name}: {max(self.mpp_xy):.4g} um per pixel ({self.mpp_source}) is coarser "
                f"than the {mpp:.4g} asked for; leave it out or ask for less magnification"
            )
        return max(fine, key=lambda level: self._downsamples[level])

    def level_scale(self, mpp: float) -> float:
        """Pixels of `level_for(mpp)` per pixel of `mpp`; 1 or more, but for the tolerance.

        The larger one where pixels are not square.
        """
        return max(self._level_scales(self.level_for(mpp), mpp))

    def _level_scales(self, level: int, mpp: float) -> Pair:
        x, y = self._downsamples[level]
        return mpp / self.mpp_xy[0] / x, mpp / self.mpp_xy[1] / y

    def _plan_at(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> Plan:
        """Where a region lies in the level that it is read from."""
        level = self.level_for(mpp)
        x, y = self._downsamples[level]
        across, down = self._level_scales(level, mpp)
        return Plan(level, 1, x_l0 / x, y_l0 / y, size[0] * across, size[1] * down)

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
        plan = self._plan_at(x_l0, y_l0, size, mpp)
        if self._is_bare(x_l0, y_l0, size, mpp):
            return np.full((size[1], size[0], 3), 255, dtype=np.uint8)
        try:
            pixels, corner = self._read(plan)
        except openslide.OpenSlideError as error:
            self.close()  # OpenSlide refuses all further reads from a handle that failed once
            raise SlideError(f"{self.name}: unreadable at ({x_l0}, {y_l0}) ({_one_line(error)})")
        return self._in_srgb(resampled(pixels, corner, plan, size))

    def _is_bare(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> bool:
        """Whether nothing was scanned in a region, nor a few pixels around it.

        Leica's and MIRAX's slides are of the whole glass, of which OpenSlide would paint it all.
        """
        if self.scanned is None:
            return False
        left, top, right, bottom = self.scanned
        width, height = self.extent_l0(size, mpp)
        across, down = self.extent_l0((MARGIN_PX, MARGIN_PX), mpp)
        inside_x = left - across < x_l0 + width and x_l0 < right + across
        return not (inside_x and top - down < y_l0 + height and y_l0 < bottom + down)

    def _in_srgb(self, region: RGB) -> RGB:
        return self._converted(region) if self._converted else region

    def _read(self, plan: Plan) -> tuple[RGB, Pair]:
        """The pixels that hold a region, and where in the level their upper left corner lies.

        OpenSlide counts in whole pixels of level 0 and divides by its own mean downsample, which
        is not the level's (see `level_downsamples`): it is asked for what it takes for the place,
        and what that is off by is put right in resampling. Of Leica's files it shows whole pixels
        of the level only, from the one on in which that place lies.
        """
        handle = self._opened()
        downsample = handle.level_downsamples[plan.level]
        corner, end = plan.box[:2], plan.box[2:]
        asked: tuple[int, int]
        found: Pair
        if handle.properties[openslide.PROPERTY_NAME_VENDOR] == "leica":
            asked = (math.ceil(corner[0] * downsample), math.ceil(corner[1] * downsample))
            found = corner
        else:
            asked = (
                math.floor(corner[0] * downsample + 1e-6),
                math.floor(corner[1] * downsample + 1e-6),
            )
            found = (asked[0] / downsample, asked[1] / downsample)
        level = handle.level_dimensions[plan.level]
        whole = (_whole(found[0], end[0], level[0]), _whole(found[1], end[1], level[1]))
        return np.asarray(_over_white(handle.read_region(asked, plan.level, whole))), found


def _whole(start: float, end: int, side: int) -> int:
    """How many pixels from `start` on hold all up to `end`.

    One that would show more of the white beyond the level's edge than of the level is left out.
    """
    pixels = math.ceil(end - start - 1e-6)
    return pixels - 1 if end <= side and start + pixels - side > 0.5 else pixels


def _scanned(properties: Mapping[str, str]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom (level 0) of what was scanned; None where nothing says it."""
    keys = (
        openslide.PROPERTY_NAME_BOUNDS_X,
        openslide.PROPERTY_NAME_BOUNDS_Y,
        openslide.PROPERTY_NAME_BOUNDS_WIDTH,
        openslide.PROPERTY_NAME_BOUNDS_HEIGHT,
    )
    if not all(properties.get(key, "").isdecimal() for key in keys):
        return None
    x, y, width, height = (int(properties[key]) for key in keys)
    return x, y, x + width, y + height


def _over_white(rgba: Image.Image) -> Image.Image:
    if rgba.getchannel("A").getextrema() == (255, 255):
        return rgba.convert("RGB")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
