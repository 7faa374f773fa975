"""A trained classifier on images it may be tested on: checkpoint, PATCHES -> PREDICTIONS.

The models of an experiment predict all patients of another cohort: `experiment/application.py`.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from idhray.ancestry import Ancestor
from idhray.classify.aggregate import mutant_probabilities, prediction_rows
from idhray.classify.checkpoint import ModelCard, load_card, load_model
from idhray.classify.dataset import load_images
from idhray.config import identity_of, settings_hash
from idhray.errors import ConfigError
from idhray.fingerprints import unpacked_digests
from idhray.leakage import HeldOut, assert_untouched, patient_splits
from idhray.ledger import check_failures, tally
from idhray.stages.experiment.application import application_plan, predict_by_models
from idhray.stages.experiment.one_fold import one_fold
from idhray.stages.runtime.dry_run import with_dry_run
from idhray.stages.runtime.folder import refuse_changed_checkpoint, seal, stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.session import connect, task_gpus
from idhray.storage import absolute
from idhray.table_fingerprints import TableFingerprints, table_fingerprints
from idhray.tables import PREDICTIONS

logger = logging.getLogger(__name__)

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class PredictFlags(RunFlags):
    """Flags of `idhray predict`."""

    images: str
    """Folder of a PATCHES or SLICES table."""
    out: str
    """Folder of the PREDICTIONS table."""
    checkpoint: str | None = None
    """Folder that `train-classifier` wrote."""
    models: str | None = None
    """Folder of a study or of `sweep`, whose kept models predict all patients of another cohort,
    also those of unknown IDH status. Instead of --checkpoint; --split and --folds do not apply."""
    encoder: tuple[str, ...] = ()
    """With --models: encoders of these models whose weights no package holds, as NAME:FILE."""
    split: tuple[Split, ...] = ("test",)
    """Splits whose patients are predicted: one or more of train, val, test."""
    folds: str | None = None
    """File of the cohort's folds. The split of a patient is then the role in fold --fold, whatever
    the `split` column of the images says."""
    fold: int = 1
    """Number of the fold in --folds."""
    gpus_per_worker: float | None = None
    """GPUs of one worker. Default: one if the cluster has GPUs, else none."""


@dataclass(frozen=True, kw_only=True)
class PredictTask:
    """Task of a worker: predict the patients of one split."""

    checkpoint: str
    images: str
    split: Split
    folds: str | None
    fold: int


@with_dry_run(reads=("images", "checkpoint", "models", "folds"), writes="PREDICTIONS")
def predict(flags: PredictFlags) -> dict[str, Any]:
    """Predict each patient's IDH status as the mean over the patient's images."""
    if bool(flags.checkpoint) == bool(flags.models):
        raise ConfigError("give either --checkpoint (one classifier) or --models (an experiment's)")
    if flags.models:
        return _predict_models(flags, absolute(flags.models))
    return _predict_one(flags, absolute(flags.checkpoint or ""))


def _predict_models(flags: PredictFlags, models: str) -> dict[str, Any]:
    """Predict another cohort by all kept models of an experiment."""
    if flags.folds or flags.split != ("test",):
        raise ConfigError("--split and --folds belong to --checkpoint; --models predicts everyone")
    out = absolute(flags.out)
    plan = application_plan(models, absolute(flags.images), flags.encoder)
    for remark in plan.remarks:
        logger.warning("%s: %s", out, remark)
    with stage_folder(out, plan.identity, overwrite=flags.overwrite):
        connect(flags.address, flags)
        fates = predict_by_models(plan, out, task_gpus(flags.gpus_per_worker))
        check_failures(out, fates, 0)
    return {
        "out": out,
        "patients": plan.patients,
        "models": len(plan.models),
        "rows": tally(fates)["rows"],
        "ancestry": [*plan.remarks],
    }


def _predict_one(flags: PredictFlags, checkpoint: str) -> dict[str, Any]:
    """Predict splits of a table by one classifier."""
    images = absolute(flags.images)
    out = absolute(flags.out)
    card = load_card(checkpoint)
    inputs: dict[str, Any] = {
        "stage": "predict",
        "checkpoint": seal(checkpoint),
        "n_synthetic": card.n_synthetic,
        "images": seal(images),
    }
    folds = absolute(flags.folds) if flags.folds else None
    fold = one_fold(images, folds, flags.fold) if folds else None
    if fold:
        inputs |= {"fold": flags.fold, "fold_roles": fold.digest}
    refuse_changed_checkpoint(checkpoint)
    roles = fold.roles if fold else patient_splits(images)
    fingerprints = table_fingerprints(images)
    remarks: dict[str, None] = {}
    for split in flags.split:
        patients = [name for name, role in roles.items() if role == split]
        of_split = refuse_trained_on(patients, split, card, checkpoint, fingerprints)
        remarks |= dict.fromkeys(of_split)
    for remark in remarks:
        logger.warning("%s: %s", out, remark)
    identity = identity_of(inputs=inputs, flags=flags, names=("split",))
    with stage_folder(out, identity, overwrite=flags.overwrite) as recorded:
        connect(flags.address, flags)
        items = [
            Item(
                name=split,
                settings_hash=settings_hash({**recorded, "one": split}),
                task=PredictTask(
                    checkpoint=checkpoint,
                    images=images,
                    split=split,
                    folds=folds,
                    fold=flags.fold,
                ),
            )
            for split in flags.split
        ]
        gpus = task_gpus(flags.gpus_per_worker)
        fates = map_items(items, predict_split, out=out, schema=PREDICTIONS, gpus=gpus)
        check_failures(out, fates, 0)
    return {"out": out, "patients": tally(fates)["rows"], "ancestry": [*remarks]}


def predict_split(task: PredictTask) -> Outcome:
    """PREDICTIONS rows of one split."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, card = load_model(task.checkpoint)
    if task.folds:
        all_images = load_images(task.images, None, card.settings)
        images = one_fold(task.images, task.folds, task.fold).view(all_images, task.split)
    else:
        images = load_images(task.images, task.split, card.settings).view()
    p = mutant_probabilities(network.to(device), images, device=device)
    rows = prediction_rows(
        images,
        p,
        split=task.split,
        model=card.settings.backbone,
        n_synthetic=card.n_synthetic,
    )
    return Outcome(rows=[{**row, "fold": task.fold} for row in rows] if task.folds else rows)


