"""Files of a source: the named file, or all files with given endings under a folder."""

import hashlib
import os

from idhray.errors import StorageError
from idhray.file_tree import files_below

END_BYTES = 1 << 16


def shard_files(source: str, endings: tuple[str, ...]) -> list[str]:
    """`source` itself if it is a file, else the sorted files under it with these endings.

    Raises:
        StorageError: `source` has no such file.
    """
    if os.path.isfile(source):
        return [source]
    files = files_under(source, endings)
    if not files:
        raise StorageError(f"{source}: no {' or '.join(endings)} files there")
    return files


def files_under(folder: str, endings: tuple[str, ...]) -> list[str]:
    """Sorted files with these endings in a folder and its subfolders; links are followed.

    Hidden files, and folders whose names start with an underscore, are skipped.
    """
    tree = files_below(folder, lambda name: name.startswith("_"))
    return [path for path in tree.files if path.lower().endswith(endings)]


def mark(path: str) -> str:
    """Mark of a file's content: its size and a hash of its first and last 64 KB.

    It changes when another file takes this one's place; "" if the file cannot be read.
    """
    try:
        with open(path, "rb") as handle:
            size = os.fstat(handle.fileno()).st_size
            ends = handle.read(END_BYTES)
            handle.seek(max(size - END_BYTES, len(ends)))
            ends += handle.read(END_BYTES)
    except (OSError, ValueError):
        return ""
    return f"{size}-{hashlib.sha256(ends).hexdigest()[:16]}"
