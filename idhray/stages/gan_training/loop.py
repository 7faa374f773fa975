"""What every worker does while a GAN trains: load, continue, go back where that is asked for."""

import math
import time
from dataclasses import dataclass
from typing import Any

import ray.train
import ray.train.torch

from idhray.errors import StorageError, TableError, TrainingError
from idhray.gan.architectures import gan_settings
from idhray.gan.checkpoint import read_model, restore
from idhray.gan.config import GanSettings
from idhray.gan.data import null_channels
from idhray.gan.engine import Engine
from idhray.gan.run import Run
from idhray.gan.snapshots import newest_snapshot
from idhray.gan.trainer import new_run, train
from idhray.gan.transfer import init_from as start_from
from idhray.stages.gan_training.callbacks import LAST, Reports
from idhray.stages.gan_training.extractors import extractor_of
from idhray.stages.gan_training.fidelity_meter import meter_of
from idhray.stages.gan_training.image_sets import RealImages, channel_names, training_images
from idhray.stages.runtime.training import this_worker
from idhray.storage import exists, join, read_json

STOP = "_stop"  # a file that asks the workers to stop; it says who asked
SECONDS_PER_LOOK = 1.0


def train_loop(config: dict[str, Any]) -> None:
    """In every worker of Ray Train: load, continue, report.

    Raises:
        TrainingError: it diverged, memory ran out, or it was asked to stop.
    """
    settings = gan_settings(config["architecture"], config["settings"])
    real = images_to_learn(config["images"], config["idh"], settings)
    run = new_run(
        real.images,
        settings,
        seed=config["seed"],
        idh=config["idh"],
        patients=real.patients,
        worker=this_worker(),
        device=ray.train.torch.get_device(),
        engine=Engine(**config["engine"]),
    )
    if config["init_from"]:
        start_from(
            run,
            config["init_from"],
            config["freeze_layers"],
            adapt_channels=config["adapt_channels"],
        )
    out = config["out"]
    if not go_on(run, _reports(config, run, real), config["fidelity_every_kimg"]):
        raise TrainingError(
            f"{out}: stopped by {_who_asked(out)}; a checkpoint of {run.images_shown / 1000:g} "
            "kimg is there, and the same command goes on from it"
        )


def go_on(run: Run, reports: Reports, fidelity_kimg: float | None) -> bool:
    """Train from the last snapshot, if there is one, to the end; back, and on, where need be.

    To go back, worker 0 makes an earlier snapshot the last one; then all do what they would do at
    a start, so that a training killed at this moment goes on alike.

    Args:
        run: New, or started from another's weights.
        reports: Of this run; its `out` holds the snapshots.
        fidelity_kimg: How often fidelity is due.

    Returns:
        Whether the training is over; False where it was asked to stop.
    """
    folder = join(reports.out, LAST)
    stop = _asked_to_stop(join(reports.out, STOP), looks=run.worker.rank == 0)
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


def images_to_learn(folder: str, idh: str, settings: GanSettings) -> RealImages:
    """The training images of a class.

    Raises:
        TableError: there is none, or they are all of one value.
    """
    real = training_images(folder, idh, settings)
    if real.images.min() == real.images.max():
        raise TableError(
            f"{folder}: every pixel of the {len(real.names)} training images of class {idh} is "
            f"{real.images.min()}; there is nothing to learn, make the table anew"
        )
    return real


def _who_asked(out: str) -> str:
    try:
        return str(read_json(join(out, STOP)).get("asked"))
    except StorageError:  # another process may have removed it
        return "a signal"


@dataclass
class _Asked:
    """Whether a file is there; looked for once a second at most, as storage may be far away."""

    path: str
    looked: float = -math.inf

    def __call__(self) -> bool:
        if time.monotonic() - self.looked < SECONDS_PER_LOOK:
            return False
        self.looked = time.monotonic()
        return exists(self.path)


def _asked_to_stop(path: str, *, looks: bool) -> Any:
    return _Asked(path) if looks else lambda: False


def _reports(config: dict[str, Any], run: Run, real: RealImages) -> Reports:
    reports = Reports(
        config["out"],
        when_worse=config["when_worse"],
        keep_every_kimg=config["keep_every_kimg"],
        about={"null_channels": null_channels(real.images), "tables": config["tables"]},
    )
    if run.worker.rank == 0 and config["fidelity_every_kimg"]:
        try:
            names = channel_names(config["images"], run.settings)
            extractor = extractor_of(config["features"], str(run.device))
            reports.meter = meter_of(real, names, extractor, config["fidelity_images"])
        except TableError as error:
            reports.notes.append(f"fidelity is not measured: {error}")
    return reports
