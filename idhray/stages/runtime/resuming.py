"""Comparison of an output folder with the items of a run: which of them are still open.

An input is done again if its settings or its file have changed. Where only values of the manifest
have changed, these are written into its parts. Inputs that are gone leave the table at the end.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from idhray import ledger
from idhray.errors import SettingsChangedError
from idhray.ledger import Fate
from idhray.stages.runtime.items import Item
from idhray.storage import list_files, remove
from idhray.table_parts import part_path, parts

OpenReason = Literal[
    "new", "failed before", "changed", "with a lost part", "with other patient values"
]
FOLLOWED = ("changed", "with other patient values")
"""Reasons that only a stage that follows its inputs accepts."""
OnChange = Literal["refuse", "redo", "redo and remove many"]
"""Reaction to inputs that changed or are gone; `redo` refuses if many are gone."""
FOLLOW: dict[bool, OnChange] = {False: "redo", True: "redo and remove many"}
"""Reaction of a table of images, by its flag --update."""
MANY_GONE = 0.2
"""Share of the inputs of a table that may be gone without a confirmation."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Difference between an output folder and the items of a run."""

    reasons: Mapping[str, OpenReason]
    """Input to work on -> the reason, in the order of the items."""
    gone: Sequence[str]
    """Inputs of the folder that are no items of this run."""

    def text(self) -> str:
        """Counts by reason, such as `2 new, 1 gone`; "" if there is nothing to do."""
        counts = Counter[str](self.reasons.values()) + Counter({"gone": len(self.gone)})
        return ", ".join(f"{number} {reason}" for reason, number in counts.items())


def difference(out: str, items: Sequence[Item[object]], fates: Mapping[str, Fate]) -> Difference:
    """Compare the fates of an output folder with the items of a run."""
    existing = set(parts(out))
    reasons = {item.name: open_reason(out, item, fates.get(item.name), existing) for item in items}
    return Difference(
        reasons={name: reason for name, reason in reasons.items() if reason},
        gone=[name for name in fates if name not in reasons],
    )


def open_reason(
    out: str, item: Item[object], fate: Fate | None, existing_parts: Collection[str]
) -> OpenReason | None:
    """Reason why an input must be worked on; None if its parts are what this run would write."""
    if fate is None:
        return "new"
    if fate.status == "failed":
        return "failed before"
    if not item.is_work_of(fate):
        return "changed"
    if is_open(out, fate, existing_parts):
        return "with a lost part"
    return "with other patient values" if has_other_people(item, fate) else None


def check_change(
    out: str, change: Difference, fates: Mapping[str, Fate], on_change: OnChange
) -> None:
    """Refuse changes that a stage does not follow, and a table that lost many inputs at once.

    Raises:
        SettingsChangedError: inputs changed or are gone, and `on_change` is `refuse`; or more than
            a fifth of them are gone, and it is `redo`.
    """
    refused = [name for name, reason in change.reasons.items() if reason in FOLLOWED]
    refused += [name for name in change.gone if fates[name].status != "failed"]
    if refused and on_change == "refuse":
        raise SettingsChangedError(
            f"{out}: {len(refused)} inputs have changed since, or are gone ({refused[0]}, ...): "
            "their files, their manifest rows, or the files that belong to them; choose another "
            "--out, or --overwrite to start anew"
        )
    if on_change == "redo" and len(change.gone) > MANY_GONE * len(fates):
        raise SettingsChangedError(
            f"{out}: {len(change.gone)} of {len(fates)} inputs are gone from the manifest "
            f"({change.gone[0]}, ...); give the whole manifest, or --update to remove their rows"
        )


def is_open(out: str, fate: Fate | None, existing_parts: Collection[str]) -> bool:
    """True for an input that has no fate, has failed, or has lost a part."""
    if fate is None or fate.status == "failed":
        return True
    count = fate.parts if fate.rows else 0
    return any(part_path(out, fate.input, shard) not in existing_parts for shard in range(count))


def has_other_people(item: Item[object], fate: Fate) -> bool:
    """True if the parts hold other values of the manifest than the item.

    Fates of earlier versions lack the digest; their `settings_hash` covers the values.
    """
    if not fate.people_hash:
        return fate.settings_hash == item.settings_hash and bool(item.people)
    return fate.people_hash != item.people_hash


def is_given_up(item: Item[object], fate: Fate | None, max_attempts: int | None) -> bool:
    """True for an unchanged input that failed in so many runs that it is not tried again."""
    if fate is None or fate.status != "failed" or max_attempts is None:
        return False
    return fate.attempts >= max_attempts and item.is_work_of(fate)


def remove_unlisted_files(folder: str, names: Collection[str]) -> None:
    """Delete files of a folder that are not named after an input, such as NAME.jpg."""
    for path in list_files(folder):
        if path.rsplit("/", 1)[-1].rsplit(".", 1)[0] not in names:
            remove(path)


def remove_gone(out: str, gone: Sequence[str]) -> None:
    """Remove inputs from the ledger; their parts go with `remove_unlisted_parts`."""
    ledger.forget(out, *gone)


def remove_unlisted_parts(out: str, fates: Mapping[str, Fate]) -> None:
    """Delete parts that no fate lists: those of ended workers, and of inputs that are gone."""
    listed = {
        part_path(out, name, shard)
        for name, fate in fates.items()
        for shard in range(fate.parts if fate.rows else 0)
    }
    for path in parts(out):
        if path not in listed:
            remove(path)
