"""Printed tables with footnotes: a mark in a cell and its meaning below the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

_LETTERS = (
    "\u1d43\u1d47\u1d9c\u1d48\u1d49\u1da0\u1d4d\u02b0\u2071\u02b2\u1d4f\u02e1"  # a to l, raised
)


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A table as text, with the notes below it."""

    frame: pd.DataFrame
    """Every cell is a string."""
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class Footnotes:
    """Reasons collected while a table is printed; each distinct reason gets a letter."""

    letters: dict[str, str] = field(default_factory=dict)
    """Reason -> its mark, in order of first use."""

    def mark(self, reason: str) -> str:
        """The reason's mark after a no-break space.

        After the twelfth reason, marks are numbers in brackets.
        """
        number = len(self.letters)
        new = _LETTERS[number] if number < len(_LETTERS) else f"[{number + 1}]"
        return "\u00a0" + self.letters.setdefault(reason.rstrip("."), new)

    @property
    def notes(self) -> list[str]:
        """Lines of mark and reason."""
        return [f"{mark} {reason}" for reason, mark in self.letters.items()]


def marks_in(frame: pd.DataFrame, marks: Mapping[str, str]) -> list[str]:
    """Lines of mark and meaning, for the marks that occur in a printed table.

    Args:
        marks: Mark -> meaning.
    """
    text = " ".join(frame.astype(str).to_numpy().ravel())
    return [f"{mark} {meaning}" for mark, meaning in marks.items() if mark in text]
