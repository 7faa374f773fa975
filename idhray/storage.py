"""Files on local paths and in object stores (see `uris.py`), and atomic publication of output.

Output is published atomically: a reader sees the whole file or none. Locally that is a temporary
file in the same folder and a rename; object stores show an object only when its upload is done.
"""

import contextlib
import errno
import fcntl
import json
import os
import random
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO

from pyarrow import fs

from idhray.config import Identity
from idhray.errors import FullError, OutputError, SettingsChangedError, StorageError
from idhray.leases import LEASES, check_lease, lease
from idhray.locks import lock
from idhray.object_store import upload
from idhray.uris import absolute as absolute
from idhray.uris import existing_spelling as existing_spelling
from idhray.uris import filesystem as filesystem
from idhray.uris import is_remote as is_remote
from idhray.uris import is_uri as is_uri

SETTINGS = "_settings.json"
PROVENANCE = "_provenance.json"
LEDGER = "_ledger"
LOCK = ".lock"
SHARES = ".shares"
"""Folder with a lock for each share of the inputs that a run of its own works on."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_YOUNG_S = 60
TURN_S = 120.0
"""Time in which the runs of all shares have looked at the folder."""
_HALF_WRITTEN = re.compile(r"\.half-[0-9a-f]{32}")  # names as `_renamed` makes them


def join(folder: str, *names: str) -> str:
    """`folder/name/...` for paths and URIs alike."""
    return "/".join([folder.rstrip("/") or "/", *names])


def exists(path: str) -> bool:
    """True if a file or folder exists."""
    files, inner = filesystem(path)
    return bool(files.get_file_info(inner).type != fs.FileType.NotFound)


def file_size(path: str) -> int:
    """Bytes of a file; 0 if there is no such file."""
    files, inner = filesystem(path)
    return int(files.get_file_info(inner).size or 0)


def read_bytes(path: str) -> bytes:
    """The whole file.

    Raises:
        StorageError: there is no such file.
    """
    files, inner = filesystem(path)
    try:
        with files.open_input_stream(inner) as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error})") from None


def remove(path: str) -> None:
    """Delete a file if it is there."""
    check_lease(path)
    files, inner = filesystem(path)
    if files.get_file_info(inner).type == fs.FileType.File:
        files.delete_file(inner)


def delete_folder(folder: str) -> None:
    """Delete a folder with its content, if it exists."""
    check_lease(folder)
    files, inner = filesystem(folder)
    if files.get_file_info(inner).type == fs.FileType.Directory:
        files.delete_dir(inner)


def publish(path: str, data: bytes) -> None:
    """Make `path` hold `data`, at once: killed in between, the old file (or none) is there.

    Raises:
        StorageError: it cannot be written, e.g. for want of space.
    """
    with publishing(path) as handle:
        handle.write(data)


@contextlib.contextmanager
def publishing(path: str) -> Iterator[BinaryIO]:
    """A file to write to; `path` is it, at once, when the block ends without an error.

    Raises:
        StorageError: it cannot be written; FullError, for want of space.
    """
    files, inner = filesystem(path)
    try:
        if isinstance(files, fs.LocalFileSystem):
            with _renamed(Path(inner)) as handle:
                yield handle
                check_lease(path)
            return
        with tempfile.TemporaryFile() as copy:
            yield copy
            check_lease(path)
            upload(files, inner, copy)
    except OSError as error:
        what = f"{path}: cannot be written ({error.strerror or error})"
        if error.errno in NO_SPACE:
            raise FullError(f"{what}; make room and run it again") from None
        raise StorageError(what) from None


@contextlib.contextmanager
def _renamed(target: Path) -> Iterator[BinaryIO]:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".half-{uuid.uuid4().hex}")  # a long name leaves no room for more
    try:
        with part.open("wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        try:
            part.replace(target)
        except FileNotFoundError:
            raise OutputError(
                f"{target}: another run of this command has taken over the folder"
            ) from None
    finally:
        part.unlink(missing_ok=True)


def remove_abandoned(folder: str) -> None:
    """Delete what killed runs left half-written in a local folder that nobody else writes to."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if _HALF_WRITTEN.fullmatch(entry.name):
                Path(entry.path).unlink(missing_ok=True)


def publish_json(path: str, value: Mapping[str, Any]) -> None:
    """`publish` of indented JSON."""
    publish(path, (json.dumps(value, indent=2) + "\n").encode())


