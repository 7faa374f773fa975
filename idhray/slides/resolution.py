"""Width and height of a slide's pixels in micrometers, and the source of the numbers.

In this package 10x means 1.0 um per pixel and 20x means 0.5, whatever a scanner calls it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import openslide

from idhray.errors import SlideError
from idhray.slides.description import described, imagej_unit_um

UM_AT_1X = 10.0
"""um per pixel times magnification."""
MIN_MPP, MAX_MPP = 0.02, 10.0
"""Plausible um per pixel. No light microscope has smaller pixels (100x: 0.1); larger ones show no
nucleus."""
SQUARE = 0.001
"""Pixels whose sides differ by at most this fraction are square: one pixel in a tile of 1024."""
MAX_ANISOTROPY = 2.0
"""Largest ratio of a pixel's sides; beyond it a field of the file is wrong."""
MAX_CONTRADICTION = 1.1
"""Largest ratio of two stated resolutions that is no contradiction."""
MAX_NOMINAL = 1.6
"""Largest ratio of mpp and 10 / objective power that is no contradiction. 20x scanners have 0.455
to 0.504 um; in a file with the mpp of one scan and the power of another the ratio is 2."""
UNIT_ERRORS = (2.54, 10.0)
"""Ratios of a description and a tag that a wrong unit explains: centimeter and inch, centimeter and
millimeter. libvips before 8.17.2 wrote inch for centimeter."""
UNIT_ERROR_TOLERANCE = 0.02
MAX_DPI = 9600
"""Whole hundreds of dots per inch, and multiples of 72 and 96, up to this number are what encoders
and flatbed scanners write, not the resolution of a microscope."""
UM_PER_INCH = 25_400.0
UM_PER_TAG_UNIT = {"inch": UM_PER_INCH, "centimeter": 1e4}
TAG = "the TIFF tag"
TIFF_VENDOR = "generic-tiff"
"""Vendor of files whose resolution OpenSlide takes from the TIFF tags alone."""


class Resolution(NamedTuple):
    """um per level-0 pixel across and down, with their source."""

    x: float
    y: float
    source: str
    """manifest, description, openslide.mpp, objective_power or assumed."""
    contradiction: str = ""
    """Stated values that contradict each other, with the one that is used."""


class _Stated(NamedTuple):
    """A resolution and its origin."""

    x: float
    y: float
    source: str
    origin: str
    """Words for messages."""

    @property
    def mean(self) -> float:
        return math.sqrt(self.x * self.y)

    @property
    def sides(self) -> str:
        """Width, and height if it differs."""
        return f"{self.x:.4g}" if self.x == self.y else f"{self.x:.4g} x {self.y:.4g}"


def resolution(
    name: str,
    properties: Mapping[str, str],
    *,
    mpp: float | None = None,
    objective_power: float | None = None,
    assume_mpp: float | None = None,
    size_l0: tuple[int, int] | None = None,
) -> Resolution:
    """um per level-0 pixel, its source, and the values that contradict it.

    The first value that is plausible is taken: `mpp` of the manifest ("manifest"), for square
    pixels; the vendor's field ("openslide.mpp"), or the ImageDescription of a plain TIFF, such as
    OME-XML or Aperio's text ("description"); the resolution tags ("openslide.mpp"); 10 / objective
    power of the manifest or of the file ("objective_power"); `assume_mpp` ("assumed"). Tags that
    are no resolution of a microscope (72 dots per inch, 1 pixel per centimeter, zero) count as
    absent.

    Args:
        name: Name of the slide in messages.
        properties: OpenSlide's properties of the slide.
        mpp: um per pixel in the manifest, if any.
        objective_power: Objective power in the manifest, if any.
        assume_mpp: um per pixel if nothing else is available.
        size_l0: (width, height) of the slide, to find it in OME-XML.

    Raises:
        SlideError: no value is plausible, a value of the manifest is not, or one side of a pixel is
            more than `MAX_ANISOTROPY` times the other.
    """
    text = _text(properties)
    in_text = described(text, size_l0)
    stated: list[_Stated] = []
    absent: list[_Stated] = []
    if mpp is not None:
        number = _number(name, "mpp of the manifest", mpp)
        stated.append(_Stated(number, number, "manifest", "mpp of the manifest"))
    for value in _of_file(properties, text, in_text.mpp):
        (stated if _is_plausible(value) else absent).append(value)
    power = _power(name, properties, objective_power, in_text.power)
    lines = [*_contradictions(stated), *_against_power(stated, power), *_implausible(absent)]
    if stated:
        first = stated[0]
        x, y = first.x, first.y
        if max(x, y) > MAX_ANISOTROPY * min(x, y):
            raise SlideError(
                f"{name}: {first.origin} is {x:g} across and {y:g} down, more than "
                f"{MAX_ANISOTROPY:g} times apart; add mpp to its manifest row if one of them is "
                "right"
            )
        if abs(x - y) <= SQUARE * min(x, y):
            x = y = (x + y) / 2
        return Resolution(x, y, first.source, "; ".join(lines))
    if power is not None:
        nominal = UM_AT_1X / power
        return Resolution(nominal, nominal, "objective_power", "; ".join(lines))
    if assume_mpp is not None:
        assumed = _number(name, "assume_mpp", assume_mpp)
        return Resolution(assumed, assumed, "assumed", "; ".join(lines))
    raise SlideError(f"{name}: {_nothing(absent)}")


