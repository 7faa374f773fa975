"""Object stores as file systems whose calls are patient, see `patience.py`.

pyarrow repeats a call for some seconds only. Every use of a store passes here: tables, files that
are copied, checkpoints of Ray Train.
"""

import contextlib
import datetime
import io
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from typing import IO, Any

import pyarrow as pa
from pyarrow import fs

from idhray.patience import patiently

logger = logging.getLogger(__name__)

COPY_BYTES = 1 << 20
IN_MEMORY_BYTES = 32 << 20
"""A file that is written through a stream is held in memory up to this size, then on disk."""
CREATE_S = 10


class PatientStore(fs.FileSystemHandler):  # type: ignore[misc]
    """Handler of a file system of pyarrow that repeats calls to an object store."""

    def __init__(self, scheme: str, files: fs.FileSystem) -> None:
        self.scheme, self.files = scheme, files

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PatientStore) and self.files == other.files

    def __hash__(self) -> int:
        return hash(self.scheme)

    def _call(self, path: str, call: Callable[[], Any]) -> Any:
        return patiently(call, f"{self.scheme}://{path}")

    def get_type_name(self) -> str:
        """Name of the kind of store."""
        return str(self.files.type_name)

    def normalize_path(self, path: str) -> str:
        """The path as it is: a key is text."""
        return path

    def get_file_info(self, paths: Sequence[str]) -> list[fs.FileInfo]:
        """Kind, size and time of files."""
        return list(self._call(paths[0], lambda: self.files.get_file_info(list(paths))))

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        """Content of a folder."""
        return list(self._call(selector.base_dir, lambda: self.files.get_file_info(selector)))

    def create_dir(self, path: str, recursive: bool) -> None:
        """Create a folder."""
        self._call(path, lambda: self.files.create_dir(path, recursive=recursive))

    def delete_dir(self, path: str) -> None:
        """Delete a folder with its content."""
        self._delete(path, self.files.delete_dir)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        """Delete the content of a folder."""
        self._call(
            path, lambda: self.files.delete_dir_contents(path, missing_dir_ok=missing_dir_ok)
        )

    def delete_root_dir_contents(self) -> None:
        """Refused: nobody empties all buckets."""
        raise NotImplementedError("all buckets")

    def delete_file(self, path: str) -> None:
        """Delete a file."""
        self._delete(path, self.files.delete_file)

    def _delete(self, path: str, delete: Callable[[str], None]) -> None:
        """Delete; what is gone when the call is repeated was deleted by a call without answer."""
        calls: list[str] = []

        def call() -> None:
            calls.append(path)
            with contextlib.suppress(*([FileNotFoundError] if len(calls) > 1 else [])):
                delete(path)

        self._call(path, call)

    def move(self, src: str, dest: str) -> None:
        """Rename a file."""
        self._call(dest, lambda: self.files.move(src, dest))

    def copy_file(self, src: str, dest: str) -> None:
        """Copy a file inside of the store."""
        self._call(dest, lambda: self.files.copy_file(src, dest))

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """A file to read from its beginning."""
        return self.open_input_file(path)

    def open_input_file(self, path: str) -> pa.NativeFile:
        """A file to read at any place."""
        return pa.PythonFile(_Reader(self, path), mode="r")

    def open_output_stream(self, path: str, metadata: Any) -> pa.NativeFile:
        """A file to write, which is uploaded when it is closed."""
        return pa.PythonFile(_Writer(self, path), mode="w")

    def open_append_stream(self, path: str, metadata: Any) -> pa.NativeFile:
        """Refused: objects cannot be extended."""
        raise NotImplementedError(f"{self.scheme}://{path}: an object cannot be extended")

    def entity_tag(self, path: str) -> str:
        """Tag of the present content of an object; "" if the store gives none."""

        def call() -> dict[str, bytes]:
            with self.files.open_input_stream(path) as stream:
                return dict(stream.metadata() or {})

        metadata = {name.lower(): value for name, value in self._call(path, call).items()}
        return str(metadata.get("etag", b"").decode()).strip('"')

    def upload(self, path: str, copy: IO[bytes]) -> None:
        """Make a file hold the content of an open file."""

        def call() -> None:
            copy.seek(0)
            with self.files.open_output_stream(path) as stream:
                shutil.copyfileobj(copy, stream, COPY_BYTES)

        self._call(path, call)


