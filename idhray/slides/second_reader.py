"""Second reader, for slides that OpenSlide does not read: CZI, iSyntax, VSI, OME-Zarr 0.5.

It is the optional package fastslide (Apache-2.0). It has hung forever on a broken file, so it is
used in workers only, which end at the time limit of the slide. Where OpenSlide opens the file as
well, the pixels of both must agree.
"""

import contextlib
import os
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
import openslide

from idhray.errors import ConfigError, SlideError, one_line
from idhray.images import RGB
from idhray.slide_cache.source import OME_ZARR_FILE
from idhray.slides.reader import Slide
from idhray.slides.resample import XY, ReadPlan, over_white

PATCH_PX = 256
MAX_DIFFERENCE = 4.0
"""Largest mean difference of the two readers, in gray values: JPEG decoders differ by under 1."""
INSTALL = "pip install idhray[fastslide]"


def is_installed() -> bool:
    """True if the package fastslide can be imported."""
    return find_spec("fastslide") is not None


class SecondSlide(Slide):
    """A `Slide` whose pixels and properties come from fastslide."""

    def _unusable(self) -> str | None:
        if not os.path.exists(self.path):
            return f"no file {self.path}; correct its manifest row"
        return None

    def _opened(self) -> Any:
        """A handle with the attributes of OpenSlide's that `Slide` uses."""
        if self._handle is None:
            self._handle = self._second_handle()
        return self._handle

    def _second_handle(self) -> Any:
        if not is_installed():
            raise ConfigError(f"the second reader is not installed; {INSTALL}")
        import fastslide  # noqa: PLC0415 - an optional package

        try:
            slide = fastslide.FastSlide.from_file_path(self.path.removesuffix(f"/{OME_ZARR_FILE}"))
            kind, channels = str(slide.dtype), int(slide.num_channels)
            handle = SimpleNamespace(
                slide=slide,
                dimensions=tuple(slide.dimensions),
                level_dimensions=[tuple(size) for size in slide.level_dimensions],
                properties=_properties(slide),
                close=slide.close,
            )
        except Exception as error:  # noqa: BLE001 - a foreign file raises anything there
            raise SlideError(
                f"{self.name}: neither OpenSlide nor fastslide opens it ({one_line(error)}); get "
                "the file again, or leave it out"
            ) from None
        if kind != "uint8" or channels != 3:
            slide.close()
            raise SlideError(
                f"{self.name}: {channels} channels of {kind}, perhaps fluorescence; only 8-bit RGB "
                "slides can be read: leave it out"
            )
        return handle

    def _conversion(self, handle: Any) -> None:
        raise SlideError(
            f"{self.name}: --to-srgb is not available for slides of the second reader; leave it out"
        )

    def _read(self, plan: ReadPlan) -> tuple[RGB, XY]:
        """Pixels that cover a region, white outside the level, and their corner."""
        left, top, right, bottom = plan.box
        width, height = self._opened().level_dimensions[plan.level]
        pixels = np.full((bottom - top, right - left, 3), 255, dtype=np.uint8)
        x, y, end_x, end_y = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if x < end_x and y < end_y:
            try:
                image = self._opened().slide.read_region((x, y), plan.level, (end_x - x, end_y - y))
                part = np.array(image.to_interleaved().numpy())  # OME-Zarr: a plane per color
            except Exception as error:  # noqa: BLE001 - see `_second_handle`
                raise openslide.OpenSlideError(one_line(error)) from None
            pixels[y - top : end_y - top, x - left : end_x - left] = part[..., :3]
        return pixels, (left, top)


def _properties(slide: Any) -> dict[str, str]:
    """Properties of a slide under OpenSlide's names."""
    properties = {str(name): str(value) for name, value in dict(slide.properties).items()}
    properties[openslide.PROPERTY_NAME_VENDOR] = f"fastslide {slide.format}"
    x, y = slide.mpp
    if x > 0 and y > 0:
        properties[openslide.PROPERTY_NAME_MPP_X] = str(x)
        properties[openslide.PROPERTY_NAME_MPP_Y] = str(y)
    if power := properties.get("objective_magnification"):
        properties[openslide.PROPERTY_NAME_OBJECTIVE_POWER] = power
    (left, top), (width, height) = slide.bounds
    if 0 < width <= slide.dimensions[0] and 0 < height <= slide.dimensions[1]:
        names = ("X", "Y", "WIDTH", "HEIGHT")
        for name, value in zip(names, (left, top, width, height), strict=True):
            properties[getattr(openslide, f"PROPERTY_NAME_BOUNDS_{name}")] = str(int(value))
    return properties


def refuse_other_pixels(slide: SecondSlide) -> None:
    """Refuse a slide that OpenSlide opens, too, but shows otherwise.

    DICOM slides may differ in color, which is a reason to choose the second reader, but not in
    size.

    Raises:
        SlideError: the two readers disagree.
    """
    with contextlib.suppress(openslide.OpenSlideError):
        with openslide.OpenSlide(slide.path) as handle:
            if handle.dimensions != slide.size_l0:
                raise SlideError(
                    f"{slide.name}: OpenSlide sees {handle.dimensions} px, fastslide "
                    f"{slide.size_l0}; leave it out, or use --second-reader never"
                )
            if handle.properties.get(openslide.PROPERTY_NAME_VENDOR) == "dicom":
                return
            side = min(PATCH_PX, *handle.dimensions)
            width, height = handle.dimensions
            place = ((width - side) // 2, (height - side) // 2)
            expected = np.asarray(over_white(handle.read_region(place, 0, (side, side))))
        plan = ReadPlan(0, 1, *(float(length) for length in (*place, side, side)))
        pixels, _ = slide._read(plan)
        difference = float(np.abs(pixels.astype(int) - expected).mean())
        if difference > MAX_DIFFERENCE:
            raise SlideError(
                f"{slide.name}: OpenSlide and fastslide differ by {difference:.0f} of 255 in its "
                "middle; leave it out, or use --second-reader never"
            )
