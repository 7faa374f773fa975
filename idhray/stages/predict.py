"""A trained classifier on images it may be tested on: checkpoint, PATCHES -> PREDICTIONS."""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from idhray.classify.aggregate import mutant_probabilities, prediction_rows
from idhray.classify.checkpoint import ModelCard, load_card, load_model
from idhray.classify.dataset import ImageSet, load_images
from idhray.config import settings_hash
from idhray.errors import LeakageError
from idhray.ledger import check_failures, counts
from idhray.stages.runtime.folder import seal, stage_folder
from idhray.stages.runtime.mapping import Item, Outcome, map_items
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.session import cluster_gpus, connect
from idhray.storage import absolute
from idhray.tables import PREDICTIONS

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class PredictFlags(RunFlags):
    """Flags of `idhray predict`."""

    checkpoint: str
    """Folder of `train-classifier`."""
    images: str
    """Folder of a PATCHES table."""
    out: str
    """Folder of the PREDICTIONS table."""
    split: tuple[Split, ...] = ("test",)
    """Which patients, one or more of train, val, test."""
    gpus_per_worker: float | None = None
    """One when the cluster has GPUs, else none."""


def predict(flags: PredictFlags) -> dict[str, Any]:
    """Predict each patient's IDH status as the mean over the patient's images."""
    checkpoint, images, out = (
        absolute(flags.checkpoint),
        absolute(flags.images),
        absolute(flags.out),
    )
    card = load_card(checkpoint)
    said = {
        "stage": "predict",
        "checkpoint": seal(checkpoint),
        "n_synthetic": card.n_synthetic,
        "images": seal(images),
        "split": list(flags.split),
    }
    with stage_folder(out, said, overwrite=flags.overwrite):
        connect(flags.address)
        items = [
            Item(
                name=name,
                settings_hash=settings_hash({**said, "one": name}),
                values={"checkpoint": checkpoint, "images": images, "split": name},
            )
            for name in flags.split
        ]
        gpus = min(cluster_gpus(), 1.0) if flags.gpus_per_worker is None else flags.gpus_per_worker
        found = map_items(items, predict_split, out=out, schema=PREDICTIONS, gpus=gpus)
        check_failures(out, found, 0)
    return {"out": out, "patients": counts(found)["rows"]}


def predict_split(values: dict[str, Any]) -> Outcome:
    """PREDICTIONS rows of one split."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, card = load_model(values["checkpoint"])
    images = load_images(values["images"], values["split"], card.settings)
    refuse_seen(images, values["split"], card)
    p = mutant_probabilities(network.to(device), images.pixels, device=device)
    rows = prediction_rows(
        images,
        p,
        split=values["split"],
        model=card.settings.backbone,
        n_synthetic=card.n_synthetic,
    )
    return Outcome(rows=rows)


def refuse_seen(images: ImageSet, split: str, card: ModelCard) -> None:
    """Refuse to test on patients that the classifier, or a generator behind it, was trained on.

    Raises:
        LeakageError: naming the first of them.
    """
    patients = set(images.patients.tolist())
    seen = (
        {} if split == "train" else {"training": {*card.train_patients, *card.generator_patients}}
    )
    if split == "test":
        seen["validation"] = set(card.val_patients)
    for what, names in seen.items():
        if shared := sorted(patients & names):
            raise LeakageError(
                f"split {split}: {len(shared)} patients were in the classifier's {what} "
                f"({shared[0]}, ...); a prediction of them is no test"
            )
