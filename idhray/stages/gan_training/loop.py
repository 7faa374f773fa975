"""Loop of every worker of a training: load, train, and return to an earlier snapshot if needed."""

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray.train
import ray.train.torch
from numpy.typing import NDArray

from idhray.cohorts.manifest import LABELS
from idhray.errors import StorageError, TableError, TrainingError
from idhray.gan.checkpoint import BOTH, read_model, restore
from idhray.gan.config import GanSettings
from idhray.gan.data import null_channels
from idhray.gan.run import Run
from idhray.gan.snapshots import newest_snapshot
from idhray.gan.trainer import new_run, train
from idhray.gan.transfer import init_from as start_from
from idhray.stages.gan_training.callbacks import LAST, Reports
from idhray.stages.gan_training.extractors import extractor_of
from idhray.stages.gan_training.fidelity_meter import meter_of, meters_of_classes
from idhray.stages.gan_training.image_sets import (
    ALL,
    ImageSelection,
    RealImages,
    channel_names,
    training_images,
)
from idhray.stages.gan_training.pretraining import PUBLISHED
from idhray.stages.gan_training.task import GanTask, task_from
from idhray.stages.gan_training.worker_warnings import WorkerWarnings
from idhray.stages.runtime.training import this_worker
from idhray.storage import exists, join, read_json

STOP = "_stop"  # a file that asks the workers to stop; it names the signal
SECONDS_PER_LOOK = 1.0


def gan_train_loop(values: dict[str, Any]) -> None:
    """Train in every worker of Ray Train, from the last snapshot.

    Args:
        values: Result of `task_values`.

    Raises:
        TrainingError: the training diverged, memory ran out, or a signal stopped it.
    """
    task = task_from(values)
    real = images_to_learn(task.images, task.idh, task.settings, task.selection())
    run = new_run(
        real.images,
        task.settings,
        seed=task.seed,
        idh=task.idh,
        patients=real.patients,
        classes=real.classes if task.idh == BOTH else None,
        worker=this_worker(),
        device=ray.train.torch.get_device(),
        engine=task.engine,
    )
    if task.init_from:
        start_from(run, task.init_from, task.freeze_layers, adapt_channels=task.adapt_channels)
    reports = _reports(task, run, real)
    with WorkerWarnings() as reports.worker_warnings:
        over = train_to_end(run, reports, task.fidelity_kimg)
    if not over:
        raise TrainingError(
            f"{task.out}: stopped by {_stopping_signal(task.out)}; the same command continues from "
            f"the checkpoint of {run.images_shown / 1000:g} kimg"
        )


def train_to_end(run: Run, reports: Reports, fidelity_kimg: float | None) -> bool:
    """Train from the last snapshot, if there is one, to the end, with returns if needed.

    To return, worker 0 makes an earlier snapshot the last one. All workers then proceed as at a
    start, so a training that is killed at this moment continues in the same way.

    Args:
        run: New run, or one that started from another one's weights.
        reports: Callbacks of this run; their `out` holds the snapshots.
        fidelity_kimg: Interval between measurements of fidelity.

    Returns:
        True if the training is over, False if a signal stopped it.
    """
    folder = join(reports.out, LAST)
    stop = _StopFile(join(reports.out, STOP)).exists if run.worker.rank == 0 else lambda: False
    while True:
        if last := newest_snapshot(folder):
            restore(run, last)
            reports.begin(run, last)
            if read_model(last).get("stopped"):
                return True
        over = train(
            run,
            reports,
            fidelity_kimg=fidelity_kimg,
            stop=stop,
            on_divergence=reports.diverged,
            rate=reports.rate,
        )
        if not over:
            return False
        last = newest_snapshot(folder)
        assert last is not None
        if len(read_model(last).get("rolled_back", [])) == len(reports.rolled_back):
            return True


def images_to_learn(
    folder: str, idh: str, settings: GanSettings, selection: ImageSelection = ALL
) -> RealImages:
    """Training images of a class.

    Raises:
        TableError: there are none, or all pixels have one value.
    """
    real = training_images(folder, idh, settings, selection)
    if real.images.min() == real.images.max():
        raise TableError(
            f"{folder}: every pixel of the {len(real.names)} training images of class {idh} is "
            f"{real.images.min()}; there is nothing to learn, make the table anew"
        )
    return real


def _stopping_signal(out: str) -> str:
    """Name of the signal that stopped a training."""
    try:
        return str(read_json(join(out, STOP)).get("asked"))
    except StorageError:  # another process may have removed it
        return "a signal"


@dataclass
class _StopFile:
    """File that asks for a stop, checked at most once a second, as storage may be slow."""

    path: str
    last_check: float = -math.inf

    def exists(self) -> bool:
        """True if the file exists; False without a check within a second of the last one."""
        if time.monotonic() - self.last_check < SECONDS_PER_LOOK:
            return False
        self.last_check = time.monotonic()
        return exists(self.path)


def published_weights_of(init_from: str | None) -> dict[str, Any]:
    """Entry of model.json on published weights that a training descends from, with licenses."""
    published = read_model(init_from).get(PUBLISHED) if init_from else None
    return {PUBLISHED: published} if published else {}


def _by_class(task: GanTask, real: RealImages) -> Mapping[str, NDArray[np.uint8]]:
    """Training images by the name of their class on sheets, which is empty for one class."""
    if task.idh != BOTH:
        return {"": real.images}
    return {label: real.of_label(label).images for label in LABELS}


def _reports(task: GanTask, run: Run, real: RealImages) -> Reports:
    """Callbacks of a training; worker 0 measures fidelity."""
    fold, limit = task.gan_fold(), task.selection().train_per_class
    about: dict[str, Any] = {
        "null_channels": null_channels(real.images),
        "tables": task.tables(real.patients),
        **task.ancestry(),
        **published_weights_of(task.init_from),
        **({"fold": fold.entry()} if fold else {}),
        **({} if limit is None else {"train_per_class": limit}),
        **({"images_by_class": dict(Counter(real.labels))} if task.idh == BOTH else {}),
    }
    reports = Reports(
        task.out,
        when_worse=task.when_worse,
        keep_every_kimg=task.keep_every_kimg,
        about=about,
        reals=_by_class(task, real),
    )
    if run.worker.rank == 0 and task.fidelity_kimg:
        try:
            names = channel_names(task.images, run.settings)
            extractor = extractor_of(task.features, str(run.device))
            reports.meter = (
                meters_of_classes(real, names, extractor, task.fidelity_images)
                if task.idh == BOTH
                else meter_of(real, names, extractor, task.fidelity_images)
            )
        except TableError as error:
            reports.notes.append(f"fidelity is not measured: {error}")
    return reports
