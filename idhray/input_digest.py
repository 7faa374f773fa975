"""Digest of an input file, cheap enough to be taken whenever a file is read.

Scans and small files are digested whole. Of larger slides, the start, the end and a window of each
MiB are: SHA-256 of all bytes takes 1.0 CPU-s a GB, some 9 % of the CPU time of tiling, and reads
bytes that tiling never reads; of the windows it takes 0.06 CPU-s a GB, 0.6 %. So a change of 1 MiB
in a row, as by another scan, another export or a transfer that was cut off, is always noticed, a
single changed byte of a large slide perhaps not.
"""

import hashlib
from collections.abc import Iterable

from idhray.errors import StorageError
from idhray.storage import filesystem

WHOLE_BYTES = 2 << 20
"""Files up to this size are always digested whole."""
STEP_BYTES = 1 << 20
"""Distance of two windows, from start to start."""
WINDOW_BYTES = 64 << 10


def content_digest(paths: Iterable[str], *, whole: bool = False) -> str:
    """16 hex digits of the content of one or several files, without their names.

    Args:
        paths: Paths or URIs of the files.
        whole: Read all bytes of large files, too.

    Raises:
        StorageError: a file cannot be read.
    """
    content = hashlib.sha256()
    for path in paths:
        files, inner = filesystem(path)
        try:
            with files.open_input_file(inner) as file:
                size = file.size()
                content.update(f"{size} ".encode())
                for first, end in windows(size, whole=whole):
                    content.update(file.read_at(end - first, first))
        except FileNotFoundError:
            raise StorageError(f"{path}: no such file") from None
        except OSError as error:
            raise StorageError(f"{path}: cannot be read ({error})") from None
    return content.hexdigest()[:16]


def windows(size: int, *, whole: bool = False) -> list[tuple[int, int]]:
    """Ranges of the bytes that are digested, each as its first byte and the byte after its last."""
    if whole or size <= WHOLE_BYTES:
        return [(first, min(first + STEP_BYTES, size)) for first in range(0, size, STEP_BYTES)]
    starts = [*range(0, size - WINDOW_BYTES, STEP_BYTES), size - WINDOW_BYTES]
    return [(first, first + WINDOW_BYTES) for first in starts]