def refuse_trained_on(
    patients: Collection[str],
    split: str,
    card: ModelCard,
    checkpoint: str,
    images: TableFingerprints | None = None,
) -> tuple[str, ...]:
    """Refuse to test on patients or images that a classifier, or a model behind it, saw.

    A patient who withdrew and came back is recognized by the keyed hash in the card.

    Args:
        patients: Patients of the split.
        split: train, val or test; nothing is refused for train.
        card: Card of the classifier.
        checkpoint: Its folder.
        images: Fingerprints of all images of the table.

    Returns:
        Sentences on what is unknown of the classifier's ancestors.

    Raises:
        LeakageError: naming the first patient.
    """
    if split == "train":
        return ()
    trained_on = (*card.train_patients, *card.generator_patients, *card.ancestor_patients)
    training = Ancestor(
        name=f"{checkpoint}: the classifier's training",
        patients=trained_on,
        digests=None if card.image_digests is None else unpacked_digests(card.image_digests),
        folder=checkpoint,
        ancestry=tuple(card.ancestry),
        verb="used",
        advice="a prediction of them is no test",
    )
    validation = replace(
        training,
        name=f"{checkpoint}: the classifier's validation",
        patients=tuple(card.val_patients),
        digests=np.zeros(0, np.uint64),
    )
    held_out = HeldOut(
        cohort=f"split {split}",
        roles=dict.fromkeys(patients, split),
        images=None if images is None else images.of_patients(patients),
        table=images,
        purpose="would test",
    )
    return assert_untouched(held_out, [training, *([validation] if split == "test" else [])])
