"""Data that pass between driver and worker: an item goes out, a report comes back.

An item is plain JSON on its way: Arrow has no type for all that a task may hold.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypedDict, TypeVar

from idhray.config import settings_from, settings_hash
from idhray.ledger import Fate, Status
from idhray.table_parts import PublishedPart

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Item(Generic[T_co]):
    """One input of a stage."""

    name: str
    """Name in the ledger."""
    settings_hash: str
    """Digest of all values that decide the rows of this input."""
    task: T_co
    """Dataclass that the work function takes, with plain JSON values and nested dataclasses."""
    people: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Patient -> the values in the rows that come from the manifest, in a table of images. They are
    not part of `settings_hash`: where they alone have changed, they are written into the parts."""
    former_hashes: list[str] = field(default_factory=list)
    """Values of `settings_hash` of earlier versions for the same rows."""
    size: int = 0
    """Bytes, or any other measure of the work. The largest items start first, so that no worker
    is left alone with a large one at the end. Progress is counted in sizes, too."""

    @property
    def people_hash(self) -> str:
        """Digest of `people`; "" if there are none."""
        return settings_hash(self.people) if self.people else ""

    def is_work_of(self, fate: Fate) -> bool:
        """True if a fate is of the same input and settings."""
        return fate.settings_hash in (self.settings_hash, *self.former_hashes)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of one task: rows, or parts that the work function published itself."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    published: Sequence[PublishedPart] = ()
    """The files at `part_path(out, name, 0)` and on."""
    status: Status = "done"
    note: str = ""
    """Reason for a skipped item, or a remark about a finished one."""
    input_digest: str = ""
    """Digest of the files that were read, see `input_digest.py`."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the fate, such as the resolution of a slide."""
    scratch: Sequence[str] = ()
    """Folders that are of no use once the parts are published; they are deleted then."""


class ItemReport(TypedDict):
    """Report of a worker to the driver on one item."""

    input: str
    status: str
    """Status of the fate, or `BUG` or `MUST_STOP` of `worker`."""
    error: str
    rows: int


def packed(items: Sequence[Item[Any]], attempts: Mapping[str, int]) -> str:
    """Items of one Ray task and the number of this attempt at each, as JSON."""
    return json.dumps([(asdict(item), attempts[item.name]) for item in items])


def unpacked(text: str, task_type: type[T]) -> list[tuple[Item[T], int]]:
    """Items and attempts from what `packed` returned."""
    pairs: list[tuple[Item[T], int]] = []
    for values, attempt in json.loads(text):
        task = settings_from(task_type, values.pop("task"))
        pairs.append((Item(task=task, **values), attempt))
    return pairs
