"""The ledger: one row for each input of a stage, published when the work on it has ended."""

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from typing import Literal

import pyarrow as pa

from idhray.errors import IdhrayError, StorageError
from idhray.storage import LEDGER as LEDGER_FOLDER
from idhray.storage import exists, join, remove
from idhray.table_parts import complete_part, part_path, parts, publish_table, read_table
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


READS_AT_ONCE = 16
"""Ledger files read at the same time. One table of 10,000 files would take 150 MB."""
_COLUMNS = pa.schema([LEDGER.field(field.name) for field in fields(Fate)], LEDGER.metadata)


def record(out: str, fate: Fate) -> None:
    """Publish a fate in `out/_ledger`, in place of an earlier one of the same input."""
    row = {**asdict(fate), "host": socket.gethostname()}
    publish_table(part_path(join(out, LEDGER_FOLDER), fate.input), [row], LEDGER)


def fates(out: str) -> dict[str, Fate]:
    """The fates in a folder's ledger by input; none when it has no ledger yet."""
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        rows = pool.map(_read, parts(join(out, LEDGER_FOLDER)))
        return {fate.input: fate for fate in rows}


def fate(out: str, name: str) -> Fate | None:
    """The fate of one input; None when there is none yet."""
    path = part_path(join(out, LEDGER_FOLDER), name)
    return _read(path) if exists(path) else None


def forget(out: str, name: str) -> None:
    """Remove the fate of an input."""
    remove(part_path(join(out, LEDGER_FOLDER), name))


def _read(path: str) -> Fate:
    (row,) = complete_part(path, _COLUMNS).to_pylist()
    return Fate(**{name: value for name, value in row.items() if value is not None})


def ledger_table(folders: Sequence[str]) -> pa.Table:
    """The ledgers of several folders as one table."""
    tables = [read_table(join(f, LEDGER_FOLDER), LEDGER) for f in folders]
    return pa.concat_tables(tables) if tables else LEDGER.empty_table()


def tally(fates: dict[str, Fate]) -> dict[str, int]:
    """Number of inputs done, skipped and failed, and number of rows."""
    numbers = {"done": 0, "skipped": 0, "failed": 0}
    for fate in fates.values():
        numbers[fate.status] += 1
    return {**numbers, "rows": sum(fate.rows for fate in fates.values())}


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
