"""WebDataset shards: tar files in which NAME.jpg (or png) and NAME.json form one sample.

Source: the WebDataset format, github.com/webdataset/webdataset, README. The name of a sample ends
at the first dot of the file name.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from idhray.errors import TableError
from idhray.exchange.files import shard_files
from idhray.exchange.output import new_file
from idhray.exchange.rows import Kind, Names, Row, index_row, portable, row_metadata
from idhray.exchange.sample import (
    IMAGE_ENDINGS,
    LARGEST_BYTES,
    ByteRange,
    Reader,
    Sample,
    refuse_twins,
)

LARGEST_JSON = 1 << 20


def write_shard(path: str, rows: Iterable[Row], kind: Kind, file: str) -> list[dict[str, Any]]:
    """Write a tar file of the rows, the same bytes every time; return the rows of the index.

    Args:
        path: Path of the tar file.
        rows: Rows of the table.
        kind: Kind of the table.
        file: Name of the tar file in the index.
    """
    index, names = [], Names(kind)
    with new_file(path) as handle, _tar(handle) as tar:
        for row in rows:
            data, ending = portable(row)
            name = names.of(row)
            _add(tar, f"{name}.{ending}", data)
            _add(tar, f"{name}.json", json.dumps(row_metadata(row)).encode())
            index.append(index_row(f"{file}#{name}.{ending}", row))
    return index


def _tar(handle: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=handle, mode="w", format=tarfile.GNU_FORMAT)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # no time, no owner
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _listing(path: str) -> Iterator[Sample]:
    """Images of a tar file, each with its JSON, which may stand before or after it."""
    by_key: dict[str, dict[str, Any]] = {}
    images: list[tuple[str, str, ByteRange | None]] = []
    for tar, member in _members(path):
        key, ending = _key(member.name)
        if ending == ".json":
            by_key[key] = _json(tar, member, path)
        elif f".{ending.rsplit('.', 1)[-1]}" in IMAGE_ENDINGS:
            images.append((member.name, key, _span(tar, member)))
    refuse_twins(path, [name for name, _, _ in images])
    for name, key, span in images:
        yield Sample(name=name, metadata=by_key.get(key, {}), span=span)


def _span(tar: tarfile.TarFile, member: tarfile.TarInfo) -> ByteRange | None:
    """Byte range of a member in the file; None in a compressed archive and for sparse files."""
    plain = isinstance(tar.fileobj, io.BufferedReader) and not member.issparse()
    return (member.offset_data, member.size) if plain else None


def _images(path: str, names: Mapping[str, ByteRange | None]) -> Iterator[Sample]:
    spans = {name: span for name, span in names.items() if span}
    yield from _at(path, spans)
    if len(spans) == len(names):
        return
    for tar, member in _members(path):
        if member.name in names and member.name not in spans:
            yield Sample(name=member.name, data=_read(tar, member))


def _at(path: str, spans: Mapping[str, ByteRange]) -> Iterator[Sample]:
    try:
        with open(path, "rb") as handle:
            for name, (first, size) in spans.items():
                handle.seek(first)
                yield Sample(name=name, data=handle.read(size) if size <= LARGEST_BYTES else b"")
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error})") from None


def _members(path: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    try:
        with tarfile.open(path, "r:*") as tar:
            for member in tar:
                if member.isfile():
                    yield tar, member
            _refuse_cut_off(tar)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise TableError(f"{path}: not a tar file, or a broken one ({error})") from None


def _refuse_cut_off(tar: tarfile.TarFile) -> None:
    """Refuse an archive that does not end in zeros, or has data after a block of zeros.

    tarfile accepts the end of the file, and a block of zeros anywhere, as the end of the archive.
    """
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    block = tar.fileobj.read(tarfile.BLOCKSIZE)
    if block != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it is cut off")
    while block:
        block = tar.fileobj.read(1 << 20)
        if block.strip(b"\0"):
            raise tarfile.ReadError("more follows what looks like its end")


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member) if member.size <= LARGEST_BYTES else None
    return file.read() if file else b""


def _json(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> dict[str, Any]:
    if member.size > LARGEST_JSON:
        raise TableError(f"{path}: {member.name} has {member.size} bytes, which is no description")
    try:
        value = json.loads(_read(tar, member))
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path}: {member.name} is not JSON ({error})") from None
    return value if isinstance(value, dict) else {}


def _key(name: str) -> tuple[str, str]:
    """(name of the sample, lower-case ending from the first dot on)."""
    folder, _, base = name.rpartition("/")
    stem, dot, ending = base.partition(".")
    return f"{folder}/{stem}", (dot + ending).lower()


READER = Reader(
    files=lambda source: shard_files(source, (".tar", ".tar.gz", ".tgz")),
    listing=_listing,
    images=_images,
)
