"""Items of one Ray task: parts, then the fate, then what is of no use any more."""

from dataclasses import dataclass

import pyarrow as pa
import pytest

from idhray.errors import FullError
from idhray.ledger import fate
from idhray.stages.runtime import worker
from idhray.stages.runtime.items import Item, Outcome, packed

SCHEMA = pa.schema({"n": pa.int64()})


@dataclass(frozen=True)
class Task:
    """Folder that the work leaves."""

    folder: str


def with_scratch(task):
    return Outcome(rows=[{"n": 1}], scratch=[task.folder])


def work(tmp_path):
    item = Item(name="a", settings_hash="s", task=Task(str(tmp_path / "scratch")))
    (report,) = worker.work_on_group(
        {"group": packed([item], {"a": 1})},
        work=with_scratch,
        task_type=Task,
        out=str(tmp_path),
        schema=SCHEMA,
        limit_s=None,
    )
    return report


@pytest.mark.parametrize("full", [False, True])
def test_scratch_folders_are_deleted_only_once_the_fate_is_recorded(tmp_path, monkeypatch, full):
    """A training whose predictions found no space on the disk would have to be done again."""
    (tmp_path / "scratch").mkdir()
    if full:
        monkeypatch.setattr(worker, "publish_table", no_space)
    report = work(tmp_path)

    assert report["status"] == ("must stop" if full else "done")
    assert (tmp_path / "scratch").exists() == full
    assert (fate(str(tmp_path), "a") is None) == full


def no_space(*_):
    raise FullError("no space")
