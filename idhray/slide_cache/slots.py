"""Slots of a node: no more processes compute at the same time than there are slots.

The kernel frees a slot when its process ends, even if it is killed. The lock files must lie on a
local disk: locks of network file systems may be missing or outlive their process.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from idhray.errors import ConfigError
from idhray.locks import lock

POLL_S = 0.01


def try_lock(descriptor: int) -> bool:
    """True if the exclusive lock is free, and now taken, or already held by this descriptor."""
    return lock(descriptor) == "held"


@contextlib.contextmanager
def lock_file(path: str) -> Iterator[int]:
    """Descriptor of a lock file, created if missing; its locks are freed at the end."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def slot(folder: str, count: int) -> Iterator[int]:
    """Wait for one of the `count` slots of this node, and hold it.

    Fetch files before: a process that waits here lets others compute, but a process that fetches
    files while it holds a slot blocks them.

    Args:
        folder: Folder of the lock files, on a local disk, the same for all processes.
        count: Number of slots: the CPUs of this node that may be used.

    Returns:
        The number of the slot, 0 to `count` - 1.

    Raises:
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f"slots must be 1 or more, got {count}")
    os.makedirs(folder, exist_ok=True)
    with contextlib.ExitStack() as locks:
        # One process looks for a free slot; the others sleep in the kernel until it is their turn.
        with lock_file(os.path.join(folder, ".slot-turn")) as turn:
            if lock(turn, fcntl.LOCK_EX) == "unsupported":
                yield 0  # no limit without locks; Ray starts only a few more processes than CPUs
                return
            number = None
            while number is None:
                number = _lock_free_slot(folder, count, locks)
                if number is None:
                    time.sleep(POLL_S)
        yield number


def _lock_free_slot(folder: str, count: int, locks: contextlib.ExitStack) -> int | None:
    """Lock the first free slot until `locks` closes; return its number, None if all are taken."""
    for number in range(count):
        with contextlib.ExitStack() as candidate:
            lock = candidate.enter_context(lock_file(os.path.join(folder, f".slot-{number:03d}")))
            if try_lock(lock):
                locks.push(candidate.pop_all())
                return number
    return None
