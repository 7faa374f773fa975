"""Inputs of a table of images, with their parts in order and the digest of each part."""

import posixpath
from dataclasses import dataclass

from idhray.ledger import fates
from idhray.stages.runtime.contents import part_contents
from idhray.table_parts import part_path


@dataclass(frozen=True, kw_only=True)
class InputParts:
    """Parts of one input of a table of images."""

    name: str
    """Input in the ledger of the table; the file's name of a part that no ledger lists."""
    paths: tuple[str, ...]
    digests: tuple[str, ...]
    """Digest of the rows of each part, from `part_contents`."""


def inputs_with_parts(folder: str) -> list[InputParts]:
    """All inputs of a table that have images, in the order of their names.

    Args:
        folder: Folder of a table of images.
    """
    contents = part_contents(folder)
    names: dict[str, list[str]] = {}
    for fate in fates(folder).values():
        paths = [part_path(folder, fate.input, shard) for shard in range(fate.parts)]
        if present := [path for path in paths if path in contents]:
            names[fate.input] = present
    listed = {path for paths in names.values() for path in paths}
    for path in contents:
        if path not in listed:
            names[posixpath.basename(path)] = [path]
    return [
        InputParts(name=name, paths=tuple(paths), digests=tuple(contents[p] for p in paths))
        for name, paths in sorted(names.items())
    ]
