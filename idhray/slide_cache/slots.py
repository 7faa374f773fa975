"""A node's places: as many processes compute at once as there are places, whoever they are.

The kernel frees a place when its process ends, however it ends. A folder on a local disk is needed:
locks of network file systems may be missing or outlive their process.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from idhray.errors import ConfigError

POLL_S = 0.01


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Whether the lock could be had now; asked again by its holder, it is his."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """The descriptor of a lock file, made if need be; what it has locked is freed at the end."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def slot(folder: str, count: int) -> Iterator[int]:
    """Wait for one of the `count` places of this node, and hold it.

    Fetch what is needed first: one that waits here leaves the computing to others, one that
    fetches with a place in hand keeps it from them.

    Args:
        folder: Of the places' lock files, on a local disk, the same for all processes.
        count: Places; the CPUs of this node that may be used.

    Returns:
        The place, 0 to `count` - 1.

    Raises:
        ConfigError: there is no place at all.
    """
    if count < 1:
        raise ConfigError(f"slots must be 1 or more, got {count}")
    os.makedirs(folder, exist_ok=True)
    with contextlib.ExitStack() as held:
        # One looks for a free place; the others sleep in the kernel until it is their turn.
        with opened(os.path.join(folder, ".slot-turn")) as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            place = None
            while place is None:
                place = _free_place(folder, count, held)
                if place is None:
                    time.sleep(POLL_S)
        yield place


def _free_place(folder: str, count: int, held: contextlib.ExitStack) -> int | None:
    """The first free place, from now on held until `held` ends."""
    for place in range(count):
        with contextlib.ExitStack() as tried:
            lock = tried.enter_context(opened(os.path.join(folder, f".slot-{place:03d}")))
            if try_lock(lock):
                held.push(tried.pop_all())
                return place
    return None
