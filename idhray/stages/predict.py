"""A trained classifier on images it may be tested on: checkpoint, PATCHES -> PREDICTIONS."""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from idhray.classify.aggregate import mutant_probabilities, prediction_rows
from idhray.classify.checkpoint import ModelCard, load_card, load_model
from idhray.classify.dataset import load_images
from idhray.classify.image_set import ImageRows
from idhray.config import identity_of, settings_hash
from idhray.errors import LeakageError
from idhray.ledger import check_failures, tally
from idhray.stages.experiment.one_fold import one_fold
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.session import connect, task_gpus
from idhray.storage import absolute
from idhray.tables import PREDICTIONS
from idhray.withdrawals import with_names

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class PredictFlags(RunFlags):
    """Flags of `idhray predict`."""

    checkpoint: str
    """Folder that `train-classifier` wrote."""
    images: str
    """Folder of a PATCHES or SLICES table."""
    out: str
    """Folder of the PREDICTIONS table."""
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


def predict(flags: PredictFlags) -> dict[str, Any]:
    """Predict each patient's IDH status as the mean over the patient's images."""
    checkpoint, images = absolute(flags.checkpoint), absolute(flags.images)
    out = absolute(flags.out)
    card = load_card(checkpoint)
    inputs: dict[str, Any] = {
        "stage": "predict",
        "checkpoint": seal(checkpoint),
        "n_synthetic": card.n_synthetic,
        "images": seal(images),
    }
    folds = absolute(flags.folds) if flags.folds else None
    if folds:
        inputs |= {"fold": flags.fold, "fold_roles": one_fold(images, folds, flags.fold).digest}
    identity = identity_of(inputs=inputs, flags=flags, names=("split",))
    with stage_folder(out, identity, overwrite=flags.overwrite) as recorded:
        connect(flags.address)
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
    return {"out": out, "patients": tally(fates)["rows"]}


def predict_split(task: PredictTask) -> Outcome:
    """PREDICTIONS rows of one split."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, card = load_model(task.checkpoint)
    if task.folds:
        all_images = load_images(task.images, None, card.settings)
        images = one_fold(task.images, task.folds, task.fold).view(all_images, task.split)
    else:
        images = load_images(task.images, task.split, card.settings).view()
    refuse_trained_on(images, task.split, card, task.checkpoint)
    p = mutant_probabilities(network.to(device), images, device=device)
    rows = prediction_rows(
        images,
        p,
        split=task.split,
        model=card.settings.backbone,
        n_synthetic=card.n_synthetic,
    )
    return Outcome(rows=[{**row, "fold": task.fold} for row in rows] if task.folds else rows)


def refuse_trained_on(images: ImageRows, split: str, card: ModelCard, checkpoint: str) -> None:
    """Refuse to test on patients that the classifier, or a generator behind it, was trained on.

    A patient who withdrew and came back is recognized by the keyed hash in the card.

    Raises:
        LeakageError: naming the first of them.
    """
    patients = set(images.patients.tolist())
    used: dict[str, set[str]] = {}
    if split != "train":
        used["training"] = {*card.train_patients, *card.generator_patients}
    if split == "test":
        used["validation"] = set(card.val_patients)
    for purpose, names in used.items():
        if shared := sorted(patients & {*with_names(checkpoint, names, patients)}):
            raise LeakageError(
                f"split {split}: {len(shared)} patients were in the classifier's {purpose} "
                f"({shared[0]}, ...); a prediction of them is no test"
            )
