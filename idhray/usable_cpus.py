"""CPUs and memory that this process may use: its affinity and the limits of its control groups.

SLURM and container runtimes give a job a part of a node, and the operating system still counts all
CPUs and all memory of the node.
Source: Linux kernel documentation, "Control Group v2", cpu.max and memory.max; cgroup v1, "CFS
Bandwidth Control" and "Memory Resource Controller"; SLURM, srun, SLURM_CPUS_ON_NODE.
"""

import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROCESS_CGROUPS = Path("/proc/self/cgroup")
NO_LIMIT = 1 << 60
"""The first version of control groups states no limit as a number near 2^63."""


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
    limits = [_quota(folder) for folder in _groups(cgroups, process_cgroups, "cpu")]
    return max(1, math.floor(min([count, *_slurm_cpus(), *itertools.chain(*limits)])))


def memory_limit(cgroups: Path = CGROUPS, process_cgroups: Path = PROCESS_CGROUPS) -> int | None:
    """Bytes of memory that the control groups of this process allow; None without a limit."""
    limits = []
    for folder in _groups(cgroups, process_cgroups, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _text(folder / name).strip()
            if text.isdecimal() and int(text) < NO_LIMIT:
                limits.append(int(text))
    return min(limits, default=None)


def _slurm_cpus() -> list[int]:
    """CPUs of a SLURM job on this node, where SLURM does not confine its processes."""
    text = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return [int(text)] if text.isdecimal() and int(text) else []


def _groups(cgroups: Path, process_cgroups: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups that the process is in, for one controller."""
    for line in _text(process_cgroups).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # In a container, the mount shows the container's group as its root. A node with both
        # versions mounts the second one at `unified`, and a controller alone under its own name.
        names = (controllers, controller) if controllers else ("", "unified")
        group = Path(path.lstrip("/"))
        for mount in {cgroups / name for name in names}:
            yield from {mount, *(mount / part for part in (group, *group.parents))}


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
