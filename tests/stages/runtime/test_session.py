"""Start of Ray: faults are one line."""

from pathlib import Path

import pytest

from idhray.errors import ConfigError
from idhray.stages.runtime import session
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.placement import declare_node_labels, select_nodes
from idhray.stages.runtime.session import _start_failure, connect, promised_gpus, wait_for_room


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


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of one node with these CPUs; `requests` is what an autoscaler was asked for."""
    total, free, requests = {"CPU": 4.0}, {"CPU": 4.0}, []
    nodes = [{"Alive": True, "Resources": total, "Labels": {"group": "gpu"}}]
    monkeypatch.setattr(session, "_started_here", False)
    monkeypatch.setattr(session, "_room_timeout_s", 0.0)
    monkeypatch.setattr(session.ray, "nodes", lambda: nodes)
    monkeypatch.setattr(session.ray, "cluster_resources", lambda: total)
    monkeypatch.setattr(session.ray, "available_resources", lambda: free)
    monkeypatch.setattr(session, "request_resources", lambda **asked: requests.append(asked))
    return total, free, requests


def test_waiting_for_others_is_logged(cluster, caplog):
    """A command that waits in silence looks like one that hangs."""
    _, free, requests = cluster
    wait_for_room(cpus=1, gpus=0)
    assert caplog.text == ""
    free["CPU"] = 0
    wait_for_room(cpus=1, gpus=0)

    assert "one task needs 1 CPUs, and 0 CPUs of the cluster's 4 CPUs are free" in caplog.text
    assert requests == []


def test_a_task_that_fits_no_machine_ends_after_the_stated_wait(cluster, caplog):
    """A sweep that asked for GPUs which could never come waited for ever."""
    _, _, requests = cluster
    with pytest.raises(ConfigError, match="1 GPUs on one machine, the largest has 0 GPUs, and no"):
        wait_for_room(cpus=1, gpus=0.5 + 0.5)
    with pytest.raises(ConfigError, match="and 64 GB on one machine, the largest has 0 GB"):
        wait_for_room(cpus=1, gpus=0, memory_bytes=64e9)

    assert "waiting up to 0 s for the cluster to grow" in caplog.text
    assert requests == [
        {"bundles": [{"CPU": 1, "GPU": 1}], "bundle_label_selectors": [{}]},
        {"bundles": []},
        {"bundles": [{"CPU": 1, "memory": 64_000_000_000}], "bundle_label_selectors": [{}]},
        {"bundles": []},
    ]


def test_a_machine_that_comes_ends_the_wait(cluster, monkeypatch):
    """An autoscaler starts a machine for a request, not for a command that only looks."""
    total, _, requests = cluster
    monkeypatch.setattr(session, "_room_timeout_s", 60.0)
    monkeypatch.setattr(session.time, "sleep", lambda _: total.update(GPU=1.0))
    declare_node_labels(["group=gpu"])
    wait_for_room(cpus=1, gpus=1)
    select_nodes({})

    assert requests == [
        {"bundles": [{"CPU": 1, "GPU": 1}], "bundle_label_selectors": [{"group": "gpu"}]},
        {"bundles": []},
    ]


def test_flags_state_what_the_cluster_can_have(monkeypatch):
    """They count for all stages that a study runs; a stage without them changes nothing."""
    monkeypatch.setenv(session.GPUS_VARIABLE, "no")
    monkeypatch.setattr(session, "_room_timeout_s", 5.0)
    monkeypatch.setattr(session.ray, "is_initialized", lambda: True)
    connect(None, RunFlags(cluster_gpus="yes", room_timeout=7.0))
    connect(None, RunFlags())

    assert promised_gpus()
    assert session._room_timeout_s == 7.0
    with pytest.raises(ConfigError, match="--room-timeout must be 0 or more"):
        connect(None, RunFlags(room_timeout=-1))


def test_ray_gets_the_memory_of_the_job_and_not_of_the_machine(monkeypatch):
    """The kernel would end a worker before Ray's own monitor sees that memory is short."""
    monkeypatch.setattr(session, "memory_limit", lambda: None)
    assert session._memory_options() == {}
    monkeypatch.setattr(session, "memory_limit", lambda: 1 << 50)
    assert session._memory_options() == {}
    monkeypatch.setattr(session, "memory_limit", lambda: 4_000_000)
    assert session._memory_options()["_memory"] == 2_600_000


def test_every_stage_hands_its_flags_to_connect():
    """`encode --cluster-gpus yes` did not count: its flags went nowhere."""
    texts = {
        path.name: path.read_text()
        for path in Path(session.__file__).parents[1].glob("*.py")
        if "connect(flags.address" in path.read_text()
    }

    assert len(texts) > 10
    assert [name for name, text in texts.items() if "connect(flags.address)" in text] == []