def _text(properties: Mapping[str, str]) -> str:
    """ImageDescription of the file."""
    return properties.get("tiff.ImageDescription") or properties.get("openslide.comment") or ""


def _of_file(
    properties: Mapping[str, str], text: str, in_text: tuple[float, float] | None
) -> Iterator[_Stated]:
    """Values that the file states, plausible or not, by rank."""
    sides = [_finite(properties.get(key)) for key in _MPP_KEYS]
    plain_tiff = properties.get(openslide.PROPERTY_NAME_VENDOR) == TIFF_VENDOR
    if not plain_tiff and any(key in properties for key in _MPP_KEYS):
        yield _Stated(sides[0] or 0.0, sides[1] or 0.0, "openslide.mpp", "mpp of the file")
    elif in_text is not None:
        yield _Stated(*in_text, "description", "mpp of the ImageDescription")
    tag = _tag_mpp(properties, text)
    if tag is not None:
        unit = properties.get("tiff.ResolutionUnit", "")
        number = properties.get("tiff.XResolution", "?")
        yield _Stated(*tag, "openslide.mpp", f"{TAG} ({number} pixels per {unit or 'unit'})")


def _tag_mpp(properties: Mapping[str, str], text: str) -> tuple[float, float] | None:
    """um per pixel by the resolution tags of a TIFF; None without a unit of length."""
    unit = UM_PER_TAG_UNIT.get(properties.get("tiff.ResolutionUnit", ""))
    unit = imagej_unit_um(text) if unit is None else unit
    x, y = (_finite(properties.get(f"tiff.{axis}Resolution")) for axis in "XY")
    if unit is None or x is None or y is None:
        return None
    return unit / x if x else 0.0, unit / y if y else 0.0


def _is_plausible(value: _Stated) -> bool:
    """True for the resolution of a microscope's picture."""
    if not all(MIN_MPP <= side <= MAX_MPP for side in (value.x, value.y)):
        return False
    if not value.origin.startswith(TAG):
        return True
    dpi = UM_PER_INCH / value.x
    whole = round(dpi)
    round_number = any(whole % step == 0 for step in (100, 72, 96))
    return not (whole <= MAX_DPI and round_number and abs(dpi - whole) <= 1e-4 * dpi)


def _power(
    name: str, properties: Mapping[str, str], manifest: float | None, in_text: float | None
) -> float | None:
    """Objective power of the manifest or of the file.

    Raises:
        SlideError: the power of the manifest is none.
    """
    if manifest is not None:
        number = _finite(manifest)
        if not number:
            raise SlideError(
                f"{name}: objective power is {manifest}; correct it in its manifest row"
            )
        _number(name, f"10 / objective power {manifest}", UM_AT_1X / number)
        return number
    of_file = _finite(properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER))
    power = in_text if of_file is None else of_file
    return power if power and MIN_MPP <= UM_AT_1X / power <= MAX_MPP else None


def _contradictions(stated: Sequence[_Stated]) -> Iterator[str]:
    """Lines on stated values that are more than 10 % apart."""
    for higher, lower in combinations(stated, 2):
        ratio = max(higher.mean, lower.mean) / min(higher.mean, lower.mean)
        if ratio <= MAX_CONTRADICTION:
            continue
        unit = next(
            (error for error in UNIT_ERRORS if abs(ratio / error - 1) <= UNIT_ERROR_TOLERANCE), None
        )
        error = "" if unit is None or higher.source == "manifest" else f", a unit error ({unit:g})"
        other = lower.origin.removeprefix("mpp of ")
        yield (
            f"{higher.origin} is {higher.mean:.4g} um, that of {other} {lower.mean:.4g}{error}; "
            f"{stated[0].origin} is used"
        )


def _against_power(stated: Sequence[_Stated], power: float | None) -> Iterator[str]:
    """A line if mpp contradicts the objective power: tiles may be half or twice as wide."""
    if not stated or power is None:
        return
    mpp = stated[0].mean
    if not 1 / MAX_NOMINAL <= mpp * power / UM_AT_1X <= MAX_NOMINAL:
        yield (
            f"{stated[0].origin} is {mpp:.4g} um, but objective power {power:g} would be "
            f"{UM_AT_1X / power:g}; mpp is used"
        )


def _implausible(absent: Sequence[_Stated]) -> Iterator[str]:
    """Lines on values of a vendor that count as absent; encoders' tags are too common for one."""
    for value in absent:
        if not value.origin.startswith(TAG):
            yield f"{value.origin}, {value.sides} um, is that of no microscope and counts as absent"


def _nothing(absent: Sequence[_Stated]) -> str:
    """Message for a slide without a plausible resolution."""
    advice = "add mpp or objective_power to its manifest row, or give --assume-mpp"
    if not absent:
        return f"no mpp and no objective power; {advice}"
    values = " and ".join(f"{value.origin} of {value.sides} um a pixel" for value in absent)
    return f"no resolution of a microscope: its file has {values}; {advice}"


def _number(name: str, field: str, value: object) -> float:
    """A resolution as a float in range; otherwise a SlideError that names the field."""
    number = _finite(value)
    if number is None or not MIN_MPP <= number <= MAX_MPP:
        raise SlideError(
            f"{name}: {field} is {value} um per pixel, must be {MIN_MPP:g} to {MAX_MPP:g}; "
            "correct mpp in its manifest row"
        )
    return number


def _finite(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_MPP_KEYS = (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y)
