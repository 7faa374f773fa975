"""The typed cells of both papers, as text and as counts."""

import csv
from fractions import Fraction
from importlib import resources

from idhray.stats.audit.printed_number import PrintedNumber, printed_number
from idhray.stats.sample import SampleError

Row = dict[str, str]  # every value as printed, "" where nothing is
Pair = tuple[int, ...]  # one level's counts, one per group


def typed(name: str) -> list[Row]:
    """The rows of `idhray/stats/papers/published/NAME.csv`."""
    file = resources.files("idhray.stats.papers.published").joinpath(f"{name}.csv")
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def counts_in(text: str) -> list[Pair]:
    """`47/19; 28/8` as [(47, 19), (28, 8)]: levels, and in each the groups."""
    return [tuple(int(count) for count in level.split("/")) for level in text.split(";")]


def number_in(text: str) -> PrintedNumber:
    """A printed number.

    Raises:
        SampleError: the text is none; the typed table has a slip.
    """
    number = printed_number(text)
    if number is None:
        raise SampleError(f"{text!r} is not a number; correct the typed table")
    return number


def fractions_that_print(text: str, n: int) -> list[Fraction]:
    """Every k/n that prints as `text` when rounded half up; k is the numerator over n."""
    number = number_in(text)
    return [Fraction(k, n) for k in number.counts(n) if number.reading(Fraction(k, n)) == "rounded"]


def count_of(share: Fraction, n: int) -> str:
    """`22/38` for the share 11/19 of 38."""
    return f"{share * n}/{n}"
