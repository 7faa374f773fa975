"""A file that is written in pieces and published in one step when it is complete."""

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
    """Binary file, open for writing; it appears at `path` when the block ends without an error."""
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
            fs.copy_files(
                part,
                inner,
                source_filesystem=fs.LocalFileSystem(),
                destination_filesystem=files,
            )
    finally:
        Path(part).unlink(missing_ok=True)


def _umask() -> int:
    """File mode mask of this process. It can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
