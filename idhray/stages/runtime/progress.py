"""Progress of a stage: a bar on a terminal, a log line every half minute elsewhere."""

import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping

from tqdm import tqdm

from idhray.stages.runtime.items import ItemReport

logger = logging.getLogger(__name__)

SECONDS_PER_LINE = 30
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
    with _Lines(sizes, label) as lines:
        for report in reports:
            lines.add(report)
            yield report
            lines.tell_if_due()


class _Lines:
    """Log lines on the progress, also while no input ends for long."""

    def __init__(self, sizes: Mapping[str, int], label: str) -> None:
        self._sizes, self._label = sizes, label
        self._count, self._rows, self._size = 0, 0, 0
        self._start = self._last_line = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell_of_silence, daemon=True)

    def __enter__(self) -> "_Lines":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def add(self, report: ItemReport) -> None:
        """Count an input that has ended."""
        self._count += 1
        self._rows += report["rows"]
        self._size += self._sizes[report["input"]]

    def tell_if_due(self) -> None:
        """Log a line if the last one is half a minute old, and at the end."""
        now = time.monotonic()
        if now - self._last_line > SECONDS_PER_LINE or self._count == len(self._sizes):
            self._tell(now)

    def _tell_of_silence(self) -> None:
        while not self._ended.wait(SECONDS_PER_LINE):
            now = time.monotonic()
            if now - self._last_line >= SECONDS_PER_LINE:
                self._tell(now)

    def _tell(self, now: float) -> None:
        self._last_line = now
        total, work = len(self._sizes), sum(self._sizes.values())
        fraction = self._size / work if work else self._count / total
        line = _line(self._count, total, self._rows, fraction, now - self._start)
        logger.info("%s: %s", self._label, line)


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
