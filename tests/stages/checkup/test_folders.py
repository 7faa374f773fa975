"""Checks of folders: full disks, missing locks, long paths, clocks."""

import errno
import fcntl
import os
import shutil
from collections import namedtuple

import pytest

from idhray.errors import ConfigError
from idhray.stages.checkup import folders
from idhray.stages.checkup.fast import refuse_unready
from idhray.stages.checkup.folders import output_folder_checks, shared_memory, temporary_folder

Usage = namedtuple("Usage", "total used free")


def states(out):
    return {finding.check: finding.state for finding in output_folder_checks(str(out))}


def test_a_sound_folder_passes_and_keeps_nothing(tmp_path):
    """The checks write a file; it must be gone, also in a folder that does not exist yet."""
    assert "failed" not in states(tmp_path / "new" / "study").values()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_stops_a_study_before_it_starts(monkeypatch, tmp_path):
    """Found after days otherwise."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 0.2e9))

    assert states(tmp_path)["output folder"] == "failed"
    with pytest.raises(ConfigError, match=r"this machine is not ready:\n  failed   .*0\.2 GB free"):
        refuse_unready(str(tmp_path))


def test_a_folder_without_locks_is_named(monkeypatch, tmp_path):
    """Lustre without -o flock, and NFS without lockd."""

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)

    assert states(tmp_path)["locks"] == "warning"


def test_a_folder_that_cannot_be_written_to_fails(monkeypatch, tmp_path):
    """A read-only mount; root may write everywhere, so the error is given."""

    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(folders.Path, "write_bytes", read_only)

    assert states(tmp_path) == {"output folder": "failed"}


def test_a_clock_that_is_wrong_is_named(monkeypatch, tmp_path):
    """Leases and days in records depend on clocks."""
    monkeypatch.setattr(folders.time, "time", lambda: 0.0)

    assert states(tmp_path)["clock"] == "warning"


def test_a_temporary_folder_that_is_none_fails(monkeypatch, tmp_path):
    """Ray would wait for its own processes, then give up without the reason."""
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("RAY_TMPDIR", str(file))

    assert temporary_folder().state == "failed"
    assert "RAY_TMPDIR" in temporary_folder().text


def test_a_long_temporary_folder_gets_a_short_link_or_fails(monkeypatch, tmp_path):
    """Sockets have paths of 107 bytes at most."""
    long = tmp_path / ("x" * 90)
    monkeypatch.setenv("RAY_TMPDIR", str(long))
    found = temporary_folder()
    assert (found.state, len(found.text.split(",")[0]) < 40) == ("ok", True)

    def no_link(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    os.unlink(found.text.split(",")[0])
    monkeypatch.setattr("pathlib.Path.symlink_to", no_link)

    assert "need a shorter path" in temporary_folder().text


def test_little_shared_memory_is_warned_of(monkeypatch, tmp_path):
    """Containers have 64 MB by default."""
    assert shared_memory(str(tmp_path / "absent")).state == "warning"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 0.06e9))

    assert shared_memory(str(tmp_path)).state == "warning"


def test_a_bucket_that_refuses_fails(tmp_path):
    """The address of a store that is not there; no request leaves the machine."""
    (finding,) = output_folder_checks("s3://idhray-no-such-bucket/study?endpoint_override=bad://x")

    assert finding.state == "failed"
