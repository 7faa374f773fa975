"""CPUs that a job may use."""

import os

import pytest

from idhray.usable_cpus import usable_cpus


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node of 64 CPUs without limits."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
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