class _Reader(io.RawIOBase):
    """An object that is read by ranges; each read is repeated on its own."""

    def __init__(self, store: PatientStore, path: str) -> None:
        self._store, self._path, self._position = store, path, 0
        self._file = self._opened()
        self._size = int(self._store._call(path, self._file.size))

    def _opened(self) -> pa.NativeFile:
        return self._store._call(self._path, lambda: self._store.files.open_input_file(self._path))

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes."""
        left = max(0, self._size - self._position)
        count = left if size is None or size < 0 else min(size, left)
        if not count:
            return b""
        data = bytes(
            self._store._call(self._path, lambda: self._file.read_at(count, self._position))
        )
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._position = offset + {0: 0, 1: self._position, 2: self._size}[whence]
        return self._position

    def tell(self) -> int:
        """Present place."""
        return self._position

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def close(self) -> None:
        """End the use."""
        if not self.closed:
            self._file.close()
        super().close()


class _Writer(io.RawIOBase):
    """A file in memory or on disk that is uploaded when it is closed."""

    def __init__(self, store: PatientStore, path: str) -> None:
        self._store, self._path = store, path
        self._copy = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115

    def write(self, data: Any) -> int:
        """Append bytes."""
        return self._copy.write(data)

    def tell(self) -> int:
        """Bytes so far."""
        return self._copy.tell()

    def writable(self) -> bool:
        """True."""
        return True

    def close(self) -> None:
        """Upload the file."""
        if not self.closed:
            super().close()
            with self._copy as copy:
                self._store.upload(self._path, copy)


def upload(files: fs.FileSystem, path: str, copy: IO[bytes]) -> None:
    """Make an object hold the content of an open file."""
    if isinstance(files, fs.PyFileSystem) and isinstance(files.handler, PatientStore):
        files.handler.upload(path, copy)
        return
    copy.seek(0)
    with files.open_output_stream(path) as stream:
        shutil.copyfileobj(copy, stream, COPY_BYTES)


def create_object(files: fs.FileSystem, path: str, data: bytes) -> bool | None:
    """Create an object that does not exist, by one conditional request.

    Args:
        files: File system of the store, as `uris.filesystem` returns it.
        path: Bucket and key.
        data: Content.

    Returns:
        True if this call created the object, False if it exists, None if the store cannot tell.
    """
    store = _conditional_store(files, path.partition("/")[0])
    if store is None:
        return None
    import obstore  # noqa: PLC0415 - used by locks of object stores only

    try:
        obstore.put(store, path.partition("/")[2], data, mode="create")
    except FileExistsError:
        return False
    except Exception as error:  # noqa: BLE001 - the caller has another way
        if type(error).__name__ == "AlreadyExistsError":
            return False
        logger.debug("%s: no conditional request (%s)", path, error)
        return None
    return True


def _conditional_store(files: fs.FileSystem, bucket: str) -> Any:
    """The bucket for conditional requests; None for stores other than S3 and Google Cloud."""
    handler = getattr(files, "handler", None)
    if not isinstance(handler, PatientStore):
        return None
    from obstore.store import GCSStore, S3Store  # noqa: PLC0415

    options: dict[str, Any] = {
        "client_options": {"allow_http": True},  # an endpoint may be http://
        "retry_config": {"retry_timeout": datetime.timedelta(seconds=CREATE_S)},
    }
    try:
        if handler.scheme == "s3":
            return S3Store(bucket, region=handler.files.region, **options)
        return GCSStore(bucket, **options) if handler.scheme in ("gs", "gcs") else None
    except Exception as error:  # noqa: BLE001 - credentials that only pyarrow can read
        logger.debug("%s: no conditional requests (%s)", bucket, error)
        return None
