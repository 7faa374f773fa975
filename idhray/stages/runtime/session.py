"""Start of Ray, its resources, and the provenance of output folders."""

import contextlib
import functools
import logging
import math
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray
from ray.autoscaler.sdk import request_resources

import idhray
from idhray.errors import ConfigError, one_line
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.placement import (
    declare_node_labels,
    node_labels,
    usable_nodes,
    usable_resources,
)
from idhray.surroundings import check_address, ray_folder
from idhray.usable_cpus import memory_limit, usable_cpus

logger = logging.getLogger(__name__)

OOM_RETRIES = 2
SECONDS_PER_LOOK = 10.0
TIMED_OUT = re.compile(r"time[d ]*out|did(?: not|n't) start|failed to start", re.I)
"""Messages of Ray about a start that took too long."""
GPUS_VARIABLE = "IDHRAY_CLUSTER_GPUS"

ROOM_TIMEOUT_S = 1800.0
GROWN_CPUS = 64
"""CPUs that a cluster may have soon: machines that join later find tasks that are small enough."""
STORE_SHARE, TASKS_SHARE = 0.25, 0.65
"""Shares of a limited memory for Ray's object store and for tasks; the rest is for its services."""

_started_here = False
_room_timeout_s = ROOM_TIMEOUT_S


def connect(address: str | None, flags: RunFlags | None = None) -> None:
    """Join a Ray cluster, or start Ray on this machine when no address is given.

    `ray job submit` sets RAY_ADDRESS, which counts as an address. A process that is already
    connected (`study`, tests) stays connected.

    Args:
        address: Address of a cluster; None to start Ray here.
        flags: Flags of the command, whose statements on the cluster count from now on.

    Raises:
        ConfigError: no cluster answers at the address, or Ray cannot be started.
    """
    if flags is not None:
        _declare(flags)
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
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
            **_memory_options(),
        }
    else:
        check_address(chosen)
    global _started_here  # noqa: PLW0603 - one per process, as Ray itself
    _started_here = chosen == "local"
    _start(chosen, options)
    logger.info("Ray at %s: %s", chosen, _resources())


def _memory_options() -> dict[str, int]:
    """Memory for Ray where a control group allows less than the machine has; else Ray measures."""
    limit = memory_limit()
    if limit is None or limit >= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
        return {}
    options = {"_memory": int(TASKS_SHARE * limit)}
    store = int(STORE_SHARE * limit)
    if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > store:
        options["object_store_memory"] = store  # else Ray fits it to /dev/shm
    return options


def _declare(flags: RunFlags) -> None:
    """Let the statements of a command on its cluster count for all stages that it runs."""
    global _room_timeout_s  # noqa: PLW0603 - one cluster per process
    if flags.cluster_gpus is not None:
        os.environ[GPUS_VARIABLE] = flags.cluster_gpus
    if flags.room_timeout is not None:
        if not flags.room_timeout >= 0:
            raise ConfigError(f"--room-timeout must be 0 or more, got {flags.room_timeout:g}")
        _room_timeout_s = flags.room_timeout
    declare_node_labels(flags.node_labels)


def _start(address: str, options: Mapping[str, Any]) -> None:
    """Start or join Ray; a start on this machine that ran out of time is tried once more.

    Ray waits 30 seconds for its own processes, which a busy machine may exceed.

    Raises:
        ConfigError: no cluster answers at the address, or Ray cannot be started.
    """
    for last in (address != "local", True):
        try:
            ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False, **options)
            _end_in_order()
            return
        except Exception as error:  # noqa: BLE001  Ray raises many types, also a plain Exception
            if last or not TIMED_OUT.search(str(error)):
                raise ConfigError(_start_failure(address, error)) from None
            logger.warning("Ray did not start in time; trying once more (%s)", one_line(error))
            ray.shutdown()


