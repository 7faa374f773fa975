"""Leases: locks where the kernel has none, in object stores and on file systems without `flock`.

    OUT/.lease/00000007    the newest number is the lease that counts; JSON with owner and heartbeat

A number is created by one process only, so it is a fencing token: it grows with each owner. The
owner rewrites its file every `HEARTBEAT_S`. Another process takes the next number once the file has
stood still for `EXPIRY_S` by its own clock; no clocks are compared. Whoever publishes looks first
for a newer number, and stops if there is one. A process that slept past the expiry thus publishes
nothing more.
"""

import contextlib
import json
import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from pyarrow import fs

from idhray.errors import IdhrayError, OutputError, StorageError
from idhray.object_store import create_object
from idhray.uris import absolute, filesystem, is_remote

LEASES = ".lease"
HEARTBEAT_S = 10.0
EXPIRY_S = 60.0
LOOKS_PER_HEARTBEAT = 4
SETTLE_S = 2.0
"""Time after which a store without conditional requests shows who wrote last."""

logger = logging.getLogger(__name__)

_numbers: dict[str, tuple[str, int]] = {}
"""Folder -> folder and number of the lease under which this process writes there."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Content of the file of a lease."""

    owner: str
    """Name drawn by the process."""
    host: str
    machine: str
    """Boot and process namespace: two equal ones share process ids."""
    pid: int
    beat: int = 0
    is_released: bool = False

    def is_dead(self) -> bool:
        """True if the process ran on this machine and has ended."""
        return self.machine == _machine() and not os.path.exists(f"/proc/{self.pid}")


@contextlib.contextmanager
def lease(folder: str, guarded: str = "") -> Iterator[None]:
    """Hold the lease of a folder.

    Args:
        folder: Folder that holds the files of the lease.
        guarded: Folder in which this process publishes under the lease; the same by default.

    Raises:
        StorageError: a run that is alive holds it.
    """
    holder = Holder(
        owner=uuid.uuid4().hex, host=platform.node(), machine=_machine(), pid=os.getpid()
    )
    number = _acquired(folder, holder)
    _remove_below(folder, number)
    ended = threading.Event()
    beats = threading.Thread(target=_beat, args=(folder, number, holder, ended), daemon=True)
    beats.start()
    _numbers[guarded or folder] = folder, number
    try:
        yield
    finally:
        _numbers.pop(guarded or folder, None)
        ended.set()
        beats.join()
        with contextlib.suppress(IdhrayError):  # it expires
            if _newest(folder) == number:
                _write(_path(folder, number), replace(holder, is_released=True))


def held_numbers() -> dict[str, tuple[str, int]]:
    """Leases under which this process writes, for `write_under` in its workers."""
    return dict(_numbers)


def write_under(numbers: Mapping[str, tuple[str, int]]) -> None:
    """Let this worker write under the leases of its driver."""
    _numbers.update(numbers)


def check_lease(path: str) -> None:
    """Refuse to publish a file in a folder whose lease went to another run.

    Raises:
        OutputError: another run holds the lease.
    """
    if not _numbers:
        return
    place = absolute(path)
    folders = [folder for folder in _numbers if place.startswith(f"{folder.rstrip('/')}/")]
    if not folders:
        return
    folder = max(folders, key=len)
    place_of_lease, number = _numbers[folder]
    if _newest(place_of_lease) != number:
        raise OutputError(
            f"{folder}: another run has taken over the folder, as this one did not move for "
            f"{EXPIRY_S:g} s; this run ends, and the other one continues"
        )


def _acquired(folder: str, holder: Holder) -> int:
    """Number of the lease that this process got."""
    while True:
        newest = _newest(folder)
        if newest and not _is_free(folder, newest):
            continue  # another one came first
        if _create(folder, newest + 1, holder) and _newest(folder) == newest + 1:
            return newest + 1


def _is_free(folder: str, number: int) -> bool:
    """True once a lease is released or expired; False if another number has taken its place.

    Raises:
        StorageError: its owner is alive.
    """
    holder = first = _read(folder, number)
    start = time.monotonic()
    if not (first.is_released or first.is_dead()):
        logger.warning(
            "%s: last written by process %d on %s; looking up to %g s whether it is alive",
            *(folder, first.pid, first.host, EXPIRY_S),
        )
    while not (holder.is_released or holder.is_dead()):
        if time.monotonic() - start > EXPIRY_S:
            logger.warning("%s: that process does not move; this run takes over", folder)
            break
        time.sleep(HEARTBEAT_S / LOOKS_PER_HEARTBEAT)
        if _newest(folder) != number:
            return False
        holder = _read(folder, number)
        if holder.beat != first.beat and not holder.is_released:
            raise StorageError(
                f"{folder}: another run is writing here (process {first.pid} on {first.host}); "
                "wait for it"
            )
    return True


