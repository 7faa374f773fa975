"""Files of a slide at its source: the file to open and those that belong to it."""

import contextlib
import errno
import hashlib
import json
import os
import posixpath
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass

from pyarrow import fs

from idhray.errors import StorageError, one_line
from idhray.storage import absolute, filesystem, read_bytes

CHUNK_BYTES = 16 << 20  # one request to an object store
FULL = (errno.ENOSPC, errno.EDQUOT)
HEAD_BYTES = 1 << 16
SERIES = re.compile(rb"\x20\0\x0d\0UI..[0-9.]{1,64}[\0 ]?\x20\0\x0e\0UI..([0-9.]{1,64})", re.DOTALL)
"""DICOM elements (0020,000D), the study, and (0020,000E), the series, in explicit little endian,
which OpenSlide needs. The two are adjacent only for the file itself, not in references to others.
"""
UNKNOWN_SERIES = b""
OME_ZARR_FILE = "zarr.json"
"""File in the folder of an OME-Zarr 0.5 that stands for the whole folder."""
MAX_CACHED_SERIES = 1 << 18
_series_cache: dict[tuple[object, ...], bytes | None] = {}
"""Series of files. In a folder of many slides, each slide looks up all files."""


@dataclass(frozen=True)
class SourceFile:
    """One file in its present state at the source."""

    name: str
    """Path relative to the slide's folder."""
    size: int
    changed_ns: int


@dataclass(frozen=True)
class Source:
    """A slide in its present state; if a file changes its size or time, it is another source."""

    path: str
    name: str
    """Name of the file to open."""
    files: tuple[SourceFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def key(self) -> str:
        """32 hexadecimal digits: a hash of the path, sizes and times."""
        state = [self.path, [(file.name, file.size, file.changed_ns) for file in self.files]]
        return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]


def file_to_open(path: str) -> str:
    """Path of the file that stands for a slide: an OME-Zarr is a folder, named `*.zarr`."""
    folder = path.rstrip("/")
    return f"{folder}/{OME_ZARR_FILE}" if folder.lower().endswith(".zarr") else path


def source_of(path: str) -> Source:
    """The file at `path` and the files that belong to it, see `_companions`.

    Raises:
        StorageError: the file is missing, or its storage cannot be read.
    """
    try:
        files, inner = filesystem(path)
        info = files.get_file_info(inner)
        if info.type == fs.FileType.Directory:
            raise StorageError(f"{path}: is a folder; name the slide's file in its manifest row")
        if info.type != fs.FileType.File:
            raise StorageError(f"{path}: no such file")
        folder = posixpath.dirname(info.path)
        by_path = {i.path: i for i in [info, *_companions(path, files, info)]}
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({one_line(error)})") from None
    return Source(
        absolute(path),
        info.base_name,
        tuple(
            SourceFile(posixpath.relpath(name, folder), i.size, i.mtime_ns or 0)
            for name, i in sorted(by_path.items())
        ),
    )


def slide_files(path: str) -> list[str]:
    """Paths of the file at `path` and of the files that belong to it, sorted by name.

    Raises:
        StorageError: the file is missing, or its storage cannot be read.
    """
    folder = path.rpartition("/")[0]
    names = (file.name for file in source_of(path).files)
    return [f"{folder}/{name}" if folder else name for name in names]


def _companions(path: str, files: fs.FileSystem, info: fs.FileInfo) -> Iterator[fs.FileInfo]:
    """Other files of the slide.

    MIRAX: the files in the folder of the same name. DICOM: the files of the same series in the same
    folder, among them the slide's levels. Hamamatsu VMS and VMU: the files that they name.
    OME-Zarr: all files of its folder.
    """
    if info.base_name == OME_ZARR_FILE:
        yield from _listed(files, posixpath.dirname(info.path), recursive=True)
        return
    stem, ending = posixpath.splitext(info.path)
    ending = ending.lower()
    if ending == ".mrxs":
        yield from _listed(files, stem, recursive=True)
    elif ending in (".vms", ".vmu"):
        lines = read_bytes(path).decode(errors="replace").splitlines()
        named = {line.partition("=")[2].strip() for line in lines}
        neighbors = _listed(files, posixpath.dirname(info.path))
        yield from (i for i in neighbors if i.base_name in named)
    elif _may_be_dicom(info) and (series := _series(files, info)) is not None:
        neighbors = _listed(files, posixpath.dirname(info.path))
        for other in filter(_may_be_dicom, neighbors):
            other_series = _series(files, other)
            if other_series is None:
                continue
            if other_series == series or UNKNOWN_SERIES in (other_series, series):
                yield other


def _may_be_dicom(info: fs.FileInfo) -> bool:
    """True if the name fits a DICOM file: many have no ending, or a UID that ends in a number."""
    ending = posixpath.splitext(info.base_name)[1].lower()
    return ending == ".dcm" or not ending[1:].strip(string.digits)


def _series(files: fs.FileSystem, info: fs.FileInfo) -> bytes | None:
    """SeriesInstanceUID of a DICOM file, `UNKNOWN_SERIES` if not found; None for other files."""
    key = (files.type_name, info.path, info.size, info.mtime_ns)
    with contextlib.suppress(KeyError):  # not `in`: another thread may empty it meanwhile
        return _series_cache[key]
    with files.open_input_file(info.path) as file:
        head = file.read(HEAD_BYTES)
    series = None
    if head[128:132] == b"DICM":
        series = match[1] if (match := SERIES.search(head)) else UNKNOWN_SERIES
    if len(_series_cache) >= MAX_CACHED_SERIES:
        _series_cache.clear()
    _series_cache[key] = series
    return series


def _listed(files: fs.FileSystem, folder: str, *, recursive: bool = False) -> list[fs.FileInfo]:
    selector = fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
    return [i for i in files.get_file_info(selector) if i.type == fs.FileType.File]


def fetch(source: Source, folder: str) -> None:
    """Copy all files into `folder`, never more bytes than `source.size`.

    Raises:
        StorageError: a file cannot be read, arrived incomplete, or changed meanwhile.
        OSError: the disk is full (an errno of `FULL`).
    """
    path = source.path
    try:
        files, inner = filesystem(path)
        for file in source.files:
            target = os.path.join(folder, file.name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _copy(files, posixpath.join(posixpath.dirname(inner), file.name), target, file.size)
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except OSError as error:
        if error.errno in FULL:
            raise
        raise StorageError(f"{path}: cannot be fetched ({one_line(error)})") from None
    for file in source.files:
        copied = os.path.getsize(os.path.join(folder, file.name))
        if copied != file.size:
            raise StorageError(
                f"{path}: {copied:,} of {file.size:,} bytes of {file.name} arrived; try again"
            )
    if source_of(path) != source:
        raise StorageError(f"{path}: changed while it was fetched; try again when it is complete")


def _copy(files: fs.FileSystem, inner: str, target: str, size: int) -> None:
    """Copy the first `size` bytes; the budget has room for no more."""
    with files.open_input_stream(inner) as reader, open(target, "wb") as writer:
        while size > 0 and (block := reader.read(min(size, CHUNK_BYTES))):
            writer.write(block)
            size -= len(block)


def is_whole(source: Source, folder: str) -> bool:
    """True if all files lie in `folder` with their sizes."""
    paths = [(os.path.join(folder, file.name), file.size) for file in source.files]
    return all(os.path.isfile(path) and os.path.getsize(path) == size for path, size in paths)
