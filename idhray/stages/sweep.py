"""The sweep: one training for each count of synthetic images and each repeat, by Ray Tune.

Images are decoded and preprocessed once, and every trial reads its share from Ray's object store.
A trial publishes its predictions and then its fate. Finished trials are not run again, and a killed
trial continues from its last epoch.
"""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from ray import tune

from idhray import ledger
from idhray.chance import seed_for
from idhray.classify.aggregate import mutant_probabilities, prediction_rows
from idhray.classify.backbones import bare_network
from idhray.classify.checkpoint import load_training, save_training
from idhray.classify.dataset import load_images, load_synthetic, refuse_missing_class
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import PRESETS as PRESETS
from idhray.classify.settings import ClassifierSettings
from idhray.classify.trainer import Metrics, TrainingState, fit_classifier
from idhray.config import identity_of, settings_dict, settings_from, settings_hash
from idhray.errors import ConfigError, StorageError
from idhray.leakage import refuse_failed, refuse_leaks
from idhray.ledger import Fate
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.resuming import is_open
from idhray.stages.runtime.session import connect, task_gpus
from idhray.stages.runtime.training import with_absolute_weights
from idhray.storage import absolute, filesystem, join
from idhray.table_parts import part_path, parts, publish_table
from idhray.tables import PREDICTIONS

logger = logging.getLogger(__name__)

RUN = "_ray"
TRIALS = "_trials"


@dataclass(frozen=True, kw_only=True)
class SweepFlags(RunFlags):
    """Flags of `idhray sweep`."""

    images: str
    """Folder of a PATCHES table with its splits."""
    synthetic: tuple[str, ...]
    """Folders of SYNTHETIC tables, one for each class."""
    out: str
    """Folder of the PREDICTIONS table."""
    settings: ClassifierSettings
    """Network, preprocessing and training."""
    counts: tuple[int, ...] = (0, 1000, 2000, 3000, 4000, 5000)
    """Numbers of synthetic images to add, half of them for each class; 0 is the baseline."""
    repeats: int = 5
    """Trainings at each count."""
    allow_failed_gan: bool = False
    """Also use images of a generator that failed `evaluate-gan`."""
    seed: int = 0
    """Seed of the trainings."""
    workers: int | None = None
    """Trainings at the same time. Default: as many as the cluster has room for."""
    gpus_per_trial: float | None = None
    """GPUs of each training; may be a fraction. Default: one if the cluster has GPUs, else none."""
    cpus_per_trial: int = 1
    """CPUs of each training."""


def sweep(flags: SweepFlags) -> dict[str, Any]:
    """Train several times with each count of synthetic images, and predict val and test patients.

    Repeat r starts from the same weights at every count.
    """
    images, out = absolute(flags.images), absolute(flags.out)
    synthetic = tuple(absolute(folder) for folder in flags.synthetic)
    settings = with_absolute_weights(flags.settings)
    refuse_failed(synthetic, allowed=flags.allow_failed_gan)
    check_counts(flags.counts, flags.repeats)
    inputs = {
        "stage": "sweep",
        "images": seal(images),
        "synthetic": [seal(folder) for folder in synthetic],
    }
    identity = identity_of(
        inputs=inputs, flags=flags, names=("counts", "repeats", "seed"), settings=settings
    )
    trials = [
        TrialTask(n_synthetic=n, repeat=r, settings=settings, seed=flags.seed, out=out)
        for r in range(flags.repeats)
        for n in flags.counts
    ]
    with stage_folder(out, identity, overwrite=flags.overwrite):
        fates, existing_parts = ledger.fates(out), set(parts(out))
        todo = [trial for trial in trials if is_open(out, fates.get(trial.name), existing_parts)]
        if todo:
            connect(flags.address)
            _run(todo, _Data.load(images, synthetic, max(flags.counts), settings), flags)
        fates = ledger.fates(out)
        if missing := [trial.name for trial in trials if trial.name not in fates]:
            raise StorageError(
                f"{out}: {len(missing)} of {len(trials)} trainings did not finish ({missing[0]}, "
                "...); the same command continues"
            )
    return {"out": out, "trainings": len(trials), "predictions": ledger.tally(fates)["rows"]}


def check_counts(counts: Sequence[int], repeats: int) -> None:
    """Refuse counts that no sweep can train.

    Raises:
        ConfigError: there is no count, a count twice, an odd or a negative one, or no repeat.
    """
    if repeats < 1 or not counts or len(set(counts)) < len(counts):
        raise ConfigError("a sweep needs counts, each once, and 1 or more repeats")
    if wrong := [n for n in counts if n < 0 or n % 2]:
        raise ConfigError(f"counts are split over two classes: even and 0 or more, got {wrong[0]}")