def _beat(folder: str, number: int, holder: Holder, ended: threading.Event) -> None:
    """Rewrite the file of a lease until the block ends or the lease is lost."""
    while not ended.wait(HEARTBEAT_S):
        holder = replace(holder, beat=holder.beat + 1)
        try:
            if _newest(folder) != number or _read(folder, number).owner != holder.owner:
                logger.warning("%s: another run has taken over the folder", folder)
                return
            _write(_path(folder, number), holder)
        except IdhrayError as error:
            logger.warning("%s: no heartbeat (%s)", folder, error)


def _create(folder: str, number: int, holder: Holder) -> bool:
    """Create the file of a lease; False if another process did."""
    path, data = _path(folder, number), _data(holder)
    files, inner = filesystem(path)
    if not is_remote(path):
        os.makedirs(os.path.dirname(inner), exist_ok=True)
        part = f"{inner}.{holder.owner}"
        with open(part, "wb") as handle:
            handle.write(data)
        try:
            os.link(part, inner)  # complete at once, and refused if the name exists
        except FileExistsError:
            return False
        except OSError:
            return _created_empty(inner, data)  # a file system without hard links
        finally:
            os.unlink(part)
        return True
    is_created = create_object(files, inner, data)
    return _written_last(folder, number, holder) if is_created is None else is_created


def _created_empty(path: str, data: bytes) -> bool:
    try:
        with open(path, "xb") as handle:
            handle.write(data)
    except FileExistsError:
        return False
    return True


_warned: set[str] = set()


def _written_last(folder: str, number: int, holder: Holder) -> bool:
    """Write the file of a lease, and look later whether another process wrote it, too."""
    if folder not in _warned:
        _warned.add(folder)
        logger.warning(
            "%s: the store has no conditional requests; of two runs that start within %g s, both "
            "may write",
            *(folder, SETTLE_S),
        )
    if _newest(folder) >= number:
        return False
    _write(_path(folder, number), holder)
    time.sleep(SETTLE_S)
    return _newest(folder) == number and _read(folder, number).owner == holder.owner


def _newest(folder: str) -> int:
    """Newest number; 0 if there is none."""
    return max((number for number, _ in _listed(folder)), default=0)


def _listed(folder: str) -> list[tuple[int, str]]:
    files, inner = filesystem(f"{folder.rstrip('/')}/{LEASES}")
    infos = files.get_file_info(fs.FileSelector(inner, allow_not_found=True))
    return [(int(i.base_name), i.path) for i in infos if i.is_file and i.base_name.isdecimal()]


def _remove_below(folder: str, number: int) -> None:
    files, _ = filesystem(folder)
    for other, path in _listed(folder):
        if other < number:
            with contextlib.suppress(FileNotFoundError):
                files.delete_file(path)


def _read(folder: str, number: int) -> Holder:
    """Content of the file of a lease; one that is gone or incomplete is nobody's yet."""
    files, inner = filesystem(_path(folder, number))
    try:
        with files.open_input_stream(inner) as stream:
            return Holder(**json.loads(stream.read()))
    except (FileNotFoundError, ValueError, TypeError):
        return Holder(owner="", host="another machine", machine="", pid=0, beat=-1)


def _write(path: str, holder: Holder) -> None:
    files, inner = filesystem(path)
    if is_remote(path):
        with files.open_output_stream(inner) as stream:
            stream.write(_data(holder))
        return
    part = f"{inner}.{holder.owner}"
    with open(part, "wb") as handle:
        handle.write(_data(holder))
    os.replace(part, inner)


def _data(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode()


def _path(folder: str, number: int) -> str:
    return f"{folder.rstrip('/')}/{LEASES}/{number:08d}"


def _machine() -> str:
    """Name of a running kernel and its process namespace; drawn where there is no /proc."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as handle:
            return f"{handle.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return uuid.uuid4().hex
