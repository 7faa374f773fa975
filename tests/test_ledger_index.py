"""Index of a ledger: fewer requests, never another fate."""

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from idhray import ledger, ledger_index
from idhray.errors import TableError
from idhray.ledger import Fate, fates, forget, ledger_table, record
from idhray.ledger_index import INDEX
from idhray.storage import list_files
from idhray.table_parts import part_path
from tests.made_up_store import made_up_store


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(ledger_index, "WORTH_FILES", 3)


def made_ledger(out, count):
    for k in range(count):
        record(out, Fate(input=f"slide {k}", status="done", rows=k))
    return {f"slide {k}": k for k in range(count)}


def aged(out):
    """The files of a ledger become an hour old."""
    for path in Path(out, "_ledger").glob("part-*"):
        stat = path.stat()
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 3600 * 10**9))


def test_fates_are_those_of_the_files_whatever_the_index_holds(tmp_path):
    """An input that was done again, came new or was forgotten after the index was written."""
    out = str(tmp_path)
    made_ledger(out, 6)
    aged(out)
    before = fates(out, update_index=True)
    record(out, replace(before["slide 1"], rows=100))
    record(out, Fate(input="new", status="failed", error="x"))
    os.remove(part_path(f"{out}/_ledger", "slide 2"))
    after = fates(out)

    assert (tmp_path / "_ledger" / INDEX).exists()
    assert after["slide 1"].rows == 100
    assert "slide 2" not in after
    assert after["new"].status == "failed"
    assert {name: after[name] for name in ("slide 0", "slide 3", "slide 4", "slide 5")} == {
        name: before[name] for name in ("slide 0", "slide 3", "slide 4", "slide 5")
    }
    assert ledger_table([out]).num_rows == 6
    assert len(pd.read_parquet(f"{out}/_ledger")) == 6  # as the manual shows


def test_a_file_of_the_same_second_as_the_index_is_read_itself(tmp_path):
    """A store gives times in seconds: the file may have changed after the index was written."""
    out = str(tmp_path)
    made_ledger(out, 6)
    fates(out, update_index=True)
    path = Path(part_path(f"{out}/_ledger", "slide 1"))
    stat = path.stat()
    record(out, Fate(input="slide 1", status="done", rows=9))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert path.stat().st_size == stat.st_size
    assert fates(out)["slide 1"].rows == 9


def test_a_damaged_index_costs_time_only(tmp_path):
    """The files are the ledger."""
    out = str(tmp_path)
    rows = made_ledger(out, 6)
    aged(out)
    fates(out, update_index=True)
    (tmp_path / "_ledger" / INDEX).write_bytes(b"PAR1")

    assert {name: fate.rows for name, fate in fates(out).items()} == rows


def test_readers_write_nothing(tmp_path):
    """`status` and later stages hold no lock, and may have no right to write."""
    made_ledger(str(tmp_path), 6)
    fates(str(tmp_path))

    assert not (tmp_path / "_ledger" / INDEX).exists()


def test_forgetting_an_input_removes_its_name_from_the_index(tmp_path):
    """Names of slides often begin with that of the patient."""
    made_ledger(str(tmp_path), 6)
    fates(str(tmp_path), update_index=True)
    forget(str(tmp_path), "slide 1")

    assert "slide 1" not in fates(str(tmp_path))
    assert [path.rsplit("/", 1)[-1][:5] for path in list_files(f"{tmp_path}/_ledger")] == (
        ["part-"] * 5
    )


def test_a_folder_without_a_ledger_has_no_fates(tmp_path):
    """A stage that begins."""
    assert fates(str(tmp_path)) == {}
    assert ledger.fate(str(tmp_path), "slide 1") is None
    with pytest.raises(TableError, match="has no ledger"):
        ledger_table([str(tmp_path)])


def test_a_start_on_a_large_ledger_takes_a_few_requests(monkeypatch):
    """It took three requests for each input."""
    with made_up_store() as store:
        made_ledger("s3://bucket/out", 12)
        monkeypatch.setattr(ledger_index, "SETTLED_NS", -(10**12))
        fates("s3://bucket/out", update_index=True)
        store.requests.clear()
        again = fates("s3://bucket/out")

        assert len(again) == 12
        assert sum(store.requests.values()) <= 5
