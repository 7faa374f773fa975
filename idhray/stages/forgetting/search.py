"""Search of all files of a study for what is left of a patient, raw and decoded."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from posixpath import basename

import pyarrow as pa
from PIL import Image, UnidentifiedImageError

from idhray.stages.forgetting.subject import Subject
from idhray.storage import read_bytes
from idhray.table_parts import read_part

ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def leftovers(files: Sequence[str], subject: Subject) -> list[str]:
    """Files that hold a name of the patient, in their path or anywhere in their content.

    Args:
        files: Paths to search.
        subject: The patient.
    """
    return [path for path in files if _holds(path, subject)]


def _holds(path: str, subject: Subject) -> bool:
    if subject.masked(basename(path)) != basename(path):
        return True
    return any(_is_named(data, subject) for data in contents(path))


def _is_named(data: bytes, subject: Subject) -> bool:
    names = [name for name in subject.text_names if name.encode() in data]
    if not names:
        return False
    text = data.decode(errors="replace")
    return subject.masked(text) != text


def contents(path: str) -> Iterator[bytes]:
    """The bytes of a file, and what is packed in it: columns, members of archives, texts."""
    data = read_bytes(path)
    yield data
    if path.endswith(".parquet"):
        yield from _columns(path)
    elif data.startswith(ZIP):
        yield from _members(data)
    elif data.startswith(GZIP):
        yield from _unzipped(data)
    elif path.endswith(PICTURES):
        yield from _texts_of_picture(data)


def _columns(path: str) -> Iterator[bytes]:
    table = read_part(path)
    yield str(table.schema).encode()
    for field in table.schema:
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            yield "\n".join(filter(None, table[field.name].to_pylist())).encode()
        elif pa.types.is_struct(field.type):
            for cell in table[field.name].to_pylist():
                yield str((cell or {}).get("path")).encode()


def _members(data: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield archive.read(name)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return


def _unzipped(data: bytes) -> Iterator[bytes]:
    try:
        yield gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return


def _texts_of_picture(data: bytes) -> Iterator[bytes]:
    try:
        with Image.open(io.BytesIO(data)) as picture:
            yield str(picture.info).encode()
    except (UnidentifiedImageError, OSError):
        return
