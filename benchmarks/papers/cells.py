"""Printed cells beside their recomputed values, and the conventions that reproduce them.

A convention (a test, a reference category, an interval) is never asserted: all candidates are
computed, and the one that reproduces most cells is named.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import isfinite, nan
from pathlib import Path
from typing import Literal

from idhray.stats.audit.printed_number import PrintedNumber, printed_number, printed_p

Row = dict[str, str]  # one row of a typed table: every value as printed, "" where nothing is
Place = tuple[str, str]  # row and item of a cell
Status = Literal["match", "truncated", "mismatch", "impossible", "not recomputable", "added"]
STATUSES: dict[Status, str] = {
    "match": "equal after rounding half up",
    "truncated": "equal after cutting off digits",
    "mismatch": "another value follows from what is printed",
    "impossible": "no data can give it",
    "not recomputable": "needs data that are not printed",
    "added": "computed here, not in the paper",
}


@dataclass(frozen=True)
class Cell:
    """A published value, what it should be, and how that was computed."""

    row: str
    item: str
    """Figure of the row: `beta`, `P*`, `sensitivity`."""
    published: str
    """As printed; "" where the paper has none."""
    recomputed: str
    status: Status
    convention: str
    """Method that reproduces the cell, or was tried in vain; if not recomputable, the reason."""
    remark: str = ""
    value: float = nan
    """The recomputed number, unrounded; NaN where there is none."""


@dataclass(frozen=True)
class Block:
    """The cells of one published table, and conclusions about all of them."""

    title: str
    cells: Sequence[Cell]
    findings: Sequence[str] = ()


def compared(
    place: Place,
    published: str,
    value: Fraction | float,
    text: str,
    convention: str,
    *,
    remark: str = "",
) -> Cell:
    """A printed number beside a recomputed one, which is shown as `text`."""
    status = status_of(published, value)
    return Cell(*place, published, text, status, convention, remark, float(value))


def same_text(
    place: Place,
    published: str,
    text: str,
    convention: str,
    *,
    remark: str = "",
    value: float = nan,
) -> Cell:
    """A printed text that must be equal to the recomputed one."""
    status: Status = "match" if published == text else "mismatch"
    return Cell(*place, published, text, status, convention, remark, value)


def added(
    place: Place,
    text: str,
    convention: str,
    *,
    remark: str = "",
    value: float = nan,
    published: str = "",
) -> Cell:
    """A value that the paper does not have."""
    return Cell(*place, published, text, "added", convention, remark, value)


def unavailable(place: Place, published: str, reason: str, *, remark: str = "") -> Cell:
    """A value that needs data which are not printed."""
    return Cell(*place, published, "", "not recomputable", reason, remark)


def status_of(published: str, value: Fraction | float) -> Status:
    """Rounding by which a recomputed value may have become the printed number or P value."""
    number, p = printed_number(published), printed_p(published)
    assert p is not None or number is not None, f"{published!r} is no printed number"
    if not isfinite(float(value)):
        return "not recomputable"
    # 13 digits drop the rounding noise of sums: 0.28499999999999998 is 0.285.
    exact = value if isinstance(value, Fraction) else float(f"{value:.13g}")
    reading = number.reading(exact) if number else p.reading(float(exact)) if p else None
    return "match" if reading == "rounded" else reading or "mismatch"


def reproduces(published: str, value: Fraction | float) -> bool:
    """True if the value gives the printed text, rounded or cut off."""
    return status_of(published, value) in ("match", "truncated")


def tally(statuses: Iterable[Status]) -> dict[Status, int]:
    """Number of cells by status, in the order of `STATUSES`; only statuses that occur."""
    counts = Counter(statuses)
    return {status: counts[status] for status in STATUSES if counts[status]}


def tally_text(statuses: Iterable[Status]) -> str:
    """`16 match, 1 truncated, 3 mismatch`; cells without the convention do not count."""
    counts = tally(statuses)
    return ", ".join(f"{n} {name}" for name, n in counts.items() if name != "not recomputable")


def tally_by_convention(
    published: Sequence[str], values: Mapping[str, Sequence[float]]
) -> list[str]:
    """One sentence per convention: `Wald P: 14 match, 4 truncated, 3 mismatch.`"""
    return [f"{name}: {tally_text(map(status_of, published, v))}." for name, v in values.items()]


def best_convention(published: Sequence[str], values: Mapping[str, Sequence[float]]) -> str:
    """The convention that reproduces most cells, then the one with most matches, then the first.

    Args:
        published: The printed cells.
        values: Name of a convention -> its value of each cell, NaN where it does not apply.
    """

    def score(name: str) -> tuple[int, int]:
        counts = Counter(map(status_of, published, values[name]))
        return counts["match"] + counts["truncated"], counts["match"]

    return max(values, key=score)


@cache
def typed(name: str) -> tuple[Row, ...]:
    """The rows of `published/NAME.csv`."""
    text = (Path(__file__).parent / "published" / f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def find(name: str, **cells: str) -> Row:
    """The first row of `published/NAME.csv` with these cells."""
    return next(r for r in typed(name) if all(r[key] == text for key, text in cells.items()))


def sizes_of(row: Row) -> tuple[int, int]:
    """Mutants and wildtypes of a row."""
    return int(row["n_mutant"]), int(row["n_wildtype"])


def counts_in(text: str) -> list[tuple[int, ...]]:
    """`47/19; 28/8` as [(47, 19), (28, 8)]: levels, and in each the groups."""
    return [tuple(int(count) for count in level.split("/")) for level in text.split(";")]


def number_in(text: str) -> PrintedNumber:
    """A printed number, or the bound of a printed P such as `<0.001`."""
    number = printed_number(text.lstrip("<"))
    assert number is not None, f"{text!r} is not a number; correct the typed table"
    return number


def float_in(text: str) -> float:
    """The same as a float."""
    return float(number_in(text).value)


def fractions_that_print(text: str, n: int) -> list[Fraction]:
    """Every k/n that prints as `text` when rounded half up."""
    number = number_in(text)
    return [Fraction(k, n) for k in number.counts(n) if number.reading(Fraction(k, n)) == "rounded"]


def count_of(share: Fraction, n: int) -> str:
    """`22/38` for the share 11/19 of 38."""
    return f"{share * n}/{n}"
