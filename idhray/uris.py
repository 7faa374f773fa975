"""URIs of object stores: scheme, bucket and key are split by hand.

A key is never parsed as a URL: `#`, `?`, `%`, `+` and blanks are characters like any other, and
nothing is decoded. `file:///PATH` is the local path PATH, character by character.
"""

import functools
import os
import re
import unicodedata

import pyarrow as pa
from pyarrow import fs

from idhray.errors import StorageError
from idhray.object_store import PatientStore
from idhray.patience import patiently

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_BUCKET = re.compile(r"([^/@#?%\s]+@)?[A-Za-z0-9._:\[\]-]+(@[A-Za-z0-9._:-]+)?")
_ADVICE = "use a path, s3://BUCKET/KEY or gs://BUCKET/KEY"


def is_uri(path: str) -> bool:
    """True if `path` starts with a scheme, as in s3://BUCKET/KEY or file:///PATH."""
    return _URI.match(path) is not None


def is_remote(path: str) -> bool:
    """True if `path` is a URI of an object store, False if it is a local path or file:// URI."""
    match = _URI.match(path)
    return match is not None and match["scheme"].lower() != "file"


def absolute(path: str) -> str:
    """A path that means the same in every worker, whose working folder is another.

    URIs of object stores stay, file:// URIs become local paths.

    Raises:
        StorageError: a file:// URI names a machine instead of a path, or the working folder of a
            relative path was deleted.
    """
    match = _URI.match(path)
    if match is None:
        return _absolute_local(path)
    if match["scheme"].lower() != "file":
        return path
    local = match["rest"].removeprefix("localhost")
    if not local.startswith("/"):
        raise StorageError(f"{path}: not an absolute path; write file:///{match['rest']}")
    return os.path.abspath(local)


def _absolute_local(path: str) -> str:
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise StorageError(
            f"{path}: the working folder was deleted; change to a folder that exists"
        ) from None


def existing_spelling(path: str) -> str:
    """A local path in the Unicode form that the file has on the disk; others as they are.

    Disks of a Mac and archives made there write an accent as a character of its own (NFD), tables
    mostly not (NFC).
    """
    if path.isascii() or is_uri(path) or os.path.lexists(path):
        return path
    forms = (unicodedata.normalize(form, path) for form in ("NFC", "NFD"))
    return next((form for form in forms if os.path.lexists(form)), path)


def filesystem(path: str) -> tuple[fs.FileSystem, str]:
    """The file system that holds `path`, and the path inside it.

    Raises:
        StorageError: pyarrow cannot open the URI's scheme, or the store cannot hold such a key.
    """
    if not is_remote(path):
        return fs.LocalFileSystem(), absolute(path)
    match = _URI.match(path)
    assert match is not None
    bucket, _, key = match["rest"].partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise StorageError(f"{path}: {bucket!r} is no bucket; {_ADVICE}")
    key = key.rstrip("/")
    if unusable := {"", ".", ".."} & {*key.split("/")} if key else ():
        name = min(unusable)
        raise StorageError(f"{path}: a key cannot have a part {name!r} between slashes; rename it")
    files, root = _opened(match["scheme"].lower(), bucket, path)
    return files, f"{root.rstrip('/')}/{key}" if key else root


def _opened(scheme: str, bucket: str, path: str) -> tuple[fs.FileSystem, str]:
    try:
        return _file_system_of_bucket(scheme, bucket)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise StorageError(f"{path}: cannot be opened ({error}); {_ADVICE}") from None


@functools.lru_cache(maxsize=256)
def _file_system_of_bucket(scheme: str, bucket: str) -> tuple[fs.FileSystem, str]:
    """File system of a bucket, and the bucket's path in it. The region of a bucket is looked up
    over the network, so it is asked for once."""
    name = "gcs" if scheme == "gs" else scheme
    # A small object is one request then, instead of the three of an upload in parts.
    query = "?allow_delayed_open=true" if name == "s3" else ""
    uri = f"{name}://{bucket}/{query}"
    files, root = patiently(lambda: fs.FileSystem.from_uri(uri), f"{scheme}://{bucket}")
    return fs.PyFileSystem(PatientStore(scheme, files)), root
