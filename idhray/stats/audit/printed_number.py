"""Printed numbers: value, last decimal, and the exact values that may have been printed so.

".72" may be anything from .715 to .725, or to .73 if digits were cut off instead of rounded.
Every rule uses what the printed text allows, so nothing is flagged for its rounding alone.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from math import ceil
from typing import Literal

Span = tuple[float, float]  # lowest and highest value
Reading = Literal["rounded", "truncated", "rounded twice"]
Relation = Literal["=", "<", ">"]

_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?(%?)")
_LONGEST = 30  # characters
_EXACT = Context(prec=700, rounding=ROUND_HALF_UP)
READING_TEXTS: dict[Reading, str] = {
    "rounded": "it was rounded",
    "truncated": "its digits were cut off",
    "rounded twice": "it was rounded twice, first to one digit more",
}
_TWICE = Fraction(1, 20)
"""Share of a unit below the half that a first rounding to one digit more lifts to the half."""
_EXPONENT = 290  # of ten; beyond it a float overflows
_PLAIN = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00b7": ".", "\u00a0": " "})


@dataclass(frozen=True, kw_only=True)
class PrintedNumber:
    """A number with its printed decimals; a percentage is stored as a fraction of 1."""

    text: str
    value: Fraction
    unit: Fraction
    """Value of one step of the last digit: .001 for ".722" and for "57.9%"."""

    def reading(self, exact: Fraction | float) -> Reading | None:
        """The rounding that turns `exact` into this text: half up, cut off, twice, or none.

        29/31 is .93548; rounded to .9355 and again it is .936.
        """
        size, printed = abs(Fraction(exact)), abs(self.value)
        if exact and self.value and (exact > 0) != (self.value > 0):
            return None
        # A float may be a hair off the tie that it stands for: 1.105 is 1.1049999999999999822.
        slack = self.unit / 10**6 if isinstance(exact, float) else Fraction(0)
        if printed - self.unit / 2 - slack <= size < printed + self.unit / 2 + slack:
            return "rounded"
        if printed - slack <= size < printed + self.unit + slack:
            return "truncated"
        least = printed - self.unit / 2 - self.unit * _TWICE - slack
        return "rounded twice" if least <= size < printed else None

    def span(self) -> Span:
        """Lowest and highest value that may have been printed so, rounded or cut off."""
        size, unit = abs(self.value), self.unit
        if size == 0:
            return -float(unit), float(unit)
        near, far = float(size - unit / 2), float(size + unit)
        return (near, far) if self.value > 0 else (-far, -near)

    def may_be_below(self, other: "PrintedNumber") -> bool:
        """True if the exact value may be at most that of another number.

        Rounding keeps the order of numbers with equal decimals, but not with different ones.
        """
        if self.value <= other.value:
            return True
        return self.unit != other.unit and self.span()[0] <= other.span()[1]

    def counts(self, n: int) -> range:
        """Every k for which k/n may have been printed so; empty if there is none.

        Numbers that were rounded twice count only if no other number fits.
        """
        low, high = self.value - self.unit / 2, self.value + self.unit
        end = max(min(ceil(high * n), n + 1), 0)
        ks = range(max(ceil(low * n), 0), end)
        return ks or range(max(ceil((low - self.unit * _TWICE) * n), 0), end)

    def like(self, exact: Fraction | float) -> str:
        """Another number, printed in the same way."""
        percent, places = self._style()
        number = Fraction(exact) * (100 if percent else 1)
        decimal = Decimal(number.numerator) / Decimal(number.denominator)
        step = Decimal(1).scaleb(-places)
        return f"{decimal.quantize(step, context=_EXACT)}{'%' if percent else ''}"

    def _style(self) -> tuple[bool, int]:
        percent = self.text.endswith("%")
        unit = Decimal(self.unit.numerator) / Decimal(self.unit.denominator)
        places = -int(unit.adjusted()) - (2 if percent else 0)
        return percent, max(places, 0)


@dataclass(frozen=True, kw_only=True)
class PrintedP:
    """A P value in print: `0.04`, `<0.001`, `>0.99`."""

    text: str
    relation: Relation
    number: PrintedNumber

    def reading(self, p: float) -> Reading | None:
        """The rounding that turns `p` into this text; None if none does."""
        if self.relation == "=":
            return self.number.reading(p)
        value = float(self.number.value)
        holds = p <= value if self.relation == "<" else p >= value
        return "rounded" if holds else None

    def like(self, p: float) -> str:
        """Another P with equal decimals: `0.003`, `<0.001`."""
        rounded = self.number.like(p)
        return rounded if float(rounded) else f"<{self.number.like(self.number.unit)}"

    def span(self) -> Span:
        """Lowest and highest P value that the text allows, within 0..1."""
        value = float(self.number.value)
        low, high = self.number.span()
        low, high = {"=": (low, high), "<": (0.0, value), ">": (value, 1.0)}[self.relation]
        return min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)


def printed_number(text: str) -> PrintedNumber | None:
    """The number of a cell, or None if the cell is not one number.

    A leading zero may be missing, the sign may be a true minus, the point a middle dot; `57.9%`
    is .579. Words, NaN, infinity and decimal commas are not numbers here.
    """
    plain = text.translate(_PLAIN).strip()
    match = _NUMBER.fullmatch(plain.replace(" %", "%"))
    if match is None or len(plain) > _LONGEST:
        return None
    sign, whole, decimals, exponent, percent = match.groups()
    digits = (whole or "") + (decimals or "")
    scale = int(exponent or 0) - len(decimals or "") - (2 if percent else 0)
    if not digits or abs(int(exponent or 0)) > _EXPONENT:
        return None
    unit = Fraction(10) ** scale
    return PrintedNumber(text=plain, value=int(f"{sign}{digits}") * unit, unit=unit)


def printed_p(text: str) -> PrintedP | None:
    """The P value of a cell, or None if it cannot be read."""
    plain = text.translate(_PLAIN).strip()
    relation: Relation = "="
    for sign, meaning in (("<", "<"), (">", ">"), ("=", "="), ("\u2264", "<"), ("\u2265", ">")):
        if plain.startswith(sign):
            relation, plain = meaning, plain[1:].strip()  # type: ignore[assignment]
            break
    number = printed_number(plain)
    if number is None or number.text.endswith("%"):
        return None
    return PrintedP(text=text.strip(), relation=relation, number=number)


def shortly(value: float, digits: int = 2) -> str:
    """A recomputed number for a sentence: `0.0028`, `1.7e-10`, `-1.42`."""
    if value == 0 or not abs(value) < float("inf"):
        return f"{value:g}"
    if abs(value) < 1e-4 or abs(value) >= 1e6:
        return f"{value:.{digits - 1}e}"
    places = max(digits, digits - 1 - Decimal(value).adjusted())
    return str(Decimal(value).quantize(Decimal(1).scaleb(-places), context=_EXACT))
