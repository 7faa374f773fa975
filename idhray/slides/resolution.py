"""Width and height of a slide's pixels in micrometers, and the source of the numbers.

In this package 10x means 1.0 um per pixel and 20x means 0.5, whatever a scanner calls it.
"""

import logging
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import openslide

from idhray.errors import SlideError

logger = logging.getLogger(__name__)

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
"""Largest ratio of the manifest's mpp and the file's mpp without a warning."""
MAX_NOMINAL = 1.6
"""Largest ratio of mpp and 10 / objective power without a warning. 20x scanners have 0.455 to 0.504
um; in a file with the mpp of one scan and the power of another the ratio is 2."""


class Resolution(NamedTuple):
    """um per level-0 pixel across and down, with their source."""

    x: float
    y: float
    source: str
    """manifest, openslide.mpp, objective_power or assumed."""


def resolution(
    name: str,
    properties: Mapping[str, str],
    *,
    mpp: float | None = None,
    objective_power: float | None = None,
    assume_mpp: float | None = None,
) -> Resolution:
    """um per level-0 pixel, and its source.

    The first available value is taken: `mpp` of the manifest ("manifest"), for square pixels;
    OpenSlide's mpp ("openslide.mpp", from the vendor's field or the resolution tags of a plain
    TIFF); 10 / objective power of the manifest or of the file ("objective_power"); `assume_mpp`
    ("assumed"). A warning is logged if two of the first three contradict each other.

    Args:
        name: Name of the slide in messages.
        properties: OpenSlide's properties of the slide.
        mpp: um per pixel in the manifest, if any.
        objective_power: Objective power in the manifest, if any.
        assume_mpp: um per pixel if nothing else is available.

    Raises:
        SlideError: no value is available, the first available value is no resolution, or one side
            of a pixel is more than `MAX_ANISOTROPY` times the other.
    """
    power: object = objective_power
    if power is None:
        power = properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER)
    if mpp is not None:
        manifest_mpp = _number(name, "mpp of the manifest", mpp)
        _warn_of_contradiction(name, manifest_mpp, properties)
        return Resolution(manifest_mpp, manifest_mpp, "manifest")
    keys = (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y)
    if any(key in properties for key in keys):
        x, y = (_number(name, key, properties.get(key)) for key in keys)
        if max(x, y) > MAX_ANISOTROPY * min(x, y):
            raise SlideError(
                f"{name}: mpp is {x:g} across and {y:g} down, more than {MAX_ANISOTROPY:g} times "
                "apart; add mpp to its manifest row if one of them is right"
            )
        _warn_of_power(name, math.sqrt(x * y), power)
        if abs(x - y) <= SQUARE * min(x, y):
            x = y = (x + y) / 2
        return Resolution(x, y, "openslide.mpp")
    if power is not None:
        number = _finite(power)
        if not number:
            raise SlideError(f"{name}: objective power is {power}; correct it in its manifest row")
        derived = _number(name, f"10 / objective power {power}", UM_AT_1X / number)
        return Resolution(derived, derived, "objective_power")
    if assume_mpp is not None:
        assumed = _number(name, "assume_mpp", assume_mpp)
        return Resolution(assumed, assumed, "assumed")
    raise SlideError(
        f"{name}: no mpp and no objective power; add mpp or objective_power to its manifest row"
    )


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


def _warn_of_contradiction(name: str, mpp: float, properties: Mapping[str, str]) -> None:
    """Warn if mpp of the manifest, which is used, contradicts that of the file: a typing error."""
    file_mpp = _finite(properties.get(openslide.PROPERTY_NAME_MPP_X))
    if file_mpp and not 1 / MAX_CONTRADICTION <= mpp / file_mpp <= MAX_CONTRADICTION:
        _warn_once(
            f"{name}: mpp of the manifest is {mpp:g}, the file's is {file_mpp:g}; the manifest's "
            "is used"
        )


def _warn_of_power(name: str, mpp: float, objective_power: object) -> None:
    """Warn if mpp contradicts the objective power: tiles may be half or twice as wide."""
    power = _finite(objective_power)
    if power and not 1 / MAX_NOMINAL <= mpp * power / UM_AT_1X <= MAX_NOMINAL:
        _warn_once(
            f"{name}: mpp is {mpp:g}, but objective power {power:g} would be "
            f"{UM_AT_1X / power:g}; mpp is used: see that it is right"
        )


@lru_cache(maxsize=4096)
def _warn_once(message: str) -> None:
    """Log a warning once, although several readers open the same slide."""
    logger.warning(message)
