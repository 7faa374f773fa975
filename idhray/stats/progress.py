"""Log lines of long computations."""

import logging
import time
from collections.abc import Iterator

logger = logging.getLogger(__name__)

SECONDS_PER_LINE = 10.0


def counted(total: int, label: str) -> Iterator[int]:
    """0 to total - 1, with a log line every ten seconds.

    Args:
        total: Number of rounds.
        label: Beginning of the line: the computation.
    """
    last_line = time.monotonic()
    for number in range(total):
        yield number
        if (now := time.monotonic()) - last_line > SECONDS_PER_LINE:
            last_line = now
            logger.info("%s: %d of %d", label, number + 1, total)