def read_json(path: str) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        StorageError: there is no such file, or it holds no JSON object.
    """
    try:
        value = json.loads(read_bytes(path))
    except ValueError as error:
        raise StorageError(f"{path}: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise StorageError(f"{path}: a JSON object is needed, found {type(value).__name__}")
    return value


def list_files(folder: str, *, suffix: str = "", prefix: str = "") -> list[str]:
    """Files directly in `folder`, sorted by name; none when the folder is not there."""
    files, inner = filesystem(folder)
    try:
        infos = files.get_file_info(fs.FileSelector(inner, allow_not_found=True))
    except NotADirectoryError:
        raise StorageError(f"{folder}: a file, a folder is needed") from None
    names = sorted(info.base_name for info in infos if info.type == fs.FileType.File)
    return [join(folder, n) for n in names if n.startswith(prefix) and n.endswith(suffix)]


@dataclass(frozen=True, kw_only=True)
class ListedFile:
    """Size and time of a file; it is another one if they differ."""

    size: int
    changed_ns: int


def file_states(folder: str) -> dict[str, ListedFile]:
    """Files directly in `folder` by name; none when the folder is not there."""
    files, inner = filesystem(folder)
    infos = files.get_file_info(fs.FileSelector(inner, allow_not_found=True))
    return {
        info.base_name: ListedFile(size=info.size or 0, changed_ns=info.mtime_ns or 0)
        for info in infos
        if info.type == fs.FileType.File
    }


def list_tree(folder: str) -> list[str]:
    """Files in `folder` and in all folders below it, sorted by path."""
    files, inner = filesystem(folder)
    infos = files.get_file_info(fs.FileSelector(inner, allow_not_found=True, recursive=True))
    names = [info.path[len(inner.rstrip("/")) + 1 :] for info in infos if info.is_file]
    return [join(folder, name) for name in sorted(names)]


@contextlib.contextmanager
def folder_lock(folder: str) -> Iterator[None]:
    """Hold the lock of a folder that exists, so that no run of a stage writes to it.

    Raises:
        StorageError: a run is writing there.
    """
    with _locked(absolute(folder)):
        yield


def list_folders(folder: str) -> list[str]:
    """Names of the folders directly in `folder`, sorted; none when it is not there."""
    files, inner = filesystem(folder)
    infos = files.get_file_info(fs.FileSelector(inner, allow_not_found=True))
    return sorted(info.base_name for info in infos if info.type == fs.FileType.Directory)


@contextlib.contextmanager
def local_file(path: str) -> Iterator[str]:
    """A local path of the file at `path`: itself, or a copy that is removed afterwards.

    Raises:
        StorageError: there is no such file.
    """
    if not is_remote(path):
        local = absolute(path)
        if not os.path.isfile(local):
            raise StorageError(f"{path}: {_no_file(local)}")
        yield local
        return
    with _locked_temporary_folder() as folder:
        copy = os.path.join(folder, path.rsplit("/", 1)[-1])
        files, inner = filesystem(path)
        try:
            fs.copy_files(
                inner,
                copy,
                source_filesystem=files,
                destination_filesystem=fs.LocalFileSystem(),
            )
        except FileNotFoundError:
            raise StorageError(f"{path}: no such file") from None
        except OSError as error:
            raise StorageError(f"{path}: cannot be fetched ({error})") from None
        yield copy


def _no_file(path: str) -> str:
    if os.path.isdir(path):
        return "is a folder; name a file in it"
    if not os.path.lexists(path):
        return "no such file"
    return "is a pipe, a device or a broken link; name a file"


@contextlib.contextmanager
def _locked_temporary_folder() -> Iterator[str]:
    """A new one, locked while it is in use; those that killed processes left are removed."""
    prefix = "idhray-copy-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime < _YOUNG_S:
                continue  # perhaps not locked yet
            handle = os.open(left, os.O_RDONLY)
            try:
                if lock(handle) == "held":
                    shutil.rmtree(left)
            finally:
                os.close(handle)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        handle = os.open(folder, os.O_RDONLY)
        try:
            lock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield folder
        finally:
            os.close(handle)


@contextlib.contextmanager
def output_folder(
    out: str,
    identity: Identity,
    *,
    provenance: Mapping[str, Any],
    overwrite: bool = False,
    owns: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """A folder that one run may write: a new one, or one that was made with the same identity.

    The folder is locked and holds `_settings.json` and `_provenance.json`. The lock ends with the
    process, however it ends; where the kernel has no locks, a lease expires (see `leases.py`).

    Args:
        out: Path or URI of the folder.
        identity: The values that decide the content of the output, inputs included.
        provenance: Versions and machine. A run that continues under other versions adds its own.
        overwrite: Start again: delete everything that an earlier run of the stage left in `out`.
        owns: Names that the stage makes besides parts and names with a leading underscore, as
            patterns of `fnmatch`. A folder that holds any other name is never cleared.

    Yields:
        The identity as the folder records it. A folder of an older release may lack settings.

    Raises:
        SettingsChangedError: `out` was made with other settings; the message says which.
        StorageError: another run is writing to `out`, or `out` holds something else.
    """
    with contextlib.ExitStack() as stack:
        local = absolute(out)
        stack.enter_context(_locked(local))
        for name in list_folders(join(local, SHARES)):
            stack.enter_context(_locked(join(local, SHARES, name)))
        if not is_remote(out):
            for name in ("", LEDGER, *owns):
                remove_abandoned(os.path.join(local, name))
                stack.callback(remove_abandoned, os.path.join(local, name))  # before it is unlocked
        recorded = _adopt(out, identity, overwrite, owns)
        _add_provenance(join(out, PROVENANCE), provenance)
        yield recorded


@contextlib.contextmanager
def shared_output_folder(
    out: str, identity: Identity, *, provenance: Mapping[str, Any], share: str
) -> Iterator[dict[str, Any]]:
    """A folder that several runs fill at the same time, each with a share of the inputs.

    The runs take the lock of the whole folder in turns, to compare the identity; then each holds a
    lock of its own. A run of `output_folder` waits for none of them: it is refused meanwhile.

    Args:
        out: Path or URI of the folder.
        identity: The values that decide the content of the output, inputs included.
        provenance: Versions and machine.
        share: Name of the share.

    Yields:
        The identity as the folder records it.

    Raises:
        SettingsChangedError: `out` was made with other settings.
        StorageError: another run works on the whole folder or on this share.
    """
    local = absolute(out)
    with contextlib.ExitStack() as stack:
        with _locked_in_turn(local):
            recorded = _adopt(out, identity, overwrite=False, owns=())
            _add_provenance(join(out, PROVENANCE), provenance)
            stack.enter_context(_locked(join(local, SHARES, share), guarded=local))
        yield recorded


@contextlib.contextmanager
def _locked_in_turn(out: str) -> Iterator[None]:
    """Hold the lock of a folder that many runs take for a moment each."""
    deadline = time.monotonic() + TURN_S
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(_locked(out))
                break
            except StorageError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.1, 1.0))
        yield


def _add_provenance(path: str, now: Mapping[str, Any]) -> None:
    """Record the versions that the folder was begun with, and later ones that continued it."""
    if not exists(path):
        publish_json(path, now)
        return
    begun = read_json(path)
    later = begun.pop("continued_with", [])
    if now not in [begun, *later]:
        publish_json(path, {**begun, "continued_with": [*later, now]})


def _adopt(out: str, identity: Identity, overwrite: bool, owns: Sequence[str]) -> dict[str, Any]:
    """The identity as `out` records it; written if `out` records none, or starts again."""
    files, inner = filesystem(out)
    selector = fs.FileSelector(inner, allow_not_found=True)
    names = [info.base_name for info in files.get_file_info(selector)]
    if SETTINGS not in names:
        # Killed before the settings were written, a run leaves only dot files behind.
        if foreign := sorted(name for name in names if not name.startswith(".")):
            raise StorageError(
                f"{out}: not empty and not made by idhray (holds {foreign[0]}); choose a new folder"
            )
        publish_json(join(out, SETTINGS), identity.values)
        return identity.values
    old = read_json(join(out, SETTINGS))
    if overwrite:
        if old.get("stage") != identity.values.get("stage"):
            raise StorageError(f"{out}: made by {old.get('stage')}; not overwritten by another")
        patterns = ("part-*", "_*", ".*", *owns)
        if foreign := [n for n in names if not any(fnmatch(n, p) for p in patterns)]:
            raise StorageError(f"{out}: holds {foreign[0]}, which is not ours; move it away first")
        _clear(files, inner)
        publish_json(join(out, SETTINGS), identity.values)
        return identity.values
    if changed := identity.changes(old):
        raise SettingsChangedError(
            f"{out}: made with other settings ({'; '.join(changed)}); "
            "give the old ones to continue, another --out, or --overwrite to start again"
        )
    if grown := identity.grown(old):
        old = {**old, **grown}
        publish_json(join(out, SETTINGS), old)
    return old


def _clear(files: fs.FileSystem, inner: str) -> None:
    """Remove all but the lock: the ledger first, so that nothing seems done whose part is gone,
    the settings last, so that a folder cleared halfway is still ours."""
    infos = files.get_file_info(fs.FileSelector(inner))
    turn = {LEDGER: 0, SETTINGS: 2}
    for info in sorted(infos, key=lambda i: turn.get(i.base_name, 1)):
        if info.base_name in (LOCK, LEASES, SHARES):
            continue
        if info.type == fs.FileType.Directory:
            files.delete_dir(info.path)
        else:
            files.delete_file(info.path)


@contextlib.contextmanager
def _locked(out: str, guarded: str = "") -> Iterator[None]:
    """Hold the folder's lock file, which the kernel frees with the process, or its lease."""
    if is_remote(out):
        with lease(out, guarded):
            yield
        return
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{out}: cannot be a folder ({error.strerror})") from None
    with open(os.path.join(out, LOCK), "a") as handle:
        state = lock(handle.fileno())
        if state == "busy":
            raise StorageError(f"{out}: another run is writing here; wait for it")
        with lease(out, guarded) if state == "unsupported" else contextlib.nullcontext():
            yield
