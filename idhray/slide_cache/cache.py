"""Slides of an object store or a slow disk, copied to this node before they are read.

All processes of a node share one cache folder, and no other record than its names: KEY-BYTES is a
whole copy, KEY-BYTES.part one under way, its bytes taken from the budget by making it. Its maker
locks it (exclusively while copying, shared while reading), and the kernel unlocks it when the
process ends, however it ends: a part without a lock is rubbish, a copy without one may be evicted.
Names change only under the lock of the cache folder itself.
"""

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from idhray.errors import ConfigError, StorageError
from idhray.slide_cache.slots import opened, try_lock
from idhray.slide_cache.source import FULL, Source, fetch, is_whole, source_of

PART = ".part"
POLL_S = 0.1
_NAME = re.compile(r"[0-9a-f]{32}-(\d+)(\.part)?")


@dataclass(frozen=True)
class Cache:
    """A folder of copies, for all processes of a node at once."""

    folder: str
    """On a local disk; made if need be. What else lies in it is neither counted nor touched."""
    budget_bytes: int
    """Of all copies together, those under way included."""
    wait_s: float = 3600.0
    """How long to wait for room, or for another process that copies the same file."""

    def __post_init__(self) -> None:
        if not os.path.isabs(self.folder):  # nor a URI
            raise ConfigError(f"cache folder must be an absolute local path, got {self.folder!r}")
        if self.budget_bytes < 1:
            raise ConfigError(f"budget_bytes must be 1 or more, got {self.budget_bytes}")
        if not self.wait_s >= 0:
            raise ConfigError(f"wait_s must be 0 or more, got {self.wait_s}")

    @contextlib.contextmanager
    def file(
        self, path: str, *, while_waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Iterator[str]:
        """A local copy of the file at `path`, with those that belong to it beside it.

        It is copied if it is not there yet, as it is at the source now, and stays at least until
        the context ends. One who holds a file while asking for another may wait for himself.

        Args:
            path: Or URI.
            while_waiting: Entered while there is no room, or another process copies the file.

        Raises:
            StorageError: the file is missing, unreadable, was not sent whole or changes; it is
                larger than the budget; the disk is full; or waiting took longer than `wait_s`.
        """
        source = source_of(path)
        if source.size > self.budget_bytes:
            raise StorageError(
                f"{path}: has {source.size:,} bytes, more than the cache's budget of "
                f"{self.budget_bytes:,}; give a larger one"
            )
        try:
            held = self._held(source, while_waiting)
        except OSError as error:
            raise StorageError(f"{path}: cannot be kept in {self.folder} ({error})") from None
        try:
            yield os.path.join(self._place(source), source.name)
        finally:
            os.utime(held, ns=(time.time_ns(), time.time_ns()))  # last used
            os.close(held)

    def _place(self, source: Source) -> str:
        return os.path.join(self.folder, f"{source.key}-{source.size}")

    def _held(
        self, source: Source, while_waiting: Callable[[], AbstractContextManager[None]]
    ) -> int:
        """A descriptor that keeps the source's copy from eviction until it is closed."""
        os.makedirs(self.folder, exist_ok=True)
        deadline = time.monotonic() + self.wait_s
        part = self._place(source) + PART
        # Only one waits for room: small files would take it away from a large one for ever.
        with opened(os.path.join(self.folder, ".turn")) as turn:
            while True:
                with self._alone():
                    if (held := self._found(source)) is not None:
                        return held
                    under_way = os.path.isdir(self._place(source)) or not _removed(part)
                    if not under_way and try_lock(turn) and self._room(source.size):
                        os.mkdir(part)
                        held = os.open(part, os.O_RDONLY)
                        fcntl.flock(held, fcntl.LOCK_EX)
                        break
                if time.monotonic() > deadline:
                    raise StorageError(self._waited(source, under_way))
                with while_waiting():
                    time.sleep(POLL_S)
        return self._filled(source, part, held)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other process changes names; for moments only."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _found(self, source: Source) -> int | None:
        """The copy that is there, held from now on."""
        place = self._place(source)
        if not os.path.isdir(place):
            return None
        # Not whole: a deletion that was killed, a cleaner of old files, or the power was cut.
        if not is_whole(source, place):
            _removed(place)
            return None
        held = os.open(place, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_SH)
        return held

    def _room(self, need: int) -> bool:
        """Whether `need` bytes are free now, after as many evictions as that takes."""
        copies = []
        for item in os.scandir(self.folder):
            if match := _NAME.fullmatch(item.name):
                whole = match[2] is None
                copies.append((whole, item.stat().st_mtime_ns, int(match[1]), item.path))
        used = sum(size for _, _, size, _ in copies)
        for whole, _, size, path in sorted(copies):  # rubbish first, then the least recently used
            if whole and used + need <= self.budget_bytes:
                break
            used -= size * _removed(path)
        return used + need <= self.budget_bytes

    def _filled(self, source: Source, part: str, held: int) -> int:
        """The copy, made under its temporary name, and held."""
        try:
            self._fetched(source, part)
            with self._alone():
                os.rename(part, self._place(source))
                fcntl.flock(held, fcntl.LOCK_SH)  # not at one stroke, therefore alone
        except BaseException:
            os.close(held)
            with self._alone():
                _removed(part)
            raise
        return held

    def _fetched(self, source: Source, part: str) -> None:
        for _ in range(2):
            try:
                return fetch(source, part)
            except OSError as error:
                if error.errno not in FULL:
                    raise
            with self._alone():
                self._room(self.budget_bytes)  # from all that nobody uses
        raise StorageError(
            f"{source.path}: {source.size:,} bytes more fill the disk of {self.folder}, within "
            f"the cache's budget of {self.budget_bytes:,}; free some or give a smaller budget"
        )

    def _waited(self, source: Source, under_way: bool) -> str:
        if under_way:
            return f"{source.path}: another process is busy with it for {self.wait_s:g} s; end it"
        return (
            f"{source.path}: no room for {source.size:,} bytes in {self.folder} for {self.wait_s:g}"
            f" s, all of {self.budget_bytes:,} in use; give a larger budget or fewer workers"
        )


def _removed(path: str) -> bool:
    """Whether nothing is at `path` any more: it goes unless a process holds it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        if not try_lock(descriptor):
            return False
        shutil.rmtree(path)
        return True
    finally:
        os.close(descriptor)
