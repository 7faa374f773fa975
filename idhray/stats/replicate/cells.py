"""One printed cell beside its recomputed value, and which of several conventions reproduces cells.

A convention (a test, a reference category, an interval) is never asserted: all candidates are
computed, and the one that reproduces most cells is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np

from idhray.stats.audit.printed_number import printed_number, printed_p
from idhray.stats.sample import SampleError

Status = Literal["match", "truncated", "mismatch", "impossible", "not recomputable", "added"]
STATUSES: dict[Status, str] = {
    "match": "equal after rounding half up",
    "truncated": "equal after cutting off digits",
    "mismatch": "another value follows from what is printed",
    "impossible": "no data can give it",
    "not recomputable": "needs data that are not printed",
    "added": "computed here, not in the paper",
}
REPRODUCED: tuple[Status, Status] = ("match", "truncated")
NAN = float("nan")
_READINGS: dict[str | None, Status] = {
    "rounded": "match",
    "truncated": "truncated",
    None: "mismatch",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A published value, what it should be, and how that was found."""

    row: str
    item: str
    """Which figure of the row: `beta`, `P*`, `sensitivity`."""
    published: str
    """As printed; "" where the paper has none."""
    recomputed: str = ""
    status: Status
    convention: str = ""
    """What reproduces the cell, or was tried in vain; where not recomputable, why not."""
    remark: str = ""
    value: float = NAN
    """The recomputed number, unrounded; NaN where there is none."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """The cells of one published table, and what can be said of all of them."""

    title: str
    cells: tuple[Cell, ...]
    findings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Convention:
    """One way to compute a column of cells; NaN where it does not apply."""

    name: str
    values: Sequence[float]


def status_of(published: str, value: Fraction | float) -> Status:
    """How a recomputed value may have become the printed text.

    Raises:
        SampleError: the text is no number and no P value.
    """
    number, bound = printed_number(published), printed_p(published)
    if number is None and bound is None:
        raise SampleError(f"{published!r} is not a printed number; correct the typed table")
    if not np.isfinite(float(value)):
        return "not recomputable"
    exact = value if isinstance(value, Fraction) else _clean(value)
    reading = number.reading(exact) if number else bound.reading(float(exact)) if bound else None
    return _READINGS[reading]


def _clean(value: float) -> float:
    """Without the rounding noise of sums: 0.285 computed as 0.28499999999999998 is 0.285."""
    return float(f"{float(value):.13g}")


def tally(published: Sequence[str], convention: Convention) -> dict[Status, int]:
    """How many cells a convention makes match, or fails to; only statuses that occur."""
    found = [status_of(text, v) for text, v in zip(published, convention.values, strict=True)]
    return {status: found.count(status) for status in STATUSES if status in found}


def best_convention(published: Sequence[str], conventions: Sequence[Convention]) -> Convention:
    """The convention that reproduces most cells, then the one with most matches, then the first."""

    def score(convention: Convention) -> tuple[int, int]:
        counts = tally(published, convention)
        return sum(counts.get(status, 0) for status in REPRODUCED), counts.get("match", 0)

    return max(conventions, key=score)


def said(counts: dict[Status, int]) -> str:
    """`16 match, 1 truncated, 3 mismatch`; cells without the convention do not count."""
    return ", ".join(f"{n} {name}" for name, n in counts.items() if name != "not recomputable")


def tally_of(cells: Sequence[Cell]) -> dict[Status, int]:
    """How many cells have each status; only statuses that occur."""
    found = [cell.status for cell in cells]
    return {status: found.count(status) for status in STATUSES if status in found}
