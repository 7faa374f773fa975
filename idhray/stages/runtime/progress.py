"""Progress of a stage: a bar on a terminal, a log line every ten seconds elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping

from tqdm import tqdm

from idhray.stages.runtime.items import ItemReport

logger = logging.getLogger(__name__)

SECONDS_PER_LINE = 10
BAR_FORMAT = "{desc}: {percentage:3.0f}%|{bar}|{postfix} [{elapsed}<{remaining}]"


def progress(
    reports: Iterable[ItemReport], sizes: Mapping[str, int], *, label: str
) -> Iterator[ItemReport]:
    """Pass on the reports of the workers and show the progress.

    Args:
        reports: One for each input.
        sizes: Size of each input in any unit. If all are 0, inputs count alike.
        label: Name that the bar or the lines begin with.
    """
    work = sum(sizes.values())
    if sys.stderr.isatty():
        yield from _bar(reports, sizes if work else dict.fromkeys(sizes, 1), label)
        return
    start = last_line = time.monotonic()
    count, rows, size = 0, 0, 0
    for report in reports:
        count, rows, size = count + 1, rows + report["rows"], size + sizes[report["input"]]
        yield report
        now = time.monotonic()
        if now - last_line > SECONDS_PER_LINE or count == len(sizes):
            last_line = now
            fraction = size / work if work else count / len(sizes)
            logger.info("%s: %s", label, _line(count, len(sizes), rows, fraction, now - start))


def _bar(
    reports: Iterable[ItemReport], sizes: Mapping[str, int], label: str
) -> Iterator[ItemReport]:
    """Show a bar in units of size. The largest inputs come first, so counts would mislead."""
    rows = 0
    with tqdm(total=sum(sizes.values()), desc=label, bar_format=BAR_FORMAT) as bar:
        for count, report in enumerate(reports, start=1):
            rows += report["rows"]
            bar.set_postfix_str(f"{count}/{len(sizes)} inputs, {rows} rows", refresh=False)
            bar.update(sizes[report["input"]])
            yield report


def _line(count: int, total: int, rows: int, fraction: float, seconds: float) -> str:
    """Log line after `count` of `total` inputs, which are `fraction` (0..1) of the work."""
    line = f"{count} of {total} inputs, {rows} rows, {rows / max(seconds, 1e-9):.1f} rows/s"
    if not 0 < fraction < 1:
        return line
    time_left = _duration(seconds / fraction * (1 - fraction))
    return f"{line}, {fraction:.0%} of the work, about {time_left} left"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
