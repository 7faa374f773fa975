"""Start of Ray, its resources, and the provenance of output folders."""

import functools
import logging
import os
import platform
import subprocess
import time
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray

import idhray
from idhray.errors import ConfigError, one_line
from idhray.surroundings import check_address, ray_folder
from idhray.usable_cpus import usable_cpus

logger = logging.getLogger(__name__)

OOM_RETRIES = 2
SECONDS_PER_LOOK = 10.0
GPUS_VARIABLE = "IDHRAY_CLUSTER_GPUS"

_started_here = False


def connect(address: str | None) -> None:
    """Join a Ray cluster, or start Ray on this machine when no address is given.

    `ray job submit` sets RAY_ADDRESS, which counts as an address. A process that is already
    connected (`study`, tests) stays connected.

    Raises:
        ConfigError: no cluster answers at the address, or Ray cannot be started.
    """
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    chosen = address or os.environ.get("RAY_ADDRESS") or "local"
    options: dict[str, Any] = {}
    if chosen == "local":
        # By default, Ray repeats an input that is too large for the memory without end.
        limits = {"task_oom_retries": OOM_RETRIES}
        options = {
            "include_dashboard": False,
            "num_cpus": usable_cpus(),  # Ray counts all CPUs of the node
            "_system_config": limits,
            "_temp_dir": ray_folder(),
        }
    else:
        check_address(chosen)
    global _started_here  # noqa: PLW0603 - one per process, as Ray itself
    _started_here = chosen == "local"
    try:
        ray.init(address=chosen, logging_level=logging.WARNING, log_to_driver=False, **options)
    except Exception as error:  # noqa: BLE001  Ray raises many types, also a plain Exception
        raise ConfigError(_start_failure(chosen, error)) from None
    logger.info("Ray at %s: %s", chosen, _resources())


def _start_failure(address: str, error: Exception) -> str:
    """One line on a Ray that does not start, or a cluster that cannot be joined."""
    text = one_line(error)
    if address == "local":
        return f"Ray cannot be started on this machine: {text}"
    if "version mismatch" in text.lower():
        return f"--address {address}: use the versions of Ray and Python of the cluster: {text}"
    return (
        f"--address {address}: no Ray cluster answers there, or it needs its token (then set "
        f"RAY_AUTH_MODE=token and RAY_AUTH_TOKEN): {text}"
    )


def task_gpus(gpus: float | None) -> float:
    """GPUs of one task: as the flag states; by default one if the cluster has any, else none."""
    if gpus is not None:
        return gpus
    return 1.0 if promised_gpus() else min(cluster_gpus(), 1.0)


def promised_gpus() -> bool:
    """True if `IDHRAY_CLUSTER_GPUS=yes` says that the cluster starts GPU nodes on demand.

    Without it, the GPUs that are there now decide, and a GPU group scaled to zero is not seen.

    Raises:
        ConfigError: the variable holds another word than yes or no.
    """
    word = os.environ.get(GPUS_VARIABLE, "no")
    if word not in ("yes", "no"):
        raise ConfigError(f"{GPUS_VARIABLE} must be yes or no, got {word!r}")
    return word == "yes"


def cluster_gpus() -> float:
    """GPUs of the whole cluster."""
    return float(ray.cluster_resources().get("GPU", 0))


def check_room(workers: int, *, cpus: float, gpus: float) -> None:
    """Refuse workers that this machine has no room for. A cluster may still grow.

    Raises:
        ConfigError: Ray was started here and would wait without end; or `workers` is below 1.
    """
    if workers < 1:
        raise ConfigError(f"--workers must be 1 or more, got {workers}")
    resources = ray.cluster_resources()
    for name, each in (("CPU", cpus), ("GPU", gpus)):
        available = resources.get(name, 0)
        if workers * each > available:
            shortage = f"{workers} workers need {workers * each:g} {name}s, there are {available:g}"
            if _started_here:
                raise ConfigError(f"{shortage}; use fewer workers, or give --address")
            logger.warning("%s; waiting for the cluster to grow", shortage)


def tell_if_waiting(*, cpus: float, gpus: float) -> None:
    """Log that the first task has to wait, if no node of a cluster has room for it now."""
    if _started_here:
        return  # nobody else uses it
    needs = {"CPU": cpus, "GPU": gpus}
    if shortage := _shortage(needs):
        logger.warning("one task needs %s; waiting for the cluster to grow", shortage)
        return
    available = ray.available_resources()
    for name, need in needs.items():
        if need > available.get(name, 0):
            total = ray.cluster_resources().get(name, 0)
            logger.warning(
                "one task needs %g %ss, and %g of the cluster's %g are free; waiting for others "
                "to finish",
                *(need, name, available.get(name, 0), total),
            )


def wait_for_room(*, cpus: float, gpus: float, timeout_s: float) -> None:
    """Wait until the cluster has room for one training; refuse at once where Ray was started here.

    Raises:
        ConfigError: this machine has no room, or the cluster did not grow within `timeout_s`.
    """
    start = time.monotonic()
    while shortage := _shortage({"CPU": cpus, "GPU": gpus}):
        if _started_here:
            raise ConfigError(f"one training needs {shortage}; ask for less, or give --address")
        waited = time.monotonic() - start
        if waited >= timeout_s:
            raise ConfigError(
                f"one training needs {shortage}, and the cluster did not grow in {waited:.0f} s; "
                "ask for less, or raise --room-timeout"
            )
        logger.warning("one training needs %s; waiting for the cluster to grow", shortage)
        time.sleep(min(SECONDS_PER_LOOK, timeout_s - waited))


def _shortage(needs: Mapping[str, float]) -> str:
    """Resources that no node of the cluster has at all, in words; empty if one node has them."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(all(node.get(name, 0) >= need for name, need in needs.items()) for node in nodes):
        return ""
    largest = {name: max((node.get(name, 0) for node in nodes), default=0) for name in needs}
    return " and ".join(
        f"{need:g} {name}s on one machine, the largest has {largest[name]:g}"
        for name, need in needs.items()
        if need
    )


def provenance(stage: str) -> dict[str, Any]:
    """Content of `_provenance.json`: versions and machine."""
    return {
        "stage": stage,
        "idhray": idhray.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "ray": ray.__version__,
        "torch": version("torch"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


@functools.cache
def commit() -> str:
    """The git commit that idhray runs from, or "" for an installed package."""
    checkout = Path(idhray.__file__).parent.parent
    if not (checkout / ".git").exists():
        return ""
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _resources() -> str:
    resources = ray.cluster_resources()
    return f"{resources.get('CPU', 0):.0f} CPUs, {resources.get('GPU', 0):.0f} GPUs"
