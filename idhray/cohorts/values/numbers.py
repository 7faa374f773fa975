"""Resolution and objective power of a cell."""

import re

from idhray.cohorts.values.cell_value import EMPTY, CellValue, is_unknown, plain, refused

_NUMBER = re.compile(r"(\d+(?:[.,]\d*)?(?:e[-+]?\d+)?|[.,]\d+)")
_POWER = re.compile(r"x?\s*(\d+(?:[.,]\d+)?)\s*x?")
_MPP = re.compile(
    rf"{_NUMBER.pattern}\s*(?:(?:um|µm|μm|microns?)(?:\s*(?:/|per)\s*(?:px|pixel))?)?"
)


def mpp_value(text: str) -> CellValue:
    """Micrometers per pixel of level 0, 0.01 to 10."""
    return _between(text, _MPP, 0.01, 10, "um per level-0 pixel")


def power_value(text: str) -> CellValue:
    """Objective power, 0.5 to 200, from 20, 20x or X20."""
    return _between(text, _POWER, 0.5, 200, "such as 20 or 40")


def _between(text: str, pattern: re.Pattern[str], low: float, high: float, unit: str) -> CellValue:
    if is_unknown(text):
        return EMPTY
    match = pattern.fullmatch(plain(text))
    number = match[1].replace(",", ".") if match else ""
    if not number or not low <= float(number) <= high:
        return refused(f"write a number from {low} to {high}, {unit}")
    return CellValue(text=number)
