"""Atomic publication, output folders, locks."""

import json
import subprocess
import sys

import pytest

from idhray.errors import SettingsChangedError, StorageError
from idhray.storage import (
    SETTINGS,
    filesystem,
    list_files,
    local_file,
    output_folder,
    publish,
    read_bytes,
)

SAID = {"stage": "test", "seed": 0}


def make(out, settings=SAID, **options):
    with output_folder(str(out), settings=settings, provenance={}, **options):
        publish(f"{out}/part-1.parquet", b"table")


def test_publish_replaces_whole_files_and_leaves_nothing_else(tmp_path):
    """A reader never meets half a file, nor a temporary one."""
    for data in (b"one", b"two"):
        publish(str(tmp_path / "deep" / "file"), data)

    assert read_bytes(str(tmp_path / "deep" / "file")) == b"two"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]


def test_the_same_settings_continue_and_others_are_refused_by_name(tmp_path):
    """Mixing two settings in one table cannot be seen afterwards."""
    make(tmp_path / "out")
    make(tmp_path / "out")

    with pytest.raises(SettingsChangedError, match="seed: was 0, now 1"):
        make(tmp_path / "out", {**SAID, "seed": 1})


def test_overwrite_starts_anew(tmp_path):
    """What an earlier run left must not survive among the new."""
    out = tmp_path / "out"
    make(out)
    (out / "_ledger").mkdir()
    (out / "_ledger" / "part-2.parquet").touch()
    make(out, {**SAID, "seed": 1}, overwrite=True)

    assert json.loads((out / SETTINGS).read_text())["seed"] == 1
    assert not (out / "_ledger").exists()


def test_a_folder_of_something_else_is_never_touched(tmp_path):
    """`--out ~ --overwrite` must not cost a home folder, nor one stage another's table."""
    (tmp_path / "thesis.docx").touch()

    with pytest.raises(StorageError, match=r"not made by idhray \(holds thesis.docx\)"):
        make(tmp_path, overwrite=True)
    make(tmp_path / "out")
    with pytest.raises(StorageError, match="made by test"):
        make(tmp_path / "out", {**SAID, "stage": "other"}, overwrite=True)


def test_two_runs_at_once_are_refused_and_a_killed_one_leaves_no_lock(tmp_path):
    """A lock that outlives its process is the most frequent complaint about locks."""
    code = (
        "import os, sys\nfrom idhray.storage import output_folder\n"
        f"with output_folder({str(tmp_path / 'out')!r}, settings={SAID!r}, provenance={{}}):\n"
        "    print('in', flush=True)\n    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    other.stdout.readline()

    with pytest.raises(StorageError, match="another run is writing"):
        make(tmp_path / "out")
    other.kill()
    other.wait()
    make(tmp_path / "out")


def test_a_uri_is_read_and_staged_like_a_path(tmp_path):
    """Object stores go through the same functions; file:// stands in for them here."""
    publish(f"file://{tmp_path}/a/slide.svs", b"data")

    assert list_files(f"file://{tmp_path}/a", suffix=".svs") == [f"file://{tmp_path}/a/slide.svs"]
    with local_file(f"file://{tmp_path}/a/slide.svs") as path:
        assert path.endswith("slide.svs")
        with open(path, "rb") as handle:
            assert handle.read() == b"data"
    with pytest.raises(StorageError, match="no such file"), local_file(str(tmp_path / "b")):
        pass
    with pytest.raises(StorageError, match="cannot be opened"):
        filesystem("ftp://host/file")
