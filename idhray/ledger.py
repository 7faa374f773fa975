"""The ledger: one row for each input of a stage, published when the work on it has ended."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

from idhray.errors import IdhrayError, StorageError, TableError
from idhray.ledger_index import INDEX, ledger_rows
from idhray.storage import LEDGER as LEDGER_FOLDER
from idhray.storage import exists, join, remove
from idhray.table_parts import complete_part, part_path, publish_table
from idhray.tables import LEDGER

Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True, kw_only=True)
class Fate:
    """Fate of one input. `skipped` is a rule's decision, `failed` an error; each has a reason."""

    input: str
    status: Status
    rows: int = 0
    parts: int = 1
    """Number of files that hold the rows; 0 without rows."""
    seconds: float = 0.0
    attempts: int = 1
    error: str = ""
    """Reason of a skipped or failed input, or a remark on a finished one."""
    settings_hash: str = ""
    digest: str = ""
    """Digests of the published parts, joined by `-`."""
    people_hash: str = ""
    """Digest of the patients' values in the parts that come from the manifest."""
    stage_version: int = 1
    """Number of the stage's results, see `stages/runtime/versions.py`."""
    day: str = ""
    """Day on which the parts were made, UTC."""
    input_digest: str = ""
    """Digest of the input's files when they were read; "" if the stage records none."""
    mpp: float | None = None
    """um per level-0 pixel of a slide."""
    mpp_source: str = ""
    """Source of `mpp`, see `slides/resolution.py`."""
    mpp_contradiction: str = ""
    """Resolutions of a slide's file and manifest row that contradict each other."""
    quickhash: str = ""
    """Digest of a slide by OpenSlide; "" for other inputs."""


def record(out: str, fate: Fate) -> None:
    """Publish a fate in `out/_ledger`, in place of an earlier one of the same input."""
    row = {**asdict(fate), "host": socket.gethostname()}
    publish_table(part_path(join(out, LEDGER_FOLDER), fate.input), [row], LEDGER)


def fates(out: str, *, update_index: bool = False) -> dict[str, Fate]:
    """The fates in a folder's ledger by input; none when it has no ledger yet.

    Args:
        out: Output folder.
        update_index: Keep the index of a large ledger up to date. Only for a run that holds the
            folder's lock.
    """
    rows = ledger_rows(join(out, LEDGER_FOLDER), update=update_index)
    return {row["input"]: _fate(row) for row in rows}


def fate(out: str, name: str) -> Fate | None:
    """The fate of one input; None when there is none yet."""
    path = part_path(join(out, LEDGER_FOLDER), name)
    if not exists(path):
        return None
    (row,) = complete_part(path, LEDGER).to_pylist()
    return _fate(row)


def forget(out: str, *names: str) -> None:
    """Remove the fates of inputs."""
    if names:
        remove(join(out, LEDGER_FOLDER, INDEX))  # it holds their names, too
    for name in names:
        remove(part_path(join(out, LEDGER_FOLDER), name))


def _fate(row: Mapping[str, Any]) -> Fate:
    values = {name: value for name, value in row.items() if value is not None and name != "host"}
    return Fate(**values)


def ledger_table(folders: Sequence[str]) -> pa.Table:
    """The ledgers of several folders as one table.

    Raises:
        TableError: a folder has no ledger.
    """
    rows = []
    for folder in folders:
        rows += (entries := ledger_rows(join(folder, LEDGER_FOLDER)))
        if not entries:
            raise TableError(f"{folder}: has no ledger; run the stage that makes it first")
    return pa.Table.from_pylist(rows, schema=LEDGER)


def tally(fates: dict[str, Fate]) -> dict[str, int]:
    """Number of inputs done, skipped and failed, and number of rows."""
    numbers = {"done": 0, "skipped": 0, "failed": 0}
    for fate in fates.values():
        numbers[fate.status] += 1
    return {**numbers, "rows": sum(fate.rows for fate in fates.values())}


def work(fates: dict[str, Fate]) -> dict[str, float]:
    """Hours of work on the inputs of a ledger, and number of inputs that were tried again."""
    return {
        "work_hours": sum(fate.seconds for fate in fates.values()) / 3600,
        "retries": sum(fate.attempts > 1 for fate in fates.values()),
    }


def check_failures(out: str, fates: dict[str, Fate], max_failures: int) -> None:
    """Refuse an output in which more inputs failed than was allowed.

    Raises:
        StorageError: with the count and the first reasons.
    """
    failed = [fate for fate in fates.values() if fate.status == "failed"]
    if len(failed) > max_failures:
        reasons = "; ".join(fate.error for fate in failed[:3])
        raise StorageError(
            f"{out}: {len(failed)} of {len(fates)} inputs failed, --max-failures is "
            f"{max_failures} (the others are done, see {LEDGER_FOLDER}): {reasons}"
        )


def reason(error: IdhrayError) -> str:
    """An error as one line of a ledger."""
    return " ".join(str(error).split())
