"""Reader of a slide: its resolution with its source, and regions at an exact mpp.

Regions are resampled to the micrometer, across and down, so that a tile shows the same square of
tissue from every scanner.
"""

import math
import os
from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import openslide

from idhray.errors import SlideError, one_line
from idhray.images import RGB
from idhray.slides import color_profile
from idhray.slides.dicom_check import changed_colors, not_full_resolution
from idhray.slides.file_check import remedy, unusable_file, wrong_extent, wrong_levels
from idhray.slides.resample import WHOLE_PX, XY, ReadPlan, level_downsamples, over_white, resampled
from idhray.slides.resolution import UM_AT_1X as UM_AT_1X
from idhray.slides.resolution import resolution

LEVEL_TOLERANCE = 0.02
"""A level or slide may be coarser than requested by this fraction. A 40x scan at 0.2527 um has its
level of a quarter at 1.011 um; without the tolerance, 10x would read sixteen times the pixels."""

WHOLE_FACTORS = (1, 2, 4, 8)
"""Pixels of a level per pixel of a tile that need no resampling, and at which JPEG decodes."""
MARGIN_PX = 4
"""Margin around a requested region in which pixels for its resampling may lie."""


class UnopenedError(SlideError):
    """OpenSlide cannot open the file; another reader may."""


