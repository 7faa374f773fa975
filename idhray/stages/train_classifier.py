"""Training of one classifier on Ray Train: PATCHES and the first n SYNTHETIC -> checkpoint."""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray.train
import ray.train.torch

from idhray.ancestry import ancestor_of_record, ancestors_of_weights, joined_remarks
from idhray.classify import checkpoint as saved
from idhray.classify.dataset import load_images, load_synthetic, refuse_missing_class
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import PRESETS as PRESETS
from idhray.classify.settings import ClassifierSettings
from idhray.classify.trainer import Metrics, TrainingState, fit_classifier
from idhray.config import identity_of, settings_dict, settings_from
from idhray.errors import ConfigError
from idhray.fidelity.copies.near_duplicates import near_duplicates, refuse_near_duplicates
from idhray.generator_records import GeneratorRecord
from idhray.leakage import patient_splits, refuse_failed, refuse_leaks_of_roles
from idhray.stages.experiment.image_identities import synthetic_identities
from idhray.stages.experiment.one_fold import OneFold, one_fold
from idhray.stages.runtime.contents import rows_digest
from idhray.stages.runtime.dry_run import with_dry_run
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.training import (
    add_to_history,
    fit,
    this_worker,
    with_absolute_weights,
)
from idhray.storage import absolute, exists, join
from idhray.table_fingerprints import table_fingerprints

logger = logging.getLogger(__name__)

OWNS = ("weights.safetensors", "training.pt", "model.json")


@dataclass(frozen=True, kw_only=True)
class TrainClassifierFlags(RunFlags):
    """Flags of `idhray train-classifier`."""

    images: str
    """Folder of a PATCHES or SLICES table. Its rows of split `train` are the training images, those
    of split `val` choose the epoch; or the images of these patients in --folds."""
    out: str
    """Folder of the checkpoint."""
    settings: ClassifierSettings
    """Network, preprocessing and training."""
    folds: str | None = None
    """File of the cohort's folds. Patients have their role in fold --fold, whatever the `split`
    column of the images says; images are those of the arm `real` of `sweep`."""
    fold: int = 1
    """Number of the fold in --folds."""
    synthetic: tuple[str, ...] = ()
    """Folders of SYNTHETIC tables, one for each class, in any order."""
    n_synthetic: int = 0
    """Number of synthetic images to add, half of them for each class."""
    allow_failed_gan: bool = False
    """Also use images of a generator that failed `evaluate-gan`."""
    seed: int = 0
    """Seed of weights, order, dropout and augmentation."""
    workers: int = 1
    """Processes that share each batch."""
    gpus_per_worker: float | None = None
    """GPUs of each process; may be a fraction. Default: one if the cluster has GPUs, else none."""
    cpus_per_worker: int = 1
    """CPUs of each process."""


@dataclass(frozen=True, kw_only=True)
class ClassifierTask:
    """One training, as every worker gets it."""

    images: str
    out: str
    synthetic: tuple[str, ...]
    n_synthetic: int
    seed: int
    settings: ClassifierSettings
    folds: str | None
    fold: int


