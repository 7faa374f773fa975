"""Patience with object stores: calls that failed for a passing reason are repeated for minutes.

A refusal (403, 404, no such bucket) is an answer and ends the call at once. Silence, overload and
faults of the server (429, 5xx, broken connections) are repeated with growing pauses.
"""

import logging
import os
import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

from idhray.errors import ConfigError, StorageError, UnreachableError, one_line

PATIENCE_VARIABLE = "IDHRAY_STORE_PATIENCE_MINUTES"
PATIENCE_MINUTES = 10.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
SHOWN_CHARACTERS = 300

PASSING = re.compile(
    r"NETWORK_CONNECTION|SLOW_DOWN|THROTTLING|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|INTERNAL_ERROR"
    r"|REQUEST_TIMEOUT|HTTP status (408|429|5\d\d)|curlCode|timed? ?out|connection (reset|refused)"
    r"|could ?n[o']t (connect|resolve)|temporarily unavailable|RESOURCE_EXHAUSTED|UNAVAILABLE"
    r"|DEADLINE_EXCEEDED|broken pipe",
    re.IGNORECASE,
)
"""Words of pyarrow's errors (AWS SDK, Google Cloud client) that tell a passing reason."""
_REQUEST_ID = re.compile(r"\s*\(Request ID: [^)]*\)")

logger = logging.getLogger(__name__)
T = TypeVar("T")


def patience_s() -> float:
    """Seconds for which one call to a store is repeated.

    Raises:
        ConfigError: the environment variable holds no number of minutes.
    """
    text = os.environ.get(PATIENCE_VARIABLE, "")
    try:
        minutes = float(text) if text else PATIENCE_MINUTES
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes < 1e6:
        raise ConfigError(f"{PATIENCE_VARIABLE} must be a number of minutes, got {text!r}")
    return 60 * minutes


def is_passing(error: OSError) -> bool:
    """True if the same call may succeed later."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, FileNotFoundError | FileExistsError | NotADirectoryError):
        return False
    return PASSING.search(str(error)) is not None


def patiently(call: Callable[[], T], place: str) -> T:
    """Result of a call to a store, repeated while it fails for a passing reason.

    Args:
        call: Call without lasting effect if it fails.
        place: Path or URI, for messages.

    Raises:
        StorageError: the store refused the call.
        UnreachableError: the store did not answer in `patience_s`.
        FileNotFoundError: no such file; also FileExistsError and NotADirectoryError.
    """
    start, pause = time.monotonic(), FIRST_PAUSE_S
    budget = patience_s()
    while True:
        try:
            result = call()
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            raise
        except OSError as error:
            reason = _reason(error)
            if not is_passing(error):
                raise StorageError(f"{place}: refused by the store ({reason})") from None
            left = budget - (time.monotonic() - start)
            if left <= 0:
                raise UnreachableError(
                    f"{place}: the store did not answer for {budget / 60:g} min ({reason}); run "
                    f"the same command when it answers, or raise {PATIENCE_VARIABLE}"
                ) from None
            if pause == FIRST_PAUSE_S:
                minutes = budget / 60
                logger.warning("%s: trying again for up to %g min (%s)", place, minutes, reason)
        else:
            if pause > FIRST_PAUSE_S:
                logger.warning("%s: answers after %.0f s", place, time.monotonic() - start)
            return result
        # Workers that failed together must not return together.
        time.sleep(min(left, pause * random.uniform(0.5, 1)))
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _reason(error: OSError) -> str:
    return _REQUEST_ID.sub("", one_line(error))[:SHOWN_CHARACTERS]