class Slide:
    """An open slide; use as `with Slide(path) as slide`.

    Attributes:
        name: Name of the slide in messages.
        size_l0: (width, height) in level-0 pixels.
        vendor: Kind of file, as OpenSlide calls it.
        mpp: um per level-0 pixel, across.
        mpp_xy: um per level-0 pixel across and down; they differ if pixels are not square.
        mpp_source: Source of `mpp`, see `resolution`.
        mpp_contradiction: Stated resolutions that contradict each other; "" if none do.
        scanned: Left, top, right and bottom (level 0) of the scanned part of the glass; None if the
            file does not tell.
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
            path: Path of a local file.
            name: Name of the slide in messages; the name of the file when None.
            mpp: um per pixel in the manifest, if any.
            objective_power: Objective power in the manifest, if any.
            assume_mpp: um per pixel of a slide whose resolution is unknown. Without it such a slide
                is refused.
            to_srgb: Convert colors by the file's ICC profile, if it has one.

        Raises:
            SlideError: the file is missing or no slide, OpenSlide cannot open it, its resolution is
                unknown or implausible, or its color profile is broken.
        """
        self.path = path
        self.name = name or os.path.basename(path)
        self._handle: openslide.OpenSlide | None = None
        if reason := self._unusable():
            kind = UnopenedError if os.path.isdir(path) else SlideError
            raise kind(f"{self.name}: {reason}")
        handle = self._opened()
        try:
            self.size_l0: tuple[int, int] = handle.dimensions
            self.vendor = handle.properties.get(openslide.PROPERTY_NAME_VENDOR, "")
            if reason := (
                wrong_levels(handle.level_dimensions, handle.properties)
                or not_full_resolution(path, handle.properties)
            ):
                raise SlideError(f"{self.name}: {reason}")
            self.scanned = _scanned(handle.properties)
            self.quickhash = str(handle.properties.get(openslide.PROPERTY_NAME_QUICKHASH1, ""))
            self._downsamples: list[XY] = level_downsamples(handle.level_dimensions)
            x, y, self.mpp_source, self.mpp_contradiction = resolution(
                self.name,
                handle.properties,
                mpp=mpp,
                objective_power=objective_power,
                assume_mpp=assume_mpp,
                size_l0=self.size_l0,
            )
            if reason := wrong_extent(self.size_l0, (x, y)):
                raise SlideError(f"{self.name}: {reason}")
            self._converted = self._conversion(handle) if to_srgb else None
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
        """Close the file; the next read opens it again."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _unusable(self) -> str | None:
        """Reason why the file cannot be a slide; None if no reason is found."""
        return unusable_file(self.path)

    def _conversion(self, handle: openslide.OpenSlide) -> Callable[[RGB], RGB] | None:
        """Conversion to sRGB by the file's color profile; None without one."""
        return color_profile.to_srgb(handle, self.name)

    def _opened(self) -> openslide.OpenSlide:
        if self._handle is None:
            try:
                self._handle = openslide.OpenSlide(self.path)
            except openslide.OpenSlideError as error:
                message = one_line(error)
                raise UnopenedError(
                    f"{self.name}: OpenSlide cannot open it ({message}); "
                    f"{remedy(self.path, message)}"
                )
        return self._handle

    def _changed_colors(self, handle: openslide.OpenSlide) -> str | None:
        try:
            return changed_colors(handle)
        except openslide.OpenSlideError:
            self.close()  # damaged there: a read of that place will raise the error
            return None

    def extent_l0(self, size: XY, mpp: float) -> XY:
        """(width, height) in level-0 pixels of `size` (width, height) pixels of `mpp` um."""
        return size[0] * mpp / self.mpp_xy[0], size[1] * mpp / self.mpp_xy[1]

    def level_for(self, mpp: float) -> int:
        """Coarsest level that is still as fine as `mpp`, across and down.

        Raises:
            SlideError: level 0 is coarser than `mpp`; images are never enlarged.
        """
        least = 1 / (1 + LEVEL_TOLERANCE)
        levels = range(len(self._downsamples))
        fine = [level for level in levels if min(self._level_scales(level, mpp)) >= least]
        if not fine:
            raise SlideError(
                f"{self.name}: {max(self.mpp_xy):.4g} um per pixel ({self.mpp_source}) is coarser "
                f"than the requested {mpp:.4g}; leave it out or request less magnification"
            )
        return max(fine, key=lambda level: self._downsamples[level])

    def level_scale(self, mpp: float) -> float:
        """Pixels of `level_for(mpp)` per pixel of `mpp`; 1 or more, except for the tolerance.

        If pixels are not square, the larger of the two directions.
        """
        return max(self._level_scales(self.level_for(mpp), mpp))

    def whole_mpp(self, mpp: float, size_px: int, tolerance: float) -> float:
        """um per pixel near `mpp` at which a pixel is 1, 2, 4 or 8 whole pixels of a level.

        Args:
            mpp: Requested um per pixel.
            size_px: Side of the images; where resampling is not visible in it, `mpp` stays.
            tolerance: Largest fraction by which the result may differ from `mpp`.

        Returns:
            `mpp` if no such value is near enough, or pixels are not square.
        """
        level = self.level_for(mpp)
        scales, (x, y) = self._level_scales(level, mpp), self.mpp_xy
        factor = min(WHOLE_FACTORS, key=lambda whole: abs(scales[0] / whole - 1))
        near = all(abs(scale / factor - 1) <= tolerance for scale in scales)
        whole = all(abs(scale - factor) * size_px <= WHOLE_PX for scale in scales)
        if x != y or not near or whole:
            return mpp
        return factor * self._downsamples[level][0] * x

    def _level_scales(self, level: int, mpp: float) -> XY:
        x, y = self._downsamples[level]
        return mpp / self.mpp_xy[0] / x, mpp / self.mpp_xy[1] / y

    def _plan_at(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> ReadPlan:
        """Place of a region in the level that it is read from."""
        level = self.level_for(mpp)
        x, y = self._downsamples[level]
        across, down = self._level_scales(level, mpp)
        return ReadPlan(level, 1, x_l0 / x, y_l0 / y, size[0] * across, size[1] * down)

    def region(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> RGB:
        """Pixels of a region, (height, width, 3) uint8, at exactly `mpp` um per pixel.

        Places that were not scanned, or lie outside the slide, are white.

        Args:
            x_l0: Left edge.
            y_l0: Top edge.
            size: (width, height) of the result.
            mpp: um per pixel of the result.

        Raises:
            SlideError: the file is damaged there, or the slide is coarser than `mpp`. Other regions
                can still be read.
        """
        plan = self._plan_at(x_l0, y_l0, size, mpp)
        if self._is_bare(x_l0, y_l0, size, mpp):
            return np.full((size[1], size[0], 3), 255, dtype=np.uint8)
        try:
            pixels, corner = self._read(plan)
        except openslide.OpenSlideError as error:
            self.close()  # OpenSlide refuses all further reads from a handle that failed once
            raise SlideError(f"{self.name}: unreadable at ({x_l0}, {y_l0}) ({one_line(error)})")
        return self._in_srgb(resampled(pixels, corner, plan, size))

    def _is_bare(self, x_l0: int, y_l0: int, size: tuple[int, int], mpp: float) -> bool:
        """True if nothing was scanned in a region and a few pixels around it.

        Slides of Leica and MIRAX cover the whole glass, and OpenSlide would paint all of it.
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

    def _read(self, plan: ReadPlan) -> tuple[RGB, XY]:
        """Pixels that cover a region, and the position of their upper left corner in the level.

        OpenSlide takes whole pixels of level 0 and divides by its own mean downsample, which
        differs from the level's (see `level_downsamples`). The request is therefore in OpenSlide's
        coordinates, and the remaining shift is corrected in resampling. For Leica's files OpenSlide
        returns whole pixels of the level only, from the pixel on in which the request lies.
        """
        handle = self._opened()
        downsample = handle.level_downsamples[plan.level]
        corner, end = plan.box[:2], plan.box[2:]
        request_l0: tuple[int, int]
        start: XY
        if handle.properties[openslide.PROPERTY_NAME_VENDOR] == "leica":
            request_l0 = (math.ceil(corner[0] * downsample), math.ceil(corner[1] * downsample))
            start = corner
        else:
            request_l0 = (
                math.floor(corner[0] * downsample + 1e-6),
                math.floor(corner[1] * downsample + 1e-6),
            )
            start = (request_l0[0] / downsample, request_l0[1] / downsample)
        level = handle.level_dimensions[plan.level]
        size = (
            _pixels_to_read(start[0], end[0], level[0]),
            _pixels_to_read(start[1], end[1], level[1]),
        )
        return np.asarray(over_white(handle.read_region(request_l0, plan.level, size))), start


def _pixels_to_read(start: float, end: int, side: int) -> int:
    """Number of pixels from `start` on that cover everything up to `end`.

    A last pixel with more white from beyond the level's edge than of the level is left out.
    """
    pixels = math.ceil(end - start - 1e-6)
    return pixels - 1 if end <= side and start + pixels - side > 0.5 else pixels


def _scanned(properties: Mapping[str, str]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom (level 0) of the scanned part; None if the file does not tell."""
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
