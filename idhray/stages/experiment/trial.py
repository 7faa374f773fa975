"""One trial of an experiment: train a classifier on an arm's images, predict held-out patients."""

import functools
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import ray
import torch

from idhray.chance import seed_for
from idhray.classify.aggregate import mutant_probabilities, prediction_rows
from idhray.classify.attention import MilSettings
from idhray.classify.backbones import bare_network
from idhray.classify.checkpoint import TRAINING_FILE, load_training, save_training
from idhray.classify.settings import ClassifierSettings
from idhray.classify.slots import Schedule, added_shown
from idhray.classify.trainer import Metrics, TrainingState, fit_classifier
from idhray.classify.trial_models import ModelOrigin, TrialCard, model_folder, save_trial_model
from idhray.errors import SettingsChangedError
from idhray.experiment.arms import parse_arm
from idhray.experiment.classifiers import encoder_of
from idhray.experiment.settings import Budget
from idhray.experiment.trials import Trial
from idhray.stages.experiment.bag_trials import abmil_trial, mean_pool_trial
from idhray.stages.experiment.data import ExperimentData, added_images, arm_rows_of
from idhray.stages.experiment.frozen_trial import frozen_trial
from idhray.stages.runtime.items import Outcome
from idhray.storage import delete_folder, exists, join
from idhray.table_parts import part_path, publish_table
from idhray.tables import TRIALS

logger = logging.getLogger(__name__)

TRIALS_FOLDER = "trials"
STATES = "_trials"
"""Folder of the states that unfinished trainings continue from."""

TrialRows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class TrialTask:
    """One trial, as a worker gets it."""

    trial: Trial
    generators: tuple[str, ...]
    """SYNTHETIC folders, one for each class; none for an arm without synthetic images."""
    generator_names: str
    settings: ClassifierSettings
    budget: Budget
    seed: int
    gpus: float
    out: str
    origin: ModelOrigin | None = None
    """Origin of the model, for its card; None if the model is not kept."""
    mil: MilSettings = field(default_factory=MilSettings)
    state_s: float = 0.0
    """Least seconds between two saves of the state that a killed training continues from."""


def run_trial(task: TrialTask, data: "ray.ObjectRef[ExperimentData]") -> Outcome:
    """Train, publish the row of the trial, and return the rows of its predictions."""
    start = time.monotonic()
    images, trial = ray.get(data), task.trial
    arguments = (trial, task.generators, images, task.settings)
    if trial.classifier == "frozen":
        rows, values, weights = frozen_trial(*arguments)
    elif trial.classifier == "mean-pool":
        rows, values, weights = mean_pool_trial(*arguments)
    elif trial.classifier == "abmil":
        rows, values, weights = abmil_trial(*arguments, mil=task.mil, budget=task.budget)
    else:
        rows, values, weights = _network_trial(task, images)
    if task.origin is not None:
        save_trial_model(
            model_folder(task.out, trial.name),
            weights,
            _card(task, task.origin, rows[0], values["epoch_chosen"]),
        )
    seconds = time.monotonic() - start
    shared = {"fold": trial.fold, "arm": trial.arm, "generator": task.generator_names}
    entry = {
        **shared,
        "repeat": trial.repeat,
        "model": rows[0]["model"],
        **values,
        "seconds": seconds,
        "gpu_seconds": seconds * task.gpus,
    }
    publish_table(part_path(join(task.out, TRIALS_FOLDER), trial.name), [entry], TRIALS)
    epoch = {"epoch_chosen": values["epoch_chosen"]}
    # The state outlives the training until its predictions are published and in the ledger.
    return Outcome(
        rows=[{**row, **shared, **epoch} for row in rows],
        scratch=[state_folder(task.out, trial.name)] if trial.classifier == "network" else [],
    )


def _card(
    task: TrialTask, origin: ModelOrigin, row: dict[str, Any], epoch: int | None
) -> TrialCard:
    """Card of the model of a training.

    Args:
        task: The training.
        origin: Patients and images that shaped it.
        row: A row of its predictions.
        epoch: Chosen epoch; None for a head on features.
    """
    trial = task.trial
    return TrialCard(
        kind=trial.classifier,
        model=row["model"],
        arm=trial.arm,
        fold=trial.fold,
        repeat=trial.repeat,
        n_synthetic=row["n_synthetic"],
        epoch_chosen=epoch,
        settings=task.settings,
        encoder="" if trial.classifier == "network" else encoder_of(row["model"]),
        seed=task.seed,
        origin=origin,
    )


