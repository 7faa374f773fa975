"""Content of the parts of a table, so that later work depends on the rows that it reads alone."""

import functools
import hashlib
import json
from collections.abc import Iterable

from idhray.ledger import fates
from idhray.stages.runtime.folder import DONE
from idhray.storage import exists, join, read_bytes
from idhray.table_parts import part_path, parts


def part_contents(folder: str) -> dict[str, str]:
    """Part -> digest of its rows, without the columns that come from the manifest.

    Parts that no ledger lists, such as those of other programs, are read; their digest covers all
    columns. A finished table is read once for all that depend on it, such as dozens of GANs.
    """
    done = join(folder, DONE)
    if not exists(done):
        return _read_contents(folder)
    return dict(_contents_of_finished(folder, read_bytes(done)))


@functools.lru_cache(maxsize=8)
def _contents_of_finished(folder: str, seal: bytes) -> dict[str, str]:
    return _read_contents(folder)


def _read_contents(folder: str) -> dict[str, str]:
    listed = {
        part_path(folder, fate.input, shard): digest
        for fate in fates(folder).values()
        if fate.digest
        for shard, digest in enumerate(fate.digest.split("-"))
    }
    return {path: listed.get(path) or _file_digest(path) for path in parts(folder)}


def image_identity(part_digest: str, number: int, patient: str, idh: str) -> str:
    """Digest of one image with its patient and label, whatever else its table holds.

    Args:
        part_digest: Digest of its part, from `part_contents`.
        number: Its number in the part, from 0.
        patient: Its patient.
        idh: Its label.
    """
    text = json.dumps([part_digest, int(number), patient, idh])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def rows_digest(identities: Iterable[str]) -> str:
    """Digest of images in their order, from their `image_identity`."""
    return hashlib.sha256("".join(identities).encode()).hexdigest()[:16]


def contents_of_input(contents: dict[str, str], folder: str, name: str) -> list[str]:
    """Digests of the parts of one input, from `part_contents`."""
    digests: list[str] = []
    while digest := contents.get(part_path(folder, name, len(digests))):
        digests.append(digest)
    return digests


def _file_digest(path: str) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()[:16]