def _end_in_order() -> None:
    """Let SIGTERM end this process as the end of a program does.

    Ray's own handler kills the processes of its node before it disconnects from them, and the
    process aborts.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


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
    """True if `--cluster-gpus` or `IDHRAY_CLUSTER_GPUS` is yes: GPU nodes start on demand.

    Without it, the GPUs that are there now decide, and a GPU group scaled to zero is not seen.

    Raises:
        ConfigError: the variable holds another word than yes or no.
    """
    word = os.environ.get(GPUS_VARIABLE, "no")
    if word not in ("yes", "no"):
        raise ConfigError(f"{GPUS_VARIABLE} must be yes or no, got {word!r}")
    return word == "yes"


def cluster_gpus() -> float:
    """GPUs of the machines on which the work may run."""
    return float(usable_resources().get("GPU", 0))


def cpus_in_sight() -> float:
    """CPUs that work is divided for: those of this machine, or of a cluster that may grow."""
    cpus = float(usable_resources().get("CPU", 1))
    return cpus if _started_here else max(cpus, GROWN_CPUS)


def check_room(workers: int, *, cpus: float, gpus: float) -> None:
    """Refuse workers that this machine has no room for. A cluster may still grow.

    Raises:
        ConfigError: Ray was started here and would wait without end; or `workers` is below 1.
    """
    if workers < 1:
        raise ConfigError(f"--workers must be 1 or more, got {workers}")
    resources = usable_resources()
    for name, each in (("CPU", cpus), ("GPU", gpus)):
        available = resources.get(name, 0)
        if workers * each > available:
            shortage = f"{workers} workers need {workers * each:g} {name}s, there are {available:g}"
            if _started_here:
                raise ConfigError(f"{shortage}; use fewer workers, or give --address")
            logger.warning("%s; waiting for the cluster to grow", shortage)


def wait_for_room(*, cpus: float, gpus: float, memory_bytes: float = 0) -> None:
    """Wait until some machine of the cluster is large enough for one task.

    An autoscaler is asked for such a machine meanwhile. Where Ray was started here, no machine
    comes, and the task is refused at once.

    Raises:
        ConfigError: no machine is large enough, and none came within `--room-timeout`.
    """
    needs = {"CPU": cpus, "GPU": gpus, "memory": memory_bytes}
    shortage = _shortage(needs)
    if not shortage:
        _tell_if_busy(needs)
        return
    if _started_here:
        raise ConfigError(f"one task needs {shortage}; ask for less, or give --address")
    logger.warning(
        "one task needs %s; waiting up to %g s for the cluster to grow", shortage, _room_timeout_s
    )
    start = time.monotonic()
    with _requested(needs):
        while shortage := _shortage(needs):
            waited = time.monotonic() - start
            if waited >= _room_timeout_s:
                raise ConfigError(
                    f"one task needs {shortage}, and no larger one came in {waited:.0f} s; start "
                    "such a machine, ask for less, or raise --room-timeout"
                )
            time.sleep(min(SECONDS_PER_LOOK, _room_timeout_s - waited))
    logger.info("a machine is there after %.0f s", time.monotonic() - start)


@contextlib.contextmanager
def _requested(needs: Mapping[str, float]) -> Iterator[None]:
    """Ask an autoscaler for a machine with these resources while the block runs."""
    bundle = {name: math.ceil(need) for name, need in needs.items() if need}
    request_resources(bundles=[bundle], bundle_label_selectors=[node_labels()])
    try:
        yield
    finally:
        request_resources(bundles=[])


def _tell_if_busy(needs: Mapping[str, float]) -> None:
    """Log that the first task has to wait, if others use the cluster now."""
    if _started_here:
        return  # nobody else uses it
    available, total = ray.available_resources(), ray.cluster_resources()
    for name, need in needs.items():
        if need > available.get(name, 0):
            logger.warning(
                "one task needs %s, and %s of the cluster's %s are free; waiting for others to "
                "finish",
                _amount(name, need),
                *(_amount(name, each.get(name, 0)) for each in (available, total)),
            )


def _shortage(needs: Mapping[str, float]) -> str:
    """Resources that no usable node of the cluster has at all, in words; empty if one has them."""
    nodes = usable_nodes()
    if any(all(node.get(name, 0) >= need for name, need in needs.items()) for node in nodes):
        return ""
    largest = {name: max((node.get(name, 0) for node in nodes), default=0) for name in needs}
    labels = " ".join(f"{key}={value}" for key, value in node_labels().items())
    machine = f"one machine with {labels}" if labels else "one machine"
    return " and ".join(
        f"{_amount(name, need)} on {machine}, the largest has {_amount(name, largest[name])}"
        for name, need in needs.items()
        if need
    )


def _amount(name: str, value: float) -> str:
    """A number of CPUs or GPUs, or GB of memory."""
    return f"{value / 1e9:.3g} GB" if name == "memory" else f"{value:g} {name}s"


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
