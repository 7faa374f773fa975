"""What has to be copied of a slide: its file and those that belong to it."""

import errno
import hashlib
import json
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from pyarrow import fs

from idhray.errors import StorageError
from idhray.storage import absolute, filesystem, read_bytes

CHUNK_BYTES = 16 << 20  # one request of an object store each
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class SourceFile:
    """One file as it is at the source."""

    name: str
    """Relative to the slide's folder."""
    size: int
    changed_ns: int


@dataclass(frozen=True)
class Source:
    """A slide as it is now: another size or time of any of its files is another slide."""

    path: str
    name: str
    """Of the file to open."""
    files: tuple[SourceFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def key(self) -> str:
        """32 hexadecimal digits of the path, sizes and times."""
        said = [self.path, [(file.name, file.size, file.changed_ns) for file in self.files]]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def source_of(path: str) -> Source:
    """The file at `path` and what belongs to it: see `_companions`.

    Raises:
        StorageError: there is no such file, or it cannot be asked for.
    """
    try:
        files, inner = filesystem(path)
        info = files.get_file_info(inner)
        if info.type != fs.FileType.File:
            raise StorageError(f"{path}: no such file")
        folder = posixpath.dirname(info.path)
        found = {i.path: i for i in [info, *_companions(path, files, info)]}
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({_one_line(error)})") from None
    return Source(
        absolute(path),
        info.base_name,
        tuple(
            SourceFile(posixpath.relpath(name, folder), i.size, i.mtime_ns or 0)
            for name, i in sorted(found.items())
        ),
    )


def _companions(path: str, files: fs.FileSystem, info: fs.FileInfo) -> Iterator[fs.FileInfo]:
    """MIRAX: the folder of the same name. DICOM: the other .dcm files of its folder, among them
    the slide's levels (one folder per slide, then). Hamamatsu VMS and VMU: the files they name."""
    stem, ending = posixpath.splitext(info.path)
    ending = ending.lower()
    if ending == ".mrxs":
        yield from _listed(files, stem, recursive=True)
    elif ending == ".dcm":
        beside = _listed(files, posixpath.dirname(info.path))
        yield from (i for i in beside if i.base_name.lower().endswith(ending))
    elif ending in (".vms", ".vmu"):
        lines = read_bytes(path).decode(errors="replace").splitlines()
        named = {line.partition("=")[2].strip() for line in lines}
        beside = _listed(files, posixpath.dirname(info.path))
        yield from (i for i in beside if i.base_name in named)


def _listed(files: fs.FileSystem, folder: str, *, recursive: bool = False) -> list[fs.FileInfo]:
    selector = fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
    return [i for i in files.get_file_info(selector) if i.type == fs.FileType.File]


def fetch(source: Source, folder: str) -> None:
    """Copy all files into `folder`, never more bytes than `source.size`.

    Raises:
        StorageError: a file cannot be read, was not sent whole, or changed meanwhile.
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
        raise StorageError(f"{path}: cannot be fetched ({_one_line(error)})") from None
    for file in source.files:
        got = os.path.getsize(os.path.join(folder, file.name))
        if got != file.size:
            raise StorageError(
                f"{path}: {got:,} of {file.size:,} bytes of {file.name} came; try again"
            )
    if source_of(path) != source:
        raise StorageError(f"{path}: was changed while it was fetched; try again when it is whole")


def _copy(files: fs.FileSystem, inner: str, target: str, size: int) -> None:
    """The first `size` bytes: only they have a place in the budget."""
    with files.open_input_stream(inner) as reader, open(target, "wb") as writer:
        while size > 0 and (block := reader.read(min(size, CHUNK_BYTES))):
            writer.write(block)
            size -= len(block)


def is_whole(source: Source, folder: str) -> bool:
    """Whether all files lie in `folder` at their sizes."""
    paths = [(os.path.join(folder, file.name), file.size) for file in source.files]
    return all(os.path.isfile(path) and os.path.getsize(path) == size for path, size in paths)


def _one_line(error: OSError) -> str:
    return " ".join(str(error).split())
