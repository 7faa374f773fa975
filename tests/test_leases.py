"""Leases: one writer at a time without locks of the kernel."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from idhray import leases
from idhray.config import Identity
from idhray.errors import OutputError, StorageError
from idhray.leases import check_lease, held_numbers, lease, write_under
from idhray.storage import output_folder, publish
from tests.made_up_store import made_up_store

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(leases, "EXPIRY_S", 0.3)


def numbers(folder):
    return sorted(int(path.name) for path in (folder / ".lease").iterdir())


def run_of(folder, body):
    """Another process that holds the lease of a folder, and its standard streams."""
    code = f"""
import sys
from idhray import leases
from idhray.storage import publish
leases.HEARTBEAT_S, leases.EXPIRY_S = 0.05, 0.3
folder = {str(folder)!r}
with leases.lease(folder):
    print("in", flush=True)
    sys.stdin.readline()
{textwrap.indent(textwrap.dedent(body), "    ")}
"""
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "in\n"
    return run


@pytest.fixture(params=["folder", "store"])
def place(request, tmp_path):
    """A folder on a disk, and one in an object store with conditional requests."""
    if request.param == "folder":
        yield str(tmp_path)
        return
    with made_up_store():
        yield "s3://bucket/out"


def test_a_run_that_is_alive_keeps_others_out(place):
    """Its heartbeat moves, so nobody waits for its expiry."""
    with (
        lease(place),
        pytest.raises(StorageError, match=r"another run is writing here \(process \d+ on "),
        lease(place),
    ):
        pass
    with lease(place):  # released, so at once
        publish(f"{place}/part-a.parquet", b"x")


def test_a_run_that_slept_past_its_expiry_publishes_nothing_more(place, monkeypatch):
    """SIGSTOP stands for a suspended machine or a lost network; both runs would write."""
    monkeypatch.setattr(leases.Holder, "is_dead", lambda holder: False)
    first = run_of(place, 'publish(f"{folder}/part-a.parquet", b"first")')
    os.kill(first.pid, signal.SIGSTOP)
    with lease(place):
        publish(f"{place}/part-a.parquet", b"second")
        os.kill(first.pid, signal.SIGCONT)
        _, text = first.communicate("\n", timeout=20)

    assert "OutputError" in text
    assert "another run has taken over the folder" in text


def test_a_killed_run_on_this_machine_is_succeeded_at_once(tmp_path, monkeypatch):
    """Its process is gone; nobody has to wait for the expiry."""
    monkeypatch.setattr(leases, "EXPIRY_S", 60)
    first = run_of(tmp_path, "")
    first.kill()
    first.wait()
    start = time.monotonic()
    with lease(str(tmp_path)):
        assert numbers(tmp_path) == [2]

    assert time.monotonic() - start < 5


def test_of_many_runs_at_once_one_writes(tmp_path):
    """Creation of a number is exclusive, whoever looks at the same time."""
    (tmp_path / "at once").mkdir()
    inside, most, refused = [], [], []

    def run(k):
        try:
            with lease(str(tmp_path)):
                inside.append(k)
                most.append(len(inside))
                time.sleep(0.2)
                inside.remove(k)
        except StorageError:
            refused.append(k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(most) == {1}
    assert len(most) + len(refused) == 8


def test_workers_write_under_the_number_of_their_driver(tmp_path):
    """A worker of a run that lost its lease must not publish either."""
    folder = str(tmp_path)
    with lease(folder):
        numbers_of_driver = held_numbers()
    write_under(numbers_of_driver)
    check_lease(f"{folder}/part-a.parquet")
    with lease(folder):
        pass
    write_under(numbers_of_driver)
    try:
        with pytest.raises(OutputError, match="taken over"):
            publish(f"{folder}/part-a.parquet", b"x")
        publish(f"{folder}-other", b"x")  # not inside
    finally:
        leases._numbers.clear()


def test_a_file_system_without_flock_gets_a_lease(tmp_path, monkeypatch):
    """Lustre without the option, FUSE and some NFS mounts answer ENOSYS."""

    def flock(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    out = str(tmp_path / "out")
    identity = Identity({"stage": "test"})
    with output_folder(out, identity, provenance={}):
        assert held_numbers() == {out: (out, 1)}
        with (
            pytest.raises(StorageError, match="another run is writing here"),
            output_folder(out, identity, provenance={}),
        ):
            pass
    with output_folder(out, identity, provenance={}, overwrite=True):
        assert numbers(tmp_path / "out") == [2]
    entry = json.loads((tmp_path / "out" / ".lease" / "00000002").read_text())
    assert entry["is_released"]


def test_a_store_without_conditional_requests_is_locked_with_one_warning(monkeypatch, caplog):
    """The last writer of a number wins, as everybody reads it back."""
    monkeypatch.setattr(leases, "SETTLE_S", 0.05)
    monkeypatch.setattr(leases, "create_object", lambda *_: None)
    monkeypatch.setattr(leases, "_warned", set())
    with made_up_store():
        for _ in range(2):
            with lease("s3://bucket/plain"):
                pass
        with (
            lease("s3://bucket/plain"),
            pytest.raises(StorageError, match="another run"),
            lease("s3://bucket/plain"),
        ):
            pass

    assert caplog.text.count("no conditional requests") == 1
