"""Age of a cell in years."""

import re
from typing import Literal

from idhray.cohorts.values.cell_value import EMPTY, CellValue, is_unknown, plain, refused

AgeUnit = Literal["years", "months", "days"]
PER_YEAR: dict[AgeUnit, float] = {"years": 1.0, "months": 12.0, "days": 365.25}
OLDEST = 120
LEAST_CAP = 85
"""Youngest age that a cap may have. Privacy rules cap ages at 89; below, it is a class of ages.

Source: HIPAA Privacy Rule, 45 CFR 164.514(b)(2)(i)(C); BIDS 1.10, participants file.
"""
_NUMBER = r"[-+]?\d{1,6}(?:[.,]\d+)?"
_UNIT = r"(?P<unit>y(?:ears?|rs?|o)?|yrs?\.?|y/o|y\.o\.?|years? old|m(?:onths?|o)?|d(?:ays?)?)?"
_TAIL = r"(?:\s*(?:old|of age))?"
_YEARS = r"(?:years?|yrs?|y)?"
_EXACT = re.compile(rf"(?P<number>{_NUMBER})\s*{_UNIT}{_TAIL}")
_CAPS = (
    re.compile(
        rf"(?P<number>\d{{2,3}})\s*{_YEARS}\s*"
        rf"(?:\+|(?:and|or) (?:older|over|above|more)|plus)\s*{_YEARS}"
    ),
    re.compile(rf"(?:>=|≥|at least|from)\s*(?P<number>\d{{2,3}})\s*{_YEARS}"),
)
_OVER = re.compile(
    r"(?:>|over|above|older than|more than)\s*(?P<number>\d{2,3})\s*(?:years?|yrs?|y)?"
)


def age_value(text: str, unit: AgeUnit = "years") -> CellValue:
    """Age of a cell in years, with a mark if it is capped.

    89+ is 89; >89 and "90 or older" are 90. All three are marked as censored.

    Args:
        text: The cell. A unit in the cell has precedence over `unit`.
        unit: Unit of numbers without a unit.
    """
    if is_unknown(text):
        return EMPTY
    word = plain(text).replace(" ,", ",")
    for pattern, more in ((_OVER, 1), *((cap, 0) for cap in _CAPS)):
        if match := pattern.fullmatch(word):
            return _capped(int(match["number"]) + more)
    match = _EXACT.fullmatch(word)
    if not match:
        return refused(f"write a number from 0 to {OLDEST}, years")
    number = float(match["number"].replace(",", "."))
    written_unit: AgeUnit = _unit_of(match["unit"]) if match["unit"] else unit
    return _in_years(number, written_unit)


def unit_of_header(header: str) -> AgeUnit:
    """Unit that the header of a column of ages names; years if it names none."""
    words = plain(header)
    if "day" in words:
        return "days"
    return "months" if "month" in words else "years"


def number_text(number: float) -> str:
    """Number as the manifest writes it: whole numbers without a fraction."""
    return str(int(number)) if number.is_integer() else repr(number)


def _unit_of(word: str) -> AgeUnit:
    units: dict[str, AgeUnit] = {"d": "days", "m": "months"}
    return units.get(word[0], "years")


def _in_years(number: float, unit: AgeUnit) -> CellValue:
    years = number if unit == "years" else round(number / PER_YEAR[unit], 2)
    if 0 <= years <= OLDEST:
        return CellValue(text=number_text(years))
    if unit == "years" and OLDEST < number <= OLDEST * PER_YEAR["days"]:
        return refused(
            "it is not in years; give `idhray make-manifest` --age-unit days, or another column"
        )
    return refused(f"write a number from 0 to {OLDEST}, years")


def _capped(age: int) -> CellValue:
    if LEAST_CAP <= age <= OLDEST:
        return CellValue(text=str(age), censored=True)
    return refused(f"it is a class of ages; write a number from 0 to {OLDEST}, years")
