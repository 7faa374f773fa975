"""Ray Train runs of `train_gan` and `train_classifier`, whose last checkpoint is published."""

import functools
import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import ray
import ray.train
from ray.train.torch import TorchConfig, TorchTrainer

from idhray.classify.settings import ClassifierSettings
from idhray.distributed import Worker
from idhray.errors import ConfigError, IdhrayError, one_line
from idhray.stages.runtime.background import Background
from idhray.stages.runtime.leased import leased
from idhray.stages.runtime.losses import LOSSES, RESTARTS, lost_too_often
from idhray.stages.runtime.metrics import count, show_training
from idhray.stages.runtime.placement import node_labels, usable_resources
from idhray.stages.runtime.session import check_room, cluster_gpus, promised_gpus, wait_for_room
from idhray.stages.runtime.single_worker import run_single_worker
from idhray.stages.runtime.tracking import track
from idhray.storage import (
    absolute,
    delete_folder,
    exists,
    filesystem,
    join,
    publish,
    publish_json,
    read_json,
)

T = TypeVar("T")

logger = logging.getLogger(__name__)

RUN = "_ray"  # folder of Ray Train, removed when the checkpoint is published
HISTORY = "_history.json"
SECONDS_PER_LOOK = 10
REQUESTS = 32
"""Trainings that wait for GPU nodes at the same time: an autoscaler starts nodes for requests."""


def fit(
    loop: Callable[[dict[str, Any]], None],
    config: dict[str, Any],
    *,
    out: str,
    files: Sequence[str],
    workers: int,
    gpus_per_worker: float | None,
    cpus_per_worker: int,
) -> None:
    """Run `loop` on all workers and publish `files` of its last checkpoint in `out`.

    After a kill, the same call continues from the last checkpoint. A worker that dies is started
    again.

    Args:
        loop: Training loop of one worker; takes `config`.
        config: Plain values of the training.
        out: Output folder.
        files: Names in the checkpoint. The last one marks a finished training.
        workers: Number of workers.
        gpus_per_worker: GPUs of each worker; None for one if the cluster has any.
        cpus_per_worker: CPUs of each worker.

    Raises:
        IdhrayError: the loop raised it, or a worker died too often.
    """
    result = run_workers(
        loop,
        config,
        out=out,
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
    )
    assert result.checkpoint is not None
    with result.checkpoint.as_directory() as folder:
        for name in files:
            with open(os.path.join(folder, name), "rb") as handle:
                publish(join(out, name), handle.read())
    remove_run(out)


def run_workers(
    loop: Callable[[dict[str, Any]], None],
    config: dict[str, Any],
    *,
    out: str,
    workers: int,
    gpus_per_worker: float | None,
    cpus_per_worker: int,
) -> ray.train.Result:
    """Run `loop` on all workers and log its progress; see `fit`.

    Raises:
        IdhrayError: the loop raised it, or a worker died too often.
    """
    gpus = _checked_gpus(out, workers, gpus_per_worker, cpus_per_worker)
    resources: dict[str, float] = {"CPU": cpus_per_worker} | ({"GPU": gpus} if gpus else {})
    options: dict[str, Any] = {"label_selector": node_labels() or None}
    files, inner = filesystem(out)  # Ray would parse a URI, and cut it at # or ?
    trainer = TorchTrainer(
        leased(loop),
        train_loop_config=config,
        torch_config=TorchConfig(backend=backend_for(workers, gpus)),
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers,
            use_gpu=gpus > 0,
            resources_per_worker=resources,
            **options,
        ),
        run_config=ray.train.RunConfig(
            name=RUN,
            storage_path=inner,
            storage_filesystem=files,
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=2),
        ),
    )
    return _logged(out, lambda: _fit_with_restarts(trainer, out))


def run_from_snapshots(
    loop: Callable[[dict[str, Any]], None],
    config: dict[str, Any],
    *,
    out: str,
    workers: int,
    gpus_per_worker: float | None,
    cpus_per_worker: int,
) -> None:
    """Run a loop that keeps its own snapshots in `out`: `run_workers` without its checkpoints.

    A single worker runs as one Ray task, which starts many times faster.

    Raises:
        IdhrayError: the loop raised it, or a worker died too often.
    """
    if workers != 1:
        run_workers(
            loop,
            config,
            out=out,
            workers=workers,
            gpus_per_worker=gpus_per_worker,
            cpus_per_worker=cpus_per_worker,
        )
        return
    gpus = _checked_gpus(out, workers, gpus_per_worker, cpus_per_worker)
    single = functools.partial(
        run_single_worker, loop, config, out=out, cpus=cpus_per_worker, gpus=gpus
    )
    _logged(out, single)


def _checked_gpus(out: str, workers: int, gpus_per_worker: float | None, cpus: int) -> float:
    """GPUs of each worker, after a check that this machine has room for all workers."""
    gpus = gpus_for(workers) if gpus_per_worker is None else gpus_per_worker
    check_room(workers, cpus=cpus, gpus=gpus)
    wait_for_room(cpus=cpus, gpus=gpus)
    logger.info("%s: %d workers on %g GPUs each", out, workers, gpus)
    return gpus


def _logged(out: str, work: Callable[[], T]) -> T:
    """Do a training in the background, and log its progress until it ends."""
    training, logged = Background(work), history_of(out)
    while not training.ended(SECONDS_PER_LOOK):
        logged = _log_new_entries(out, logged)
    _log_new_entries(out, logged)
    return training.result()


