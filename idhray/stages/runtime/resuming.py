"""Comparison of an output folder with the items of a run: which of them are still open."""

from collections.abc import Collection, Mapping, Sequence

from idhray.errors import SettingsChangedError
from idhray.ledger import Fate
from idhray.stages.runtime.items import Item
from idhray.storage import remove
from idhray.table_parts import part_path, parts


def check_unchanged(out: str, items: Sequence[Item[object]], fates: Mapping[str, Fate]) -> None:
    """Refuse a folder that holds fates of other inputs, or of inputs that changed since.

    A failed input is done again and may have been corrected.

    Raises:
        SettingsChangedError: with the count and the first of these inputs.
    """
    hashes = {item.name: item.settings_hash for item in items}
    changed = [
        name
        for name, fate in fates.items()
        if fate.status != "failed" and hashes.get(name) != fate.settings_hash
    ]
    if changed:
        raise SettingsChangedError(
            f"{out}: {len(changed)} inputs have changed since, or are gone ({changed[0]}, ...): "
            "their files, their manifest rows, or the files that belong to them; choose another "
            "--out, or --overwrite to start anew"
        )


def is_open(out: str, fate: Fate | None, existing_parts: Collection[str]) -> bool:
    """True for an input that has no fate, has failed, or has lost a part."""
    if fate is None or fate.status == "failed":
        return True
    count = fate.parts if fate.rows else 0
    return any(part_path(out, fate.input, shard) not in existing_parts for shard in range(count))


def is_given_up(fate: Fate | None, max_attempts: int | None) -> bool:
    """True for an input that failed in so many runs that it is not tried again."""
    if fate is None or fate.status != "failed" or max_attempts is None:
        return False
    return fate.attempts >= max_attempts


def remove_unlisted_parts(out: str, fates: Mapping[str, Fate]) -> None:
    """Delete parts that no fate lists: those of workers that were ended while they wrote."""
    listed = {
        part_path(out, name, shard)
        for name, fate in fates.items()
        for shard in range(fate.parts if fate.rows else 0)
    }
    for path in parts(out):
        if path not in listed:
            remove(path)
