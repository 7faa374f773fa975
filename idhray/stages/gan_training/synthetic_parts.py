"""Parts of a SYNTHETIC table: ranges of indices, one after the other.

A table of n images holds the first n indices whose images are no copies. More images join at the
end, so parts that are complete never change.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from idhray.ledger import Fate

CHUNK = 128  # images of a part


class IndexRange(NamedTuple):
    """IndexRange of the images of a part: `first` to `end` - 1."""

    first: int
    end: int


def part_name(part: IndexRange) -> str:
    """Name of a part in the ledger."""
    return f"images {part.first}-{part.end - 1}"


def in_chunks(first: int, end: int) -> list[IndexRange]:
    """Parts of the images `first` to `end` - 1."""
    return [IndexRange(k, min(k + CHUNK, end)) for k in range(first, end, CHUNK)]


def complete_start(fates: Mapping[str, Fate], count: int) -> list[IndexRange]:
    """Complete parts from image 0 on without a gap, as many as hold `count` images or fewer."""
    complete = [_indices(name) for name, fate in fates.items() if fate.status != "failed"]
    start: list[IndexRange] = []
    while fitting := [
        part
        for part in complete
        if part.first == (start[-1].end if start else 0) and rows_of(fates, [*start, part]) <= count
    ]:
        start.append(max(fitting))
    return start


def rows_of(fates: Mapping[str, Fate], parts: Iterable[IndexRange] | None = None) -> int:
    """Images in some parts; in all of them if None."""
    names = fates if parts is None else map(part_name, parts)
    return sum(fates[name].rows for name in names)


def _indices(name: str) -> IndexRange:
    first, last = name.removeprefix("images ").split("-")
    return IndexRange(int(first), int(last) + 1)
