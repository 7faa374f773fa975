"""Copies of slides from an object store or a slow disk, made on this node before they are read.

All processes of a node share one cache folder. Its only record is the names in it: KEY-BYTES is a
complete copy, KEY-BYTES.part is a copy in progress, whose bytes count against the budget from its
creation. The process that uses a copy locks it (exclusively while copying, shared while reading).
The kernel unlocks it when the process ends, even if it is killed: a part without a lock is left
over, and a copy without a lock may be evicted. Names change only under the lock of the cache folder
itself.
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
from idhray.locks import lock as lock_descriptor
from idhray.slide_cache.slots import lock_file, try_lock
from idhray.slide_cache.source import FULL, Source, fetch, is_whole, source_of

PART = ".part"
CACHE_FILE = "_cache.json"
"""File of a TILES folder that names the folder of copies, which is the same on each node."""
POLL_S = 0.1
_NAME = re.compile(r"[0-9a-f]{32}-(\d+)(\.part)?")


@dataclass(frozen=True)
class Cache:
    """A folder of copies, shared by all processes of a node."""

    folder: str
    """Folder on a local disk, created if missing. Other files in it are not counted or touched."""
    budget_bytes: int
    """Limit of all copies together, copies in progress included."""
    wait_s: float = 3600.0
    """Longest wait for room, or for another process that copies the same file."""

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
        """Path of a local copy of a file, in a folder with the files that belong to it.

        The file is copied unless the cache holds its present state, and the copy stays at least
        until the context ends. A process that asks for a second file while it holds one may block
        itself.

        Args:
            path: Path or URI of the file.
            while_waiting: Context entered while the cache has no room or another process copies
                the file.

        Raises:
            StorageError: the file is missing, unreadable, incomplete or changing; it is larger
                than the budget; the disk is full; or the wait took longer than `wait_s`.
        """
        source = source_of(path)
        if source.size > self.budget_bytes:
            raise StorageError(
                f"{path}: has {source.size:,} bytes, more than the cache's budget of "
                f"{self.budget_bytes:,}; give a larger one"
            )
        try:
            lock = self._locked_copy(source, while_waiting)
        except OSError as error:
            raise StorageError(f"{path}: cannot be copied to {self.folder} ({error})") from None
        try:
            yield os.path.join(self._copy_path(source), source.name)
        finally:
            os.utime(lock, ns=(time.time_ns(), time.time_ns()))  # last used
            os.close(lock)

    def remove_copies(self, is_file: Callable[[str], bool]) -> list[str]:
        """Remove the copies that hold a file for whose name `is_file` is true.

        Returns:
            Folders of copies that a process is using; they are still there.
        """
        busy = []
        with self._names_locked():
            for item in os.scandir(self.folder):
                holds = _NAME.fullmatch(item.name) and any(map(is_file, os.listdir(item.path)))
                if holds and not _remove_unused(item.path):
                    busy.append(item.path)
        return busy

    def _copy_path(self, source: Source) -> str:
        return os.path.join(self.folder, f"{source.key}-{source.size}")

    def _locked_copy(
        self, source: Source, while_waiting: Callable[[], AbstractContextManager[None]]
    ) -> int:
        """Descriptor that keeps the source's copy from eviction until it is closed."""
        os.makedirs(self.folder, exist_ok=True)
        deadline = time.monotonic() + self.wait_s
        part = self._copy_path(source) + PART
        # One process at a time waits for room: small files would keep a large one out forever.
        with lock_file(os.path.join(self.folder, ".turn")) as turn:
            while True:
                with self._names_locked():
                    if (lock := self._lock_existing(source)) is not None:
                        return lock
                    busy = os.path.isdir(self._copy_path(source)) or not _remove_unused(part)
                    if not busy and try_lock(turn) and self._make_room(source.size):
                        os.mkdir(part)
                        lock = os.open(part, os.O_RDONLY)
                        fcntl.flock(lock, fcntl.LOCK_EX)
                        break
                if time.monotonic() > deadline:
                    raise StorageError(self._timeout_message(source, busy))
                with while_waiting():
                    time.sleep(POLL_S)
        return self._fill(source, part, lock)

    @contextlib.contextmanager
    def _names_locked(self) -> Iterator[None]:
        """Context in which no other process changes names; it must be short."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            if lock_descriptor(descriptor, fcntl.LOCK_EX) == "unsupported":
                raise StorageError(
                    f"{self.folder}: its file system has no locks (flock), which a cache needs; "
                    "choose a folder on a disk of the node"
                )
            yield
        finally:
            os.close(descriptor)

    def _lock_existing(self, source: Source) -> int | None:
        """Lock the source's complete copy for reading; None if the cache has none."""
        path = self._copy_path(source)
        if not os.path.isdir(path):
            return None
        # Incomplete after a killed deletion, a cleaner of old files, or a power cut.
        if not is_whole(source, path):
            _remove_unused(path)
            return None
        lock = os.open(path, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_SH)
        return lock

    def _make_room(self, need: int) -> bool:
        """Evict copies until `need` bytes are free; False if that is not possible now."""
        copies = []
        for item in os.scandir(self.folder):
            if match := _NAME.fullmatch(item.name):
                whole = match[2] is None
                copies.append((whole, item.stat().st_mtime_ns, int(match[1]), item.path))
        used = sum(size for _, _, size, _ in copies)
        for whole, _, size, path in sorted(copies):  # left-over parts, then least recently used
            if whole and used + need <= self.budget_bytes:
                break
            used -= size * _remove_unused(path)
        return used + need <= self.budget_bytes

    def _fill(self, source: Source, part: str, lock: int) -> int:
        """Fetch the source under its temporary name, rename it, and keep it locked for reading."""
        try:
            self._fetch(source, part)
            with self._names_locked():
                os.rename(part, self._copy_path(source))
                # Going from exclusive to shared is not atomic, hence under the lock of names.
                fcntl.flock(lock, fcntl.LOCK_SH)
        except BaseException:
            os.close(lock)
            with self._names_locked():
                _remove_unused(part)
            raise
        return lock

    def _fetch(self, source: Source, part: str) -> None:
        """Fetch the source's files; if the disk is full, evict all unused copies and try again."""
        for _ in range(2):
            try:
                return fetch(source, part)
            except OSError as error:
                if error.errno not in FULL:
                    raise
            with self._names_locked():
                self._make_room(self.budget_bytes)
        raise StorageError(
            f"{source.path}: {source.size:,} more bytes fill the disk of {self.folder}, within "
            f"the cache's budget of {self.budget_bytes:,}; free some or give a smaller budget"
        )

    def _timeout_message(self, source: Source, busy: bool) -> str:
        if busy:
            return (
                f"{source.path}: another process has been busy with it for {self.wait_s:g} s; end "
                "it"
            )
        return (
            f"{source.path}: no room for {source.size:,} bytes in {self.folder} for {self.wait_s:g}"
            f" s, all of {self.budget_bytes:,} in use; give a larger budget or fewer workers"
        )


def _remove_unused(path: str) -> bool:
    """Remove a copy unless a process has locked it; True if nothing is left at `path`."""
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
