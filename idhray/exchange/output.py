"""A file that is written bit by bit and appears at once when it is whole."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pyarrow import fs

from idhray.storage import filesystem


@contextlib.contextmanager
def new_file(path: str) -> Iterator[IO[bytes]]:
    """A binary file, open for writing; `path` holds it when the block ends without an error."""
    files, inner = filesystem(path)
    local = isinstance(files, fs.LocalFileSystem)
    if local:
        Path(inner).parent.mkdir(parents=True, exist_ok=True)
    folder = str(Path(inner).parent) if local else None
    descriptor, part = tempfile.mkstemp(dir=folder, prefix=f".{Path(inner).name[:60]}.")
    try:
        with os.fdopen(descriptor, "w+b") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        if local:
            os.chmod(part, 0o666 & ~_umask())
            os.replace(part, inner)
        else:
            fs.copy_files(part, inner, destination_filesystem=files)
    finally:
        Path(part).unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask; asking for it means setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
