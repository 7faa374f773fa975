"""The files of a source: one that is named, or all of a kind under a folder."""

import hashlib
import os

from idhray.errors import StorageError

END_BYTES = 1 << 16


def shards(source: str, endings: tuple[str, ...]) -> list[str]:
    """`source` itself if it is a file, else the files under it with these endings, sorted.

    Raises:
        StorageError: there are none.
    """
    if os.path.isfile(source):
        return [source]
    found = files_under(source, endings)
    if not found:
        raise StorageError(f"{source}: no {' or '.join(endings)} files there")
    return found


def files_under(folder: str, endings: tuple[str, ...]) -> list[str]:
    """Files with these endings in a folder and its folders, but for hidden ones."""
    found = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        found += [
            os.path.join(here, name)
            for name in names
            if name.lower().endswith(endings) and not name.startswith(".")
        ]
    return sorted(found)


def mark(path: str) -> str:
    """What changes when another file takes a file's place: its size, and a hash of its first and
    last 64 KB; "" where it cannot be read."""
    try:
        with open(path, "rb") as handle:
            size = os.fstat(handle.fileno()).st_size
            ends = handle.read(END_BYTES)
            handle.seek(max(size - END_BYTES, len(ends)))
            ends += handle.read(END_BYTES)
    except (OSError, ValueError):
        return ""
    return f"{size}-{hashlib.sha256(ends).hexdigest()[:16]}"
