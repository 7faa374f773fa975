"""Checks of the machine and of Ray: CPUs, memory, start of Ray, versions on all nodes."""

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import idhray
from idhray.errors import IdhrayError
from idhray.stages.checkup.result import CheckResult, failed, ok, warning
from idhray.stages.runtime.session import connect
from idhray.usable_cpus import memory_limit, usable_cpus

LEAST_MEMORY_GB = 6.0
SLOW_START_S = 20.0
NODE_TIMEOUT_S = 60.0
GB = 1e9


@dataclass(frozen=True, kw_only=True)
class NodeVersions:
    """Versions on one node of a cluster."""

    node: str
    idhray: str
    ray: str
    python: str


def cpus() -> CheckResult:
    """Compare the CPUs that this process may use with those of the machine."""
    usable, present = usable_cpus(), os.cpu_count() or 1
    text = f"{usable} of {present} may be used (affinity, control group, SLURM)"
    if usable < 2:
        return warning("CPUs", text, "give the job 2 or more; on one, inputs run one by one")
    return ok("CPUs", text)


def memory() -> CheckResult:
    """Compare the memory that this process may use with what a worker needs."""
    present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = min(present, memory_limit() or present) / GB
    text = f"{limit:.0f} GB may be used"
    if limit < LEAST_MEMORY_GB:
        return warning("memory", text, f"give the job {LEAST_MEMORY_GB:.0f} GB, or --workers 1")
    return ok("memory", text)


def ray_starts(address: str | None) -> list[CheckResult]:
    """Start Ray here, or join a cluster; then compare the versions of all nodes."""
    begin = time.monotonic()
    try:
        connect(address)
        ray.get(ray.remote(num_cpus=1)(_versions).remote(""), timeout=NODE_TIMEOUT_S)
    except (IdhrayError, ray.exceptions.RayError) as error:
        return [failed("Ray", str(error), "see the page Symptoms of the documentation")]
    seconds = time.monotonic() - begin
    cpus_of_ray = ray.cluster_resources().get("CPU", 0)
    text = f"answers after {seconds:.1f} s, with {cpus_of_ray:g} CPUs"
    if seconds > SLOW_START_S:
        state = warning("Ray", text, "the machine is busy, or RAY_TMPDIR is on a slow disk")
    else:
        state = ok("Ray", text)
    return [state, *(version_findings(_all_versions()) if address else [])]


def version_findings(nodes: Mapping[str, NodeVersions]) -> list[CheckResult]:
    """Compare the versions of each node with those of this process.

    Args:
        nodes: Address of a node -> its versions.
    """
    here = _versions("here")
    findings = []
    for address, versions in nodes.items():
        differing = [
            f"{name} {getattr(versions, name)} (here {getattr(here, name)})"
            for name in ("idhray", "ray", "python")
            if getattr(versions, name) != getattr(here, name)
        ]
        if differing:
            text = ", ".join(differing)
            findings.append(failed(f"node {address}", text, "install the same on every node"))
    return findings or [ok("nodes", f"{len(nodes)} with the versions of this process")]


def _versions(node: str) -> NodeVersions:
    return NodeVersions(
        node=node,
        idhray=idhray.__version__,
        ray=ray.__version__,
        python=platform.python_version(),
    )


def _all_versions() -> dict[str, NodeVersions]:
    """Address of each living node -> its versions, asked by one task on each."""
    task = ray.remote(num_cpus=0)(_versions)
    asked = {
        node["NodeManagerAddress"]: task.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(node["NodeManagerAddress"])
        for node in ray.nodes()
        if node["Alive"]
    }
    return {address: ray.get(answer, timeout=NODE_TIMEOUT_S) for address, answer in asked.items()}
