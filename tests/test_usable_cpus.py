"""CPUs that a job may use."""

import os

import pytest

from idhray.usable_cpus import memory_limit, usable_cpus


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node of 64 CPUs without limits."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.delenv("SLURM_CPUS_ON_NODE", raising=False)
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "self").write_text("0::/slurm/job_7/step_0\n")
    return tmp_path


def write(node, name, text):
    path = node / "cgroup" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def count(node):
    return usable_cpus(node / "cgroup", node / "self")


def test_affinity_is_the_limit_without_quota(node, monkeypatch):
    """SLURM and cpusets bind a job to some CPUs of a shared node."""
    assert count(node) == 64
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 17})
    assert count(node) == 2


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", 64)],
)
@pytest.mark.parametrize("place", ["slurm/job_7/step_0", "slurm", ""])
def test_the_quota_of_any_group_above_counts_in_whole_cpus(node, place, text, cpus):
    """cpu.max of the container lies at the mount, that of a job some levels below."""
    write(node, f"{place}/cpu.max".lstrip("/"), text + "\n")

    assert count(node) == cpus


def test_quotas_of_the_first_version_of_control_groups_count(node):
    """Older nodes; -1 is no limit."""
    (node / "self").write_text("4:cpu,cpuacct:/docker/ab\n3:memory:/docker/ab\n0::/\n")
    write(node, "cpu,cpuacct/cpu.cfs_quota_us", "-1")
    write(node, "cpu,cpuacct/cpu.cfs_period_us", "100000")
    assert count(node) == 64
    write(node, "cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "300000")
    write(node, "cpu,cpuacct/docker/ab/cpu.cfs_period_us", "100000")
    assert count(node) == 3


def test_files_that_are_missing_or_odd_are_no_limit(node):
    """Not every system has control groups."""
    write(node, "cpu.max", "")
    (node / "self").unlink()

    assert count(node) == 64


def test_the_share_of_a_slurm_job_counts_without_control_groups(node, monkeypatch):
    """Not every cluster confines its jobs; the neighbors would be slowed down."""
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "12")
    assert count(node) == 12
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "")
    assert count(node) == 64


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        ("0::/slurm/job_7/step_0\n", {"slurm/job_7/memory.max": "8000"}, 8000),
        ("0::/a/b\n", {"a/memory.max": "9000", "a/b/memory.max": "max", "memory.max": "10"}, 10),
        ("9:memory:/slurm/uid_1\n", {"memory/slurm/memory.limit_in_bytes": "7000"}, 7000),
        ("9:memory:/a\n", {"memory/a/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("1:cpu:/a\n0::/b\n", {"unified/b/memory.max": "6000"}, 6000),
        ("0::/\n", {}, None),
    ],
)
def test_the_smallest_limit_of_memory_counts(node, groups, files, limit):
    """Ray sees the limit of its container only; the kernel kills by that of the job."""
    (node / "self").write_text(groups)
    for name, text in files.items():
        write(node, name, text + "\n")

    assert memory_limit(node / "cgroup", node / "self") == limit
