"""CPUs that this process may use: its affinity and the limits of its control groups.

SLURM and container runtimes give a job a part of a node, and the operating system still counts all
CPUs of the node.
Source: Linux kernel documentation, "Control Group v2", cpu.max; cgroup v1, "CFS Bandwidth Control".
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROCESS_CGROUPS = Path("/proc/self/cgroup")


def usable_cpus(cgroups: Path = CGROUPS, process_cgroups: Path = PROCESS_CGROUPS) -> int:
    """Whole CPUs that this process may use at the same time, at least one.

    Args:
        cgroups: Mount point of the control groups.
        process_cgroups: File that lists the control groups of the process.
    """
    if hasattr(os, "sched_getaffinity"):
        count: float = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, math.floor(min([count, *_quotas(cgroups, process_cgroups)])))


def _quotas(cgroups: Path, process_cgroups: Path) -> Iterator[float]:
    """Limit of each control group that the process is in, in CPUs."""
    for line in _text(process_cgroups).splitlines():
        _, controllers, path = line.split(":", 2)
        mount = cgroups / controllers if controllers else cgroups
        if controllers and "cpu" not in controllers.split(","):
            continue
        # In a container, the mount shows the container's group as its root.
        group = Path(path.lstrip("/"))
        for folder in {mount, *(mount / part for part in (group, *group.parents))}:
            yield from _quota(folder)


def _quota(folder: Path) -> Iterator[float]:
    """Limit of one control group; none if it has no limit."""
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if not quota:
        quota = _text(folder / "cpu.cfs_quota_us").strip()
        period = _text(folder / "cpu.cfs_period_us").strip()
    if quota.isdecimal() and period.isdecimal() and int(period) > 0:  # not "max", not -1
        yield int(quota) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
