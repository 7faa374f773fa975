"""Resolution and objective power that a TIFF's ImageDescription states.

Vendors, libvips and OME write them as text; converters copy the text and often rewrite the
resolution tags wrongly. The text is searched by patterns, not parsed: it is part of a foreign file.
"""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

UM_PER_UNIT: Mapping[str, float] = {
    "nm": 1e-3,
    "um": 1.0,
    "\u00b5m": 1.0,
    "\u03bcm": 1.0,
    "\\u00b5m": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "inch": 25_400.0,
    "m": 1e6,
}
"""um per unit of length. OME's `pixel` and `reference frame` are no lengths."""
_NUMBER = r"([0-9]+(?:[.,][0-9]*)?(?:[eE][-+]?[0-9]+)?|nan)"
_OME_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b([^>]*)>")
_OME_POWER = re.compile(r"<(?:\w+:)?Objective\b[^>]*\bNominalMagnification\s*=\s*[\"']" + _NUMBER)
_PROPERTY = r"<name>\s*{}\s*</name>\s*<value[^>]*>\s*" + _NUMBER
_PAIR = r"(?<![\w.]){}[\"']?\s*[=:]\s*[\"']?" + _NUMBER
_MPP_X = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _PROPERTY.format(r"openslide\.mpp-x"),
        _PROPERTY.format(r"aperio\.MPP"),
        _PROPERTY.format(r"[\w.]*mpp[-_]?x?"),
        _PAIR.format(r"(?:openslide\.)?mpp[-_ ]?x"),
        _PAIR.format(r"(?:aperio\.)?mpp"),
    )
)
_MPP_Y = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _PROPERTY.format(r"[\w.]*mpp[-_]?y"),
        _PAIR.format(r"(?:openslide\.)?mpp[-_ ]?y"),
    )
)
_POWER = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _PROPERTY.format(r"(?:openslide\.objective-power|aperio\.AppMag)"),
        _PAIR.format(r"(?:aperio\.)?AppMag"),
    )
)
_IMAGEJ_UNIT = re.compile(r"^ImageJ=.*?^unit=(\S+)\s*$", re.DOTALL | re.MULTILINE)


class Described(NamedTuple):
    """Values that a description states; None for what it does not state."""

    mpp: tuple[float, float] | None
    """um per level-0 pixel across and down."""
    power: float | None
    """Objective power."""


def described(text: str, size_l0: tuple[int, int] | None = None) -> Described:
    """Resolution and objective power in an ImageDescription.

    Args:
        text: ImageDescription of the first page.
        size_l0: (width, height) of the slide. OME-XML describes several images, of which that of
            this size counts; the first one if None or if none fits.
    """
    if _OME_PIXELS.search(text):
        return Described(_ome_mpp(text, size_l0), _first((_OME_POWER,), text))
    x = _first(_MPP_X, text)
    y = _first(_MPP_Y, text)
    return Described(None if x is None else (x, x if y is None else y), _first(_POWER, text))


def imagej_unit_um(text: str) -> float | None:
    """um of the unit that ImageJ's description names for the resolution tags; None without one."""
    match = _IMAGEJ_UNIT.search(text.replace("\r\n", "\n"))
    return UM_PER_UNIT.get(match[1].lower()) if match else None


def _ome_mpp(text: str, size_l0: tuple[int, int] | None) -> tuple[float, float] | None:
    """um per pixel of the image of this size in OME-XML; units are um if not stated.

    Source: OME-XML schema 2016-06, `Pixels`.
    """
    images = [match[1] for match in _OME_PIXELS.finditer(text)]
    fitting = [
        image
        for image in images
        if size_l0 and size_l0 == (_attribute(image, "SizeX"), _attribute(image, "SizeY"))
    ]
    image = (fitting or images)[0]
    sides = (_physical(image, "PhysicalSizeX"), _physical(image, "PhysicalSizeY"))
    x, y = sides
    if x is None:
        return None
    return x, x if y is None else y


def _physical(image: str, name: str) -> float | None:
    """A length of `Pixels` in um; None if it is missing or its unit is no length."""
    number = _attribute(image, name)
    match = re.search(name + r"Unit\s*=\s*[\"']([^\"']*)[\"']", image)
    unit = "um" if match is None else match[1].replace("&#181;", "\u00b5").strip()
    factor = UM_PER_UNIT.get(unit)
    return None if number is None or factor is None else number * factor


def _attribute(image: str, name: str) -> float | None:
    match = re.search(r"\b" + name + r"\s*=\s*[\"']\s*" + _NUMBER, image)
    return _float(match[1]) if match else None


def _first(patterns: tuple[re.Pattern[str], ...], text: str) -> float | None:
    """Number of the first pattern that is in the text."""
    match = next(filter(None, (pattern.search(text) for pattern in patterns)), None)
    return _float(match[1]) if match else None


def _float(text: str) -> float | None:
    """A number; vendors write a decimal comma in some countries."""
    number = float(text.replace(",", "."))
    return number if math.isfinite(number) else None