@dataclass(frozen=True, kw_only=True)
class TrialTask:
    """One training of a sweep."""

    n_synthetic: int
    repeat: int
    settings: ClassifierSettings
    seed: int
    out: str

    @property
    def name(self) -> str:
        """Name of the training in the ledger."""
        return f"n_synthetic={self.n_synthetic} repeat={self.repeat}"


@dataclass(frozen=True)
class _Data:
    """The preprocessed images of all trials."""

    real: ImageRows
    added: ImageRows
    val: ImageRows
    test: ImageRows

    @staticmethod
    def load(
        images: str, synthetic: Sequence[str], max_count: int, settings: ClassifierSettings
    ) -> "_Data":
        refuse_leaks(images, synthetic)
        real = load_images(images, "train", settings).view().labeled()
        refuse_missing_class(real, images)
        added = load_synthetic(synthetic, max_count // 2, settings).view()
        val, test = (load_images(images, split, settings).view() for split in ("val", "test"))
        for rows in (real, added, val):
            _ = rows.images.digests  # computed once, for the identities of all trials
        return _Data(real, added, val, test)


class Trial(tune.Trainable):
    """Ray Tune's view of one training. An actor runs many of them, to start up only once."""

    def setup(self, config: dict[str, Any], data: _Data | None = None) -> None:
        assert data is not None
        self.task, self.data = settings_from(TrialTask, config["trial"]), data

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.task = settings_from(TrialTask, new_config["trial"])
        return True

    def step(self) -> dict[str, Any]:
        return {**run_trial(self.task, self.data), "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Do nothing: a training saves its own state, see `run_trial`."""


class _Progress(tune.Callback):
    """Logs one line for each training that ends; Tune's own tables need a wide terminal."""

    def __init__(self, out: str, total: int) -> None:
        self.out, self.total, self.ended = out, total, 0

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self.ended += 1
        result = trial.last_result
        logger.info(
            "%s: %d of %d trainings, %s: val_loss %.3f",
            self.out,
            self.ended,
            self.total,
            settings_from(TrialTask, trial.config["trial"]).name,
            result["val_loss"],
        )


def run_trial(task: TrialTask, data: _Data) -> Metrics:
    """Train, predict val and test patients, publish predictions and fate.

    Returns:
        The metrics of the best epoch.
    """
    start = time.monotonic()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = join(task.out, TRIALS, task.name.replace(" ", "-"))

    def on_epoch(metrics: Metrics, state: TrainingState) -> None:
        save_training(folder, state)

    state = fit_classifier(
        data.real,
        data.added.take(slice(task.n_synthetic)) if task.n_synthetic else None,
        data.val,
        task.settings,
        seed=seed_for(task.seed, "sweep", task.repeat),
        device=device,
        state=load_training(folder),
        on_epoch=on_epoch,
    )
    rows = _predictions(task, data, state, device)
    digest = publish_table(part_path(task.out, task.name), rows, PREDICTIONS)
    fate = Fate(
        input=task.name,
        status="done",
        rows=len(rows),
        seconds=time.monotonic() - start,
        settings_hash=settings_hash({k: v for k, v in settings_dict(task).items() if k != "out"}),
        digest=digest,
    )
    ledger.record(task.out, fate)
    files, inner = filesystem(folder)
    files.delete_dir(inner)
    return state.history[state.best_epoch - 1]


def _predictions(
    task: TrialTask, data: _Data, state: TrainingState, device: str
) -> list[dict[str, Any]]:
    """PREDICTIONS rows of the validation and test patients by the weights of the best epoch."""
    network = bare_network(task.settings)
    network.load_state_dict(state.best)
    network.to(device)
    rows = []
    for split, images in (("val", data.val), ("test", data.test)):
        rows += prediction_rows(
            images,
            mutant_probabilities(network, images, device=device),
            split=split,
            model=task.settings.backbone,
            n_synthetic=task.n_synthetic,
            repeat=task.repeat,
        )
    return rows


def _run(todo: Sequence[TrialTask], data: _Data, flags: SweepFlags) -> None:
    """Run the trials through Ray Tune, as many at a time as there is room for."""
    out, gpus = absolute(flags.out), task_gpus(flags.gpus_per_trial)
    resources = {"cpu": float(flags.cpus_per_trial)} | ({"gpu": gpus} if gpus else {})
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(Trial, data=data), resources),
        # A grid over whole tasks, so that only the open ones run.
        param_space={"trial": tune.grid_search([settings_dict(task) for task in todo])},
        tune_config=tune.TuneConfig(max_concurrent_trials=flags.workers, reuse_actors=True),
        run_config=tune.RunConfig(
            name=RUN, storage_path=out, verbose=0, callbacks=[_Progress(out, len(todo))]
        ),
    )
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the one JSON line
        results = tuner.fit()
    for error in results.errors:
        logger.error("%s", error)
    files, inner = filesystem(join(out, RUN))
    files.delete_dir(inner)