@with_dry_run(
    reads=("images", "synthetic", "folds"), writes="weights, state and card of a classifier"
)
def train_classifier(flags: TrainClassifierFlags) -> dict[str, Any]:
    """Train a classifier on the training patients; the same command resumes."""
    images, out = absolute(flags.images), absolute(flags.out)
    synthetic = tuple(sorted(absolute(folder) for folder in flags.synthetic))
    settings = with_absolute_weights(flags.settings)
    refuse_failed(synthetic, allowed=flags.allow_failed_gan)
    refuse_uneven(flags.n_synthetic)
    folds = absolute(flags.folds) if flags.folds else None
    fold = one_fold(images, folds, flags.fold) if folds else None
    records = _refuse_leaks(images, synthetic, fold, settings.weights)  # before Ray starts
    pairs = zip(synthetic, records, strict=True)
    sources = [ancestor_of_record(*pair) for pair in pairs]
    for remark in joined_remarks([*sources, *ancestors_of_weights(settings.weights)]):
        logger.warning("%s: %s", out, remark)
    seals = sorted(seal(folder) for folder in synthetic)
    inputs = {
        "stage": "train_classifier",
        "images": seal(images),
        "synthetic": sorted(_images_added(folder, flags.n_synthetic // 2) for folder in synthetic),
        **({"fold_roles": fold.digest} if fold else {}),
    }
    identity = identity_of(
        inputs=inputs,
        flags=flags,
        names=("n_synthetic", "seed"),
        settings=settings,
        unordered=("synthetic",),
    )
    identity = replace(identity, former={**identity.values, "synthetic": seals})
    with stage_folder(out, identity, overwrite=flags.overwrite, owns=OWNS):
        if not exists(join(out, saved.CARD_FILE)):
            connect(flags.address, flags)
            task = ClassifierTask(
                images=images,
                out=out,
                synthetic=synthetic,
                n_synthetic=flags.n_synthetic,
                seed=flags.seed,
                settings=settings,
                folds=folds,
                fold=flags.fold,
            )
            fit(
                train_loop,
                settings_dict(task),
                out=out,
                files=(saved.TRAINING_FILE, saved.WEIGHTS_FILE, saved.CARD_FILE),
                workers=flags.workers,
                gpus_per_worker=flags.gpus_per_worker,
                cpus_per_worker=flags.cpus_per_worker,
            )
        card = saved.load_card(out)
    best = card.history[card.best_epoch - 1]
    return {
        "checkpoint": out,
        "n_synthetic": flags.n_synthetic,
        "best_epoch": card.best_epoch,
        "val_loss": best["val_loss"],
        "val_auc": best["val_auc"],
        "ancestry": card.ancestry,
    }


def _images_added(folder: str, count: int) -> str:
    """Digest of the first images of a SYNTHETIC table, the same when it gets more of them."""
    return rows_digest(synthetic_identities(folder)[:count])


def refuse_uneven(n_synthetic: int) -> None:
    """Refuse a number of synthetic images that two classes cannot share.

    Raises:
        ConfigError: the number is odd or negative.
    """
    if n_synthetic < 0 or n_synthetic % 2:
        raise ConfigError(
            f"n_synthetic is divided evenly between two classes and must be even, got {n_synthetic}"
        )


def _refuse_leaks(
    images: str, synthetic: Sequence[str], fold: OneFold | None, weights: str
) -> list[GeneratorRecord]:
    """Generator records; refuse ancestors that saw patients held out by the fold or the split."""
    sources, fingerprints = ancestors_of_weights(weights), table_fingerprints(images)
    roles = fold.roles if fold else patient_splits(images)
    cohort = "this fold" if fold else images
    records = refuse_leaks_of_roles(
        roles, synthetic, cohort=cohort, images=fingerprints, weights=sources
    )
    refuse_near_duplicates(images, near_duplicates(images, fingerprints), roles, cohort)
    return records


def _digests(rows: Sequence[ImageRows]) -> list[int]:
    """Digests of the pixels of images, as their tables hold them."""
    digests: list[int] = []
    for images in rows:
        assert images.images.places is not None
        places = images.images.places.take(images.rows)
        paths = [places.parts[number] for number in places.part]
        for folder in sorted({path.rpartition("/")[0] for path in paths}):
            chosen = zip(paths, places.row.tolist(), strict=True)
            in_folder = [pair for pair in chosen if pair[0].rpartition("/")[0] == folder]
            digests += table_fingerprints(folder).of_rows(in_folder).pixels.tolist()
    return digests


def _real_images(task: ClassifierTask, fold: OneFold | None) -> tuple[ImageRows, ImageRows]:
    """Labeled training images, and validation images."""
    if fold is None:
        train, val = (load_images(task.images, role, task.settings) for role in ("train", "val"))
        return train.view().labeled(), val.view()
    all_images = load_images(task.images, None, task.settings)
    return fold.view(all_images, "train"), fold.view(all_images, "val")


def train_loop(config: dict[str, Any]) -> None:
    """Train in a worker of Ray Train: load the images, continue, report every epoch."""
    task = settings_from(ClassifierTask, config)
    fold = one_fold(task.images, task.folds, task.fold) if task.folds else None
    real, val = _real_images(task, fold)
    refuse_missing_class(real, task.images)
    added = None
    if task.n_synthetic:
        added = load_synthetic(task.synthetic, task.n_synthetic // 2, task.settings).view()
    used = task.synthetic if task.n_synthetic else ()
    weights = task.settings.weights
    generators = _refuse_leaks(task.images, used, fold, weights)
    records = [ancestor_of_record(*pair) for pair in zip(used, generators, strict=True)]
    ancestors = [*records, *ancestors_of_weights(weights)]
    digests = _digests([real, *([added] if added else [])])
    worker = this_worker()
    state = None
    if last := ray.train.get_checkpoint():
        with last.as_directory() as folder:
            state = saved.load_training(folder)

    def on_epoch(metrics: Metrics, state: TrainingState) -> None:
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if worker.rank == 0:
                add_to_history(task.out, metrics)
                card = saved.model_card(
                    state,
                    real,
                    added,
                    val,
                    task.settings,
                    seed=task.seed,
                    generators=generators,
                    ancestors=ancestors,
                    digests=digests,
                )
                saved.save_training(folder, state)
                saved.save_model(folder, state, card)
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report(metrics, checkpoint=checkpoint)

    fit_classifier(
        real,
        added,
        val,
        task.settings,
        seed=task.seed,
        worker=worker,
        device=ray.train.torch.get_device(),
        state=state,
        on_epoch=on_epoch,
    )