def state_folder(out: str, name: str) -> str:
    """Folder of the state that an unfinished training continues from."""
    return join(out, STATES, name.replace(" ", "-").replace("=", "-"))


def delete_states(out: str, names: Iterable[str]) -> None:
    """Delete the states that killed workers left of finished trainings."""
    if exists(join(out, STATES)):
        for name in names:
            delete_folder(state_folder(out, name))


class _Saves:
    """Saves of the state of one training: after an epoch, if the last one is long enough ago.

    The last epoch of a training that saved its state before is always saved: the state outlives the
    training until its predictions are published.
    """

    def __init__(self, folder: str, least_s: float, epochs: int) -> None:
        self.folder, self.least_s, self.epochs = folder, least_s, epochs
        self.saved, self.last = exists(join(folder, TRAINING_FILE)), time.monotonic()

    def on_epoch(self, _metrics: Metrics, state: TrainingState) -> None:
        is_last = len(state.history) == self.epochs and self.saved
        if is_last or time.monotonic() - self.last >= self.least_s:
            save_training(self.folder, state)
            self.saved, self.last = True, time.monotonic()


def _network_trial(
    task: TrialTask, data: ExperimentData
) -> tuple[TrialRows, dict[str, Any], dict[str, torch.Tensor]]:
    """Rows of the predictions, what the table of trials says of the training, and its weights."""
    trial, arm = task.trial, parse_arm(task.trial.arm)
    rows, fold = arm_rows_of(data, trial), data.folds[trial.fold]
    settings = replace(task.settings, online="classical") if arm.online else task.settings
    shown = fold.n_real + (arm.count if task.budget == "epochs" else 0)
    steps = shown // settings.batch_size
    seed = seed_for(task.seed, "experiment", trial.fold, trial.repeat)
    folder = state_folder(task.out, trial.name)

    saves = _Saves(folder, task.state_s, settings.epochs)

    fit = functools.partial(
        fit_classifier,
        data.real.view(rows.real),
        added_images(trial, rows, task.generators, data, settings),
        data.real.view(fold.val),
        settings,
        seed=seed,
        steps_per_epoch=steps,
        slots_of=fold.n_real,
        device=_device(),
        on_epoch=saves.on_epoch,
    )
    try:
        state = fit(state=load_training(folder))
    except SettingsChangedError:
        # Settings may change until a trial is finished; this state is of those before.
        logger.warning("%s: started again, with other settings or images", trial.name)
        state = fit()
    best = state.history[state.best_epoch - 1]
    schedule = Schedule(
        n_real=fold.n_real, n_added=arm.count, batch_size=settings.batch_size, seed=seed
    )
    all_steps = steps * settings.epochs
    values = {
        "real_images": len(rows.real),
        "added_images": arm.count,
        "steps": all_steps,
        "images_shown": all_steps * settings.batch_size,
        "added_shown": added_shown(schedule, all_steps),
        "epoch_chosen": state.best_epoch,
        "val_loss": best["val_loss"],
        "val_auc": best["val_auc"],
    }
    return _predictions(task, data, state), values, state.best


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _predictions(task: TrialTask, data: ExperimentData, state: TrainingState) -> TrialRows:
    """PREDICTIONS rows of the fold's validation and test patients, by the chosen epoch."""
    network = bare_network(task.settings)
    network.load_state_dict(state.best)
    network.to(_device())
    arm, fold = parse_arm(task.trial.arm), data.folds[task.trial.fold]
    rows: TrialRows = []
    for split, numbers in (("val", fold.val), ("test", fold.test)):
        images = data.real.view(numbers)
        rows += prediction_rows(
            images,
            mutant_probabilities(network, images, device=_device()),
            split=split,
            model=task.settings.backbone,
            n_synthetic=arm.count if arm.kind == "synthetic" else 0,
            repeat=task.trial.repeat,
        )
    return rows
