"""What train_gan and train_classifier share: a Ray Train run whose last checkpoint is published."""

import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import ray
import ray.train
from pyarrow import fs
from ray.train.torch import TorchTrainer

from idhray.classify.settings import ClassifierSettings
from idhray.distributed import Worker
from idhray.errors import ConfigError, IdhrayError
from idhray.stages.runtime.background import Background
from idhray.stages.runtime.session import check_room, cluster_gpus
from idhray.storage import (
    absolute,
    exists,
    filesystem,
    join,
    publish,
    publish_json,
    read_json,
)

logger = logging.getLogger(__name__)

RUN = "_ray"  # Ray Train's own folder, removed when the checkpoint is published
RESTARTS = 3
HISTORY = "_history.json"
SECONDS_PER_LOOK = 10


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

    Killed, the same call goes on from the last checkpoint; a worker that dies is started again.

    Args:
        files: Names in the checkpoint; the last one is the sign that training is finished.

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
    """Run `loop` on all workers, and say how far it is; a worker that dies is started again.

    Raises:
        IdhrayError: the loop raised it, or a worker died too often.
    """
    gpus = gpus_for(workers) if gpus_per_worker is None else gpus_per_worker
    check_room(workers, cpus=cpus_per_worker, gpus=gpus)
    logger.info("%s: %d workers on %g GPUs each", out, workers, gpus)
    resources: dict[str, float] = {"CPU": cpus_per_worker} | ({"GPU": gpus} if gpus else {})
    trainer = TorchTrainer(
        loop,
        train_loop_config=config,
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers, use_gpu=gpus > 0, resources_per_worker=resources
        ),
        run_config=ray.train.RunConfig(
            name=RUN,
            storage_path=out,
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=2),
        ),
    )
    running, said = Background(lambda: _fit_with_restarts(trainer)), history_of(out)
    while not running.ended(SECONDS_PER_LOOK):
        said = _say_what_is_new(out, said)
    _say_what_is_new(out, said)
    return running.result()


def remove_run(out: str) -> None:
    """Delete Ray Train's own folder, if it is there."""
    files, inner = filesystem(join(out, RUN))
    if files.get_file_info(inner).type == fs.FileType.Directory:
        files.delete_dir(inner)


def add_to_history(out: str, metrics: dict[str, Any]) -> None:
    """Append to `out/_history.json`; what an interrupted run did after its checkpoint goes away."""
    clock = next(iter(metrics))  # kimg or epoch
    kept = [one for one in history_of(out) if one[clock] < metrics[clock]]
    publish_json(join(out, HISTORY), {"history": [*kept, metrics]})


def forget_after(out: str, clock: float) -> None:
    """Take away what was reported after this point of the training's clock."""
    found = history_of(out)
    kept = [one for one in found if next(iter(one.values())) <= clock]
    if len(kept) < len(found):
        publish_json(join(out, HISTORY), {"history": kept})


def history_of(out: str) -> list[dict[str, Any]]:
    """What was reported so far; nothing before the first report."""
    path = join(out, HISTORY)
    return list(read_json(path)["history"]) if exists(path) else []


def _say_what_is_new(out: str, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Log the last entry, and all warnings, of what was not there before; all that is there."""
    found = history_of(out)
    new = [entry for entry in found if entry not in said]
    for entry in new:
        for line in entry.get("warnings", ()):
            logger.warning("%s: %s", out, line)
    if new:
        numbers = {k: v for k, v in new[-1].items() if isinstance(v, int | float)}
        logger.info("%s: %s", out, "  ".join(f"{k} {v:.4g}" for k, v in numbers.items()))
    return found


def gpus_for(workers: int) -> float:
    """GPUs of each worker when nobody says: one if the cluster has any.

    Raises:
        ConfigError: it has some, but fewer than workers.
    """
    found = cluster_gpus()
    if 0 < found < workers:
        raise ConfigError(
            f"{workers} workers and {found:g} GPUs; ask for fewer workers, or for a part of a GPU "
            "each by --gpus-per-worker"
        )
    return 1.0 if found else 0.0


def trainings_at_once(workers: int, *, cpus_per_worker: int, gpus_per_worker: float | None) -> int:
    """How many trainings of so many workers each the cluster has room for; one at least."""
    gpus = gpus_for(workers) if gpus_per_worker is None else gpus_per_worker
    found = ray.cluster_resources()
    wanted = {"CPU": workers * cpus_per_worker, "GPU": workers * gpus}
    room = [found.get(name, 0) / each for name, each in wanted.items() if each]
    return max(1, math.floor(min(room, default=1) + 1e-6))  # three thirds of a GPU are one


def with_absolute_weights(settings: ClassifierSettings) -> ClassifierSettings:
    """The settings with a weights file that every worker finds."""
    if settings.weights in ("imagenet", "random"):
        return settings
    return replace(settings, weights=absolute(settings.weights))


def this_worker() -> Worker:
    """Rank and number of workers, inside a Ray Train loop."""
    context = ray.train.get_context()
    return Worker(context.get_world_rank(), context.get_world_size())


def _fit_with_restarts(trainer: TorchTrainer) -> ray.train.Result:
    """Fit again, from the last checkpoint, when a worker died; not when it said what is wrong.

    Ray's own FailureConfig cannot tell the two apart.
    """
    for restart in range(RESTARTS + 1):
        try:
            return trainer.fit()
        except ray.train.TrainingFailedError as error:
            failures = getattr(error, "worker_failures", {}).values()
            for failure in failures:
                if isinstance(failure, IdhrayError):
                    raise failure from None
            if restart == RESTARTS:
                raise
            logger.warning("training stopped (%s); restart %d", error, restart + 1)
    raise AssertionError("unreachable")
