"""The sweep: one training for each count of synthetic images and each repeat, by Ray Tune.

Images are decoded and preprocessed once and lie in Ray's object store; every trial takes from
there what its count says. A trial publishes its predictions, then its fate; done ones are not run
again, and one that was killed goes on from its last epoch.
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
from idhray.classify.dataset import ImageSet, load_images, training_set, with_synthetic
from idhray.classify.settings import PRESETS as PRESETS
from idhray.classify.settings import ClassifierSettings
from idhray.classify.trainer import Metrics, TrainingState, fit_classifier
from idhray.config import identity_of, settings_dict, settings_from, settings_hash
from idhray.errors import ConfigError, StorageError
from idhray.leakage import refuse_failed
from idhray.ledger import Fate
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.resuming import is_open
from idhray.stages.runtime.session import cluster_gpus, connect
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
    """Folders of SYNTHETIC tables, one of each class."""
    out: str
    """Folder of the PREDICTIONS table."""
    settings: ClassifierSettings
    """Network, preprocessing and training."""
    counts: tuple[int, ...] = (0, 1000, 2000, 3000, 4000, 5000)
    """Synthetic images to add, half of each class; 0 is the baseline."""
    repeats: int = 5
    """Trainings of each count."""
    allow_failed_gan: bool = False
    """Take images of a generator that failed `evaluate-gan`, too."""
    seed: int = 0
    """Of the trainings."""
    workers: int | None = None
    """Trainings at a time; as many as there is room for when not given."""
    gpus_per_trial: float | None = None
    """May be a fraction; one when the cluster has GPUs, else none."""
    cpus_per_trial: int = 1
    """CPUs of each training."""


def sweep(flags: SweepFlags) -> dict[str, Any]:
    """Train with each count of synthetic images, several times, and predict val and test.

    Repeat r has the same first weights at every count, so that counts differ in their images only.
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
    trials = [{"n_synthetic": n, "repeat": r} for r in range(flags.repeats) for n in flags.counts]
    with stage_folder(out, identity, overwrite=flags.overwrite):
        done, there = ledger.fates(out), set(parts(out))
        todo = [trial for trial in trials if is_open(out, done.get(trial_name(**trial)), there)]
        if todo:
            connect(flags.address)
            _run(
                todo,
                _Data.load(images, synthetic, max(flags.counts), settings),
                {"settings": settings_dict(settings), "seed": flags.seed, "out": out},
                workers=flags.workers,
                cpus=flags.cpus_per_trial,
                gpus=min(cluster_gpus(), 1.0)
                if flags.gpus_per_trial is None
                else flags.gpus_per_trial,
            )
        done = ledger.fates(out)
        if missing := [trial_name(**t) for t in trials if trial_name(**t) not in done]:
            raise StorageError(
                f"{out}: {len(missing)} of {len(trials)} trainings did not finish ({missing[0]}, "
                "...); the same command continues"
            )
    return {"out": out, "trainings": len(trials), "predictions": ledger.counts(done)["rows"]}


def check_counts(counts: Sequence[int], repeats: int) -> None:
    """Refuse counts that no sweep can train.

    Raises:
        ConfigError: none, one twice, an odd or a negative one, or no repeats.
    """
    if repeats < 1 or not counts or len(set(counts)) < len(counts):
        raise ConfigError("a sweep needs counts, each once, and 1 or more repeats")
    if wrong := [n for n in counts if n < 0 or n % 2]:
        raise ConfigError(f"counts are split over two classes: even and 0 or more, got {wrong[0]}")


def trial_name(n_synthetic: int, repeat: int) -> str:
    """The name of a training in the LEDGER."""
    return f"n_synthetic={n_synthetic} repeat={repeat}"


@dataclass(frozen=True)
class _Data:
    """All that any trial needs, preprocessed."""

    train: ImageSet
    val: ImageSet
    test: ImageSet

    @staticmethod
    def load(
        images: str, synthetic: Sequence[str], most: int, settings: ClassifierSettings
    ) -> "_Data":
        train = training_set(images, settings, synthetic=synthetic, n_synthetic=most)
        val, test = (load_images(images, split, settings) for split in ("val", "test"))
        return _Data(train, val, test)


class Trial(tune.Trainable):
    """One training; an actor is used for many, so that start-up is paid once."""

    def setup(self, config: dict[str, Any], data: _Data | None = None) -> None:
        assert data is not None
        self.trial_config, self.data = config["trial"], data

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.trial_config = new_config["trial"]
        return True

    def step(self) -> dict[str, Any]:
        return {**run_trial(self.trial_config, self.data), "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a training keeps its own state, see `run_trial`."""


class _Progress(tune.Callback):
    """A log line for each training that ends; Tune's own tables need a wide terminal."""

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
            trial_name(**{k: trial.config["trial"][k] for k in ("n_synthetic", "repeat")}),
            result["val_loss"],
        )


def run_trial(config: dict[str, Any], data: _Data) -> dict[str, Any]:
    """Train, predict val and test, publish predictions and fate; metrics of the best epoch."""
    start = time.monotonic()
    n_synthetic, repeat, out = config["n_synthetic"], config["repeat"], config["out"]
    name = trial_name(n_synthetic, repeat)
    settings = settings_from(ClassifierSettings, config["settings"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = join(out, TRIALS, name.replace(" ", "-"))

    def on_epoch(metrics: Metrics, state: TrainingState) -> None:
        save_training(folder, state)

    state = fit_classifier(
        with_synthetic(data.train, n_synthetic),
        data.val,
        settings,
        seed=seed_for(config["seed"], "sweep", repeat),
        device=device,
        state=load_training(folder),
        on_epoch=on_epoch,
    )
    network = bare_network(settings)
    network.load_state_dict(state.best)
    network.to(device)
    rows = []
    for split, images in (("val", data.val), ("test", data.test)):
        p = mutant_probabilities(network, images.pixels, device=device)
        rows += prediction_rows(
            images,
            p,
            split=split,
            model=settings.backbone,
            n_synthetic=n_synthetic,
            repeat=repeat,
        )
    digest = publish_table(part_path(out, name), rows, PREDICTIONS)
    fate = Fate(
        input=name,
        status="done",
        rows=len(rows),
        seconds=time.monotonic() - start,
        settings_hash=settings_hash({k: v for k, v in config.items() if k != "out"}),
        digest=digest,
    )
    ledger.record(out, fate)
    files, inner = filesystem(folder)
    files.delete_dir(inner)
    return state.history[state.best_epoch - 1]


def _run(
    todo: Sequence[dict[str, int]],
    data: _Data,
    shared: dict[str, Any],
    *,
    workers: int | None,
    cpus: float,
    gpus: float,
) -> None:
    out = shared["out"]
    resources = {"cpu": cpus} | ({"gpu": gpus} if gpus else {})
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    configs = [{**shared, **trial} for trial in todo]
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(Trial, data=data), resources),
        # One sample of a grid over whole configurations: only what is still to be done.
        param_space={"trial": tune.grid_search(configs)},
        tune_config=tune.TuneConfig(max_concurrent_trials=workers, reuse_actors=True),
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
