"""Start of Ray: faults are one line."""

import pytest

from idhray.stages.runtime import session
from idhray.stages.runtime.session import _start_failure, tell_if_waiting


@pytest.mark.parametrize(
    ("address", "error", "text"),
    [
        ("h:1", RuntimeError("Version mismatch: a\nb"), "use the versions of Ray and Python of"),
        ("h:1", ConnectionError("gone"), "no Ray cluster answers there, or it needs its token"),
        ("local", OSError("no space"), "Ray cannot be started on this machine: no space"),
    ],
)
def test_a_failed_start_says_what_to_do(address, error, text):
    """Ray's own message may have many lines."""
    message = _start_failure(address, error)

    assert text in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("total", "free", "text"),
    [
        (0, 0, "one task needs 1 CPUs on one machine, the largest has 0; waiting for the cluster"),
        (4, 0, "one task needs 1 CPUs, and 0 of the cluster's 4 are free; waiting for others"),
        (4, 2, ""),
    ],
)
def test_waiting_for_a_cpu_is_said(monkeypatch, caplog, total, free, text):
    """A command that waits in silence looks like one that hangs."""
    nodes = [{"Alive": True, "Resources": {"CPU": total}}]
    monkeypatch.setattr(session, "_started_here", False)
    monkeypatch.setattr(session.ray, "nodes", lambda: nodes)
    monkeypatch.setattr(session.ray, "cluster_resources", lambda: {"CPU": total})
    monkeypatch.setattr(session.ray, "available_resources", lambda: {"CPU": free})
    tell_if_waiting(cpus=1, gpus=0)

    assert (text in caplog.text) if text else caplog.text == ""
