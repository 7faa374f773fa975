"""Ray Train with one worker, inside a Ray task.

For each training, Ray Train starts five actors beside the worker, 20 CPU-seconds in all, and a
new worker, which imports torch again. A task runs in a worker process that others have used.
"""

import os
from collections.abc import Callable
from typing import Any

import ray
import ray.train
import torch
from ray.train.torch import TorchTrainer

from idhray.stages.runtime.leased import leased
from idhray.stages.runtime.losses import RESTARTS, result_of
from idhray.stages.runtime.placement import placed

Loop = Callable[[dict[str, Any]], None]


def run_single_worker(
    loop: Loop, config: dict[str, Any], *, out: str, cpus: int, gpus: float
) -> None:
    """Run a training loop in one Ray task; the task is started again if its worker dies.

    Args:
        loop: Training loop; takes `config`. It continues from its own snapshots: Ray Train keeps no
            checkpoint here.
        config: Plain values of the training.
        out: Output folder, for messages.
        cpus: CPUs of the task.
        gpus: GPUs of the task.

    Raises:
        IdhrayError: the loop raised it.
        TrainingError: the worker died too often.
    """
    task = ray.remote(leased(_run_locally)).options(
        num_cpus=cpus, num_gpus=gpus, max_retries=RESTARTS, **placed()
    )
    result_of(task.remote(loop, config, cpus), out)


def _run_locally(loop: Loop, config: dict[str, Any], cpus: int) -> None:
    """Run the loop in this process, with the context of Ray Train for a single worker."""
    threads = torch.get_num_threads()
    # torch counted its threads at its import, perhaps for a task with other CPUs.
    outermost = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # 4,2 is nested
    torch.set_num_threads(int(outermost) if outermost.isdecimal() and int(outermost) else cpus)
    try:
        local = ray.train.ScalingConfig(num_workers=0)
        TorchTrainer(loop, train_loop_config=config, scaling_config=local).fit()
    finally:
        torch.set_num_threads(threads)
