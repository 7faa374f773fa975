"""One classifier, through Ray Train: PATCHES and the first n SYNTHETIC -> checkpoint."""

import tempfile
from collections.abc import Sequence
from typing import Any

import ray.train
import ray.train.torch

from idhray.classify import checkpoint as saved
from idhray.classify.dataset import load_images, training_set
from idhray.classify.settings import PRESETS as PRESETS
from idhray.classify.settings import ClassifierSettings
from idhray.classify.trainer import Metrics, TrainingState, fit_classifier
from idhray.config import settings_dict, settings_from
from idhray.leakage import refuse_failed, refuse_leaks
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.training import (
    add_to_history,
    fit,
    this_worker,
    with_absolute_weights,
)
from idhray.storage import absolute, exists, join

OWNS = ("weights.safetensors", "training.pt", "model.json")


def train_classifier(
    images: str,
    out: str,
    settings: ClassifierSettings,
    *,
    synthetic: tuple[str, ...] = (),
    n_synthetic: int = 0,
    allow_failed_gan: bool = False,
    seed: int = 0,
    workers: int = 1,
    gpus_per_worker: float | None = None,
    cpus_per_worker: int = 1,
    address: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Train a classifier on the training patients; the same command resumes.

    Args:
        images: Folder of a PATCHES table with its splits.
        out: Folder of the checkpoint.
        settings: Network, preprocessing and training.
        synthetic: Folders of SYNTHETIC tables, one of each class.
        n_synthetic: Synthetic images to add, half of each class.
        allow_failed_gan: Take images of a generator that failed `evaluate-gan`, too.
        seed: Of weights, order, dropout and augmentation.
        workers: Processes that share each batch.
        gpus_per_worker: May be a fraction; one when the cluster has GPUs, else none.
        cpus_per_worker: CPUs of each process.
        address: Of a running Ray cluster; Ray starts on this machine when not given.
        overwrite: Start anew where the folder was made with other settings.
    """
    images, out = absolute(images), absolute(out)
    synthetic = tuple(absolute(folder) for folder in synthetic)
    settings = with_absolute_weights(settings)
    refuse_failed(synthetic, allowed=allow_failed_gan)
    refuse_leaks(images, synthetic)  # before Ray starts
    said = {
        "stage": "train_classifier",
        "images": seal(images),
        "synthetic": [seal(folder) for folder in synthetic],
        "n_synthetic": n_synthetic,
        "seed": seed,
        **settings_dict(settings),
    }
    with stage_folder(out, said, overwrite=overwrite, owns=OWNS):
        if not exists(join(out, saved.CARD_FILE)):
            connect(address)
            config = {
                "images": images,
                "out": out,
                "synthetic": list(synthetic),
                "n_synthetic": n_synthetic,
                "seed": seed,
                "settings": settings_dict(settings),
            }
            fit(
                train_loop,
                config,
                out=out,
                files=(saved.TRAINING_FILE, saved.WEIGHTS_FILE, saved.CARD_FILE),
                workers=workers,
                gpus_per_worker=gpus_per_worker,
                cpus_per_worker=cpus_per_worker,
            )
        card = saved.load_card(out)
    best = card.history[card.best_epoch - 1]
    return {
        "checkpoint": out,
        "n_synthetic": n_synthetic,
        "best_epoch": card.best_epoch,
        "val_loss": best["val_loss"],
        "val_auc": best["val_auc"],
    }


def train_loop(config: dict[str, Any]) -> None:
    """In every worker of Ray Train: load, continue, report every epoch."""
    settings = settings_from(ClassifierSettings, config["settings"])
    synthetic: Sequence[str] = config["synthetic"]
    real = training_set(
        config["images"], settings, synthetic=synthetic, n_synthetic=config["n_synthetic"]
    )
    val = load_images(config["images"], "val", settings)
    generators = refuse_leaks(config["images"], synthetic) if config["n_synthetic"] else []
    worker = this_worker()
    state = None
    if last := ray.train.get_checkpoint():
        with last.as_directory() as folder:
            state = saved.load_training(folder)

    def on_epoch(metrics: Metrics, state: TrainingState) -> None:
        with tempfile.TemporaryDirectory() as folder:
            kept = None
            if worker.rank == 0:
                add_to_history(config["out"], metrics)
                card = saved.model_card(
                    state, real, val, settings, seed=config["seed"], generators=generators
                )
                saved.save_training(folder, state)
                saved.save_model(folder, state, card)
                kept = ray.train.Checkpoint.from_directory(folder)
            ray.train.report(metrics, checkpoint=kept)

    fit_classifier(
        real,
        val,
        settings,
        seed=config["seed"],
        worker=worker,
        device=ray.train.torch.get_device(),
        state=state,
        on_epoch=on_epoch,
    )
