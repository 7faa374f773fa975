"""Atomic publication, output folders, locks."""

import json
import subprocess
import sys

import pytest

from idhray.config import Identity
from idhray.errors import OutputError, SettingsChangedError, StorageError
from idhray.storage import (
    SETTINGS,
    filesystem,
    list_files,
    local_file,
    output_folder,
    publish,
    publishing,
    read_bytes,
    remove_abandoned,
)

VALUES = {"stage": "test", "seed": 0}


def make(out, settings=VALUES, **options):
    with output_folder(str(out), Identity(settings), provenance={}, **options):
        publish(f"{out}/part-1.parquet", b"table")


def test_publish_replaces_whole_files_and_leaves_nothing_else(tmp_path):
    """A reader never meets half a file, nor a temporary one."""
    for data in (b"one", b"two"):
        publish(str(tmp_path / "deep" / "file"), data)

    assert read_bytes(str(tmp_path / "deep" / "file")) == b"two"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]


def test_nothing_appears_where_writing_failed(tmp_path):
    """An error in between is no half file."""

    def half():
        with publishing(str(tmp_path / "file")) as handle:
            handle.write(b"half")
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        half()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line(tmp_path):
    """It is the user's to mend, not a bug. A limit on the size of files stands in for the disk."""
    code = f"""
import resource, signal
from idhray.storage import publish
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
publish({str(tmp_path / "file")!r}, bytes(5000))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "FullError" in run.stderr
    assert "cannot be written (File too large)" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_half_written_is_removed_by_the_next(tmp_path):
    """Names as `publish` makes them, in the folder, its ledger and what the stage owns."""
    make(tmp_path / "out", owns=("quality",))
    for folder in ("", "_ledger", "quality"):
        (tmp_path / "out" / folder).mkdir(exist_ok=True)
        (tmp_path / "out" / folder / f".half-{'0a' * 16}").touch()
    (tmp_path / "out" / ".keep").touch()
    make(tmp_path / "out", owns=("quality",))

    left = [path.name for path in (tmp_path / "out").rglob(".*")]
    assert sorted(left) == [".keep", ".lock"]


def test_what_killed_workers_left_is_removed_at_the_end_of_a_run(tmp_path):
    """A worker that ran out of memory leaves up to a shard of a slide; the run goes on."""
    with output_folder(str(tmp_path / "out"), Identity(VALUES), provenance={}):
        half = tmp_path / "out" / f".half-{'0b' * 16}"
        half.touch()

    assert not half.exists()


def test_the_same_settings_continue_and_others_are_refused_by_name(tmp_path):
    """Mixing two settings in one table cannot be seen afterwards."""
    make(tmp_path / "out")
    make(tmp_path / "out")

    with pytest.raises(SettingsChangedError, match="seed: was 0, now 1"):
        make(tmp_path / "out", {**VALUES, "seed": 1})


def test_overwrite_starts_anew(tmp_path):
    """What an earlier run left must not survive among the new."""
    out = tmp_path / "out"
    make(out)
    (out / "_ledger").mkdir()
    (out / "_ledger" / "part-2.parquet").touch()
    make(out, {**VALUES, "seed": 1}, overwrite=True)

    assert json.loads((out / SETTINGS).read_text())["seed"] == 1
    assert not (out / "_ledger").exists()


def test_a_folder_of_something_else_is_never_touched(tmp_path):
    """`--out ~ --overwrite` must not cost a home folder, nor one stage another's table."""
    (tmp_path / "thesis.docx").touch()

    with pytest.raises(StorageError, match=r"not made by idhray \(holds thesis.docx\)"):
        make(tmp_path, overwrite=True)
    make(tmp_path / "out")
    with pytest.raises(StorageError, match="made by test"):
        make(tmp_path / "out", {**VALUES, "stage": "other"}, overwrite=True)


def test_two_runs_at_once_are_refused_and_a_killed_one_leaves_no_lock(tmp_path):
    """A lock that outlives its process is the most frequent complaint about locks."""
    code = (
        "import os, sys\nfrom idhray.config import Identity\n"
        "from idhray.storage import output_folder\n"
        f"folder, identity = {str(tmp_path / 'out')!r}, Identity({VALUES!r})\n"
        "with output_folder(folder, identity, provenance={}):\n"
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


def test_a_worker_that_outlives_its_run_blames_no_input(tmp_path):
    """The next run removes what a killed one left half-written, perhaps under a live worker."""

    def overtaken():
        with publishing(str(tmp_path / "part-x.parquet")) as handle:
            handle.write(b"x")
            remove_abandoned(str(tmp_path))

    with pytest.raises(OutputError, match="has taken over the folder"):
        overtaken()
    assert not [*tmp_path.iterdir()]
