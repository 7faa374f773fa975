"""How far a stage is: a bar on a terminal, a line every ten seconds elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tqdm import tqdm

logger = logging.getLogger(__name__)

SECONDS_PER_LINE = 10


def progress(
    rows: Iterable[dict[str, Any]], sizes: Mapping[str, int], *, what: str
) -> Iterator[dict[str, Any]]:
    """Pass on what became of the inputs, and say how far the work is.

    Args:
        rows: One an input: "input", and "rows" that it gave.
        sizes: How much work each input is, in any unit; alike where all are 0.
        what: The output folder.
    """
    work = sum(sizes.values())
    if sys.stderr.isatty():
        yield from _bar(rows, sizes if work else dict.fromkeys(sizes, 1), what)
        return
    start = said = time.monotonic()
    count, made, done = 0, 0, 0
    for row in rows:
        count, made, done = count + 1, made + row["rows"], done + sizes[row["input"]]
        yield row
        now = time.monotonic()
        if now - said > SECONDS_PER_LINE or count == len(sizes):
            said = now
            part = done / work if work else count / len(sizes)
            logger.info("%s: %s", what, _line(count, len(sizes), made, part, now - start))


def _bar(
    rows: Iterable[dict[str, Any]], sizes: Mapping[str, int], what: str
) -> Iterator[dict[str, Any]]:
    """A bar as long as the work: the largest inputs come first, and counts would mislead."""
    shown = "{desc}: {percentage:3.0f}%|{bar}|{postfix} [{elapsed}<{remaining}]"
    made = 0
    with tqdm(total=sum(sizes.values()), desc=what, bar_format=shown) as bar:
        for count, row in enumerate(rows, start=1):
            made += row["rows"]
            bar.set_postfix_str(f"{count}/{len(sizes)} inputs, {made} rows", refresh=False)
            bar.update(sizes[row["input"]])
            yield row


def _line(count: int, total: int, rows: int, part: float, seconds: float) -> str:
    """What `progress` says of `count` of `total` inputs, which are `part` (0..1) of the work."""
    line = f"{count} of {total} inputs, {rows} rows, {rows / max(seconds, 1e-9):.1f} rows/s"
    if not 0 < part < 1:
        return line
    return f"{line}, {part:.0%} of the work, about {_span(seconds / part * (1 - part))} left"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
