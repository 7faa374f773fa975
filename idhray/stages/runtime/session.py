"""Ray's start, and what each output folder says of where it came from."""

import functools
import logging
import os
import platform
import subprocess
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray

import idhray
from idhray.errors import ConfigError

logger = logging.getLogger(__name__)

OOM_RETRIES = 2

_started_here = False


def connect(address: str | None) -> None:
    """Join a Ray cluster, or start Ray on this machine when no address is given.

    `ray job submit` sets RAY_ADDRESS, which counts as an address. A process that is connected
    already (`study`, tests) stays so.

    Raises:
        ConfigError: no cluster answers at the address.
    """
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    chosen = address or os.environ.get("RAY_ADDRESS") or "local"
    options: dict[str, Any] = {}
    if chosen == "local":
        # Ray would begin an input that is too large for the memory again and again, for ever.
        limits = {"task_oom_retries": OOM_RETRIES}
        options = {"include_dashboard": False, "_system_config": limits}
    global _started_here  # noqa: PLW0603 - as Ray itself, one per process
    _started_here = chosen == "local"
    try:
        ray.init(address=chosen, logging_level=logging.WARNING, log_to_driver=False, **options)
    except ConnectionError as error:
        raise ConfigError(
            f"--address {chosen}: no Ray cluster answers there, or not without its token (then set "
            f"RAY_AUTH_MODE=token and RAY_AUTH_TOKEN): {error}"
        ) from None
    logger.info("Ray at %s: %s", chosen, _resources())


def cluster_gpus() -> float:
    """GPUs of the whole cluster."""
    return float(ray.cluster_resources().get("GPU", 0))


def check_room(workers: int, *, cpus: float, gpus: float) -> None:
    """Refuse more than this machine has; a cluster may still grow, and is waited for.

    Raises:
        ConfigError: Ray was started here, and would wait for ever; or there are no workers.
    """
    if workers < 1:
        raise ConfigError(f"--workers must be 1 or more, got {workers}")
    found = ray.cluster_resources()
    for name, each in (("CPU", cpus), ("GPU", gpus)):
        have = found.get(name, 0)
        if workers * each > have:
            wanted = f"{workers} workers want {workers * each:g} {name}s, there are {have:g}"
            if _started_here:
                raise ConfigError(f"{wanted}; ask for fewer workers, or give --address")
            logger.warning("%s; waiting for the cluster to grow", wanted)


def provenance(stage: str) -> dict[str, Any]:
    """Versions and machine, for `_provenance.json`."""
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
    """The git commit that idhray runs from; "" when it runs from an installed package."""
    here = Path(idhray.__file__).parent.parent
    if not (here / ".git").exists():
        return ""
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _resources() -> str:
    found = ray.cluster_resources()
    return f"{found.get('CPU', 0):.0f} CPUs, {found.get('GPU', 0):.0f} GPUs"