def remove_run(out: str) -> None:
    """Delete the folder of Ray Train, if there is one."""
    delete_folder(join(out, RUN))


def add_to_history(out: str, metrics: dict[str, Any]) -> None:
    """Append an entry to `out/_history.json`, in place of entries of an interrupted run.

    Args:
        out: Output folder.
        metrics: Values by name; the first is the clock of the training, kimg or epoch.
    """
    clock = next(iter(metrics))
    earlier = [entry for entry in history_of(out) if entry[clock] < metrics[clock]]
    publish_json(join(out, HISTORY), {"history": [*earlier, metrics]})


def forget_after(out: str, clock: float) -> None:
    """Delete the entries after a point of the training's clock."""
    history = history_of(out)
    earlier = [entry for entry in history if next(iter(entry.values())) <= clock]
    if len(earlier) < len(history):
        publish_json(join(out, HISTORY), {"history": earlier})


def history_of(out: str) -> list[dict[str, Any]]:
    """The entries of `out/_history.json`; none before the first report."""
    path = join(out, HISTORY)
    return list(read_json(path)["history"]) if exists(path) else []


def _log_new_entries(out: str, logged: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Log the last of the new entries and the warnings of all of them; return all entries."""
    history = history_of(out)
    new = [entry for entry in history if entry not in logged]
    for entry in new:
        for line in entry.get("warnings", ()):
            logger.warning("%s: %s", out, line)
    if new:
        numbers = {k: v for k, v in new[-1].items() if isinstance(v, int | float)}
        logger.info("%s: %s", out, "  ".join(f"{k} {v:.4g}" for k, v in numbers.items()))
        show_training(out, numbers)
        track(out, numbers)
    return history


def backend_for(workers: int, gpus_per_worker: float) -> str | None:
    """Backend by which workers average their gradients; None for Ray's choice.

    NCCL refuses two workers on one GPU ("Duplicate GPU detected"). Gloo averages through the memory
    of the CPU, which is slower.
    """
    return "gloo" if workers > 1 and 0 < gpus_per_worker <= 0.5 else None


def gpus_for(workers: int) -> float:
    """Default GPUs of each worker: one if the cluster has any, or starts nodes that have.

    Raises:
        ConfigError: the cluster has GPUs, but fewer than workers.
    """
    if promised_gpus():
        return 1.0
    gpus = cluster_gpus()
    if 0 < gpus < workers:
        whole, part = max(1, math.floor(gpus)), part_of_gpus(workers, gpus)
        raise ConfigError(
            f"{workers} workers and {gpus:g} GPUs; give --workers {whole}, which is faster, or a "
            f"part of a GPU to each: --gpus-per-worker {part:g}"
        )
    return 1.0 if gpus else 0.0


def part_of_gpus(workers: int, gpus: float) -> float:
    """Part of a GPU such that all workers fit, each on one GPU: 1 / workers of a GPU."""
    share = math.ceil(workers / max(1, math.floor(gpus)))
    return math.floor(1e4 / share) / 1e4


def trainings_at_once(workers: int, *, cpus_per_worker: int, gpus_per_worker: float | None) -> int:
    """Trainings that the cluster has room for at the same time, at least one.

    A cluster that starts GPU nodes when they are needed gets the requests of `REQUESTS` trainings.

    Args:
        workers: Workers of each training.
        cpus_per_worker: CPUs of each worker.
        gpus_per_worker: GPUs of each worker; None for one if the cluster has any.
    """
    gpus = gpus_for(workers) if gpus_per_worker is None else gpus_per_worker
    if gpus and promised_gpus():
        return REQUESTS
    resources = usable_resources()
    needs = {"CPU": workers * cpus_per_worker, "GPU": workers * gpus}
    room = [resources.get(name, 0) / need for name, need in needs.items() if need]
    return max(1, math.floor(min(room, default=1) + 1e-6))  # three thirds of a GPU are one


def with_absolute_weights(settings: ClassifierSettings) -> ClassifierSettings:
    """The settings with an absolute path of a weights file, which every worker finds."""
    if settings.weights in ("imagenet", "random"):
        return settings
    return replace(settings, weights=absolute(settings.weights))


def this_worker() -> Worker:
    """Rank and number of workers, inside a Ray Train loop."""
    context = ray.train.get_context()
    return Worker(context.get_world_rank(), context.get_world_size())


def _fit_with_restarts(trainer: TorchTrainer, out: str) -> ray.train.Result:
    """Fit again from the last checkpoint after a loss, but not after an IdhrayError.

    The FailureConfig of Ray cannot tell the two apart, and does not cover the controller, which is
    an actor itself.
    """
    for restart in range(RESTARTS + 1):
        try:
            return trainer.fit()
        except ray.train.TrainingFailedError as error:
            for failure in getattr(error, "worker_failures", {}).values():
                if isinstance(failure, IdhrayError):
                    raise failure from None
            if restart == RESTARTS:
                raise
            reason = one_line(error)
        except LOSSES as error:
            if restart == RESTARTS:
                raise lost_too_often(out, error) from None
            reason = f"{type(error).__name__}: {one_line(error)[:200]}"
        count("idhray_retries", out)
        logger.warning("%s: training stopped (%s); restart %d", out, reason, restart + 1)
    raise AssertionError("unreachable")
