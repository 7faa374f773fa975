"""How many micrometers a pixel of a slide is wide and high, and who says so.

10x means 1.0 um per pixel here, 20x 0.5, whatever the scanner calls it.
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
"""No light microscope has smaller pixels (100x: 0.1); larger ones show no nucleus."""
SQUARE = 0.001
"""Pixels whose sides differ by no more are square: one pixel in a tile of 1024."""
MAX_ANISOTROPY = 2.0
"""Times that a pixel may be higher than wide, or wider than high; beyond that a field is wrong."""
MAX_CONTRADICTION = 1.1
"""Times that the manifest's mpp may differ from the file's before a warning says so."""
MAX_NOMINAL = 1.6
"""Times that mpp may differ from 10 / objective power: 20x scanners have 0.455 to 0.504 um, but a
file whose mpp and power are of two scans differs by 2."""


class Resolution(NamedTuple):
    """um per level-0 pixel across and down, and where that came from."""

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
    """The um per level-0 pixel, and its source.

    The first of: `mpp` of the manifest ("manifest"), for square pixels; what OpenSlide says
    ("openslide.mpp", the vendor's own field, or the resolution tags of a plain TIFF); 10 /
    objective power of the manifest or of the file ("objective_power"); `assume_mpp` ("assumed").
    Where two of the first three contradict each other, a warning is logged.

    Raises:
        SlideError: none of them is there, or the first is no resolution, or pixels are more than
            `MAX_ANISOTROPY` times as long as wide.
    """
    power: object = objective_power
    if power is None:
        power = properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER)
    if mpp is not None:
        given = _number(name, "mpp of the manifest", mpp)
        _warn_of_contradiction(name, given, properties)
        return Resolution(given, given, "manifest")
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


def _number(name: str, what: str, value: object) -> float:
    """A resolution as a float in range, or a SlideError; `what` names it in the message."""
    number = _finite(value)
    if number is None or not MIN_MPP <= number <= MAX_MPP:
        raise SlideError(
            f"{name}: {what} is {value} um per pixel, must be {MIN_MPP:g} to {MAX_MPP:g}; "
            "correct mpp in its manifest row"
        )
    return number


def _finite(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _warn_of_contradiction(name: str, given: float, properties: Mapping[str, str]) -> None:
    """The manifest wins, but a typing error in it should not go unseen."""
    said = _finite(properties.get(openslide.PROPERTY_NAME_MPP_X))
    if said and not 1 / MAX_CONTRADICTION <= given / said <= MAX_CONTRADICTION:
        _warn_once(
            f"{name}: mpp of the manifest is {given:g}, the file's is {said:g}; the manifest's is "
            "used"
        )


def _warn_of_power(name: str, mpp: float, said: object) -> None:
    """An mpp beside the power of another scan makes every tile half or twice as wide."""
    power = _finite(said)
    if power and not 1 / MAX_NOMINAL <= mpp * power / UM_AT_1X <= MAX_NOMINAL:
        _warn_once(
            f"{name}: mpp is {mpp:g}, but objective power {power:g} would be "
            f"{UM_AT_1X / power:g}; mpp is used: see that it is right"
        )


@lru_cache(maxsize=4096)
def _warn_once(message: str) -> None:
    """A slide is opened by several readers, in turn."""
    logger.warning(message)
