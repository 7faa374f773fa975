"""Models of an experiment applied to a cohort that none of them saw: one part for each model.

All patients are predicted, also those of unknown IDH status. Images are read once, and the features
of each frozen encoder are made once, for all models.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import torch

from idhray.ancestry import ancestor_of_model
from idhray.classify.aggregate import prediction_rows
from idhray.classify.dataset import load_images
from idhray.classify.encoders import encoder_name, encoder_record
from idhray.classify.image_set import ImageRows, ImageSet
from idhray.classify.trial_models import (
    ScoreImages,
    TrialCard,
    load_scorer,
    load_trial_card,
    model_folders,
    weights_digest_of,
)
from idhray.config import Identity, identity_of, settings_hash
from idhray.errors import ConfigError
from idhray.experiment.classifiers import PREPARATION
from idhray.leakage import HeldOut, assert_untouched, patient_splits
from idhray.ledger import Fate
from idhray.stages.experiment.features import EncodedImages, encoded
from idhray.stages.experiment.preparation import preparation_of, refuse_other_preparation
from idhray.stages.runtime.folder import seal
from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.state import StageState, folder_state
from idhray.stats.arms.columns import EXTERNAL
from idhray.table_fingerprints import table_fingerprints
from idhray.tables import PREDICTIONS


@dataclass(frozen=True, kw_only=True)
class ApplicationPlan:
    """Models and images of an application, checked before any work."""

    models: Mapping[str, TrialCard]
    """Folder of each model -> its card."""
    images: str
    """PATCHES or SLICES folder."""
    patients: int
    identity: Identity
    remarks: tuple[str, ...]
    """Sentences on what is unknown of the models' ancestors."""
    encoders: Mapping[str, str]
    """Encoder of the models -> NAME:FILE, or NAME."""

    def items(self, recorded: Mapping[str, Any]) -> list[Item["ModelTask"]]:
        """One item for each model."""
        digests = self.identity.values["models"]
        return [
            Item(
                name=name_of_model(folder),
                settings_hash=settings_hash(
                    {**self.identity.values, "models": digests[name_of_model(folder)]}
                ),
                task=ModelTask(folder=folder),
            )
            for folder in self.models
        ]


@dataclass(frozen=True, kw_only=True)
class ModelTask:
    """Task of a worker: predict all patients by one model."""

    folder: str


@dataclass(frozen=True, kw_only=True)
class ApplicationImages:
    """Images of a cohort that models are applied to, in memory."""

    images: Mapping[str, ImageSet]
    """All images, by the settings that prepared them; see `prepared_by`."""
    features: Mapping[str, EncodedImages]
    """Features of all images, by encoder and these settings."""

    def scored(self, card: TrialCard) -> ImageRows:
        """Images that a score of one model is the mean of: the first of each patient by rank."""
        number, images = card.origin.eval_per_patient, self.images[prepared_by(card)]
        if number is None:
            return images.view()
        return images.view(np.flatnonzero(images.ranks <= number))

    def scores(self, card: TrialCard, scorer: ScoreImages, rows: ImageRows) -> Any:
        """Probability of IDH mutation of each image, (N,)."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return scorer(rows, lambda: self.features[_encoded_as(card)][rows.rows], device)


def prepared_by(card: TrialCard) -> str:
    """Settings of a model that decide the pixels of its input, as text."""
    return json.dumps([getattr(card.settings, name) for name in PREPARATION])


def _encoded_as(card: TrialCard) -> str:
    return f"{card.encoder} {prepared_by(card)}"


def name_of_model(folder: str) -> str:
    """Name of a kept model: that of its training."""
    return folder.rstrip("/").rpartition("/")[2]


def application_plan(models: str, images: str, encoders: Sequence[str] = ()) -> ApplicationPlan:
    """Models and images of an application.

    Args:
        models: Folder of a study, of `idhray sweep`, or of kept models.
        images: PATCHES or SLICES folder of the cohort that they are applied to.
        encoders: Encoders whose weights no package holds, as NAME:FILE.

    Raises:
        StorageError: there is no kept model, or `images` is not finished.
        LeakageError: a model, or an ancestor of it, saw a patient or an image of this cohort.
        SettingsChangedError: the images were prepared otherwise than the training images.
        ConfigError: the file of an encoder is missing.
    """
    folders = model_folders(models)
    cards = {folder: load_trial_card(folder) for folder in folders}
    first = next(iter(cards.values()))
    for folder, card in cards.items():
        if any(getattr(card.settings, n) != getattr(first.settings, n) for n in PREPARATION):
            raise ConfigError(
                f"{folder}: its images are prepared otherwise than those of the first"
            )
    images_seal = seal(images)
    refuse_other_preparation(images, first.origin.preparation, preparation_of(images))
    remarks = refuse_training_patients(folders, images)
    digests = {name_of_model(folder): weights_digest_of(folder) for folder in folders}
    inputs = {"stage": "predict", "models": digests, "images": images_seal}
    return ApplicationPlan(
        models=cards,
        images=images,
        patients=len(patient_splits(images)),
        identity=identity_of(inputs=inputs),
        remarks=remarks,
        encoders=_encoder_files(cards, encoders),
    )


def _encoder_files(cards: Mapping[str, TrialCard], encoders: Sequence[str]) -> dict[str, str]:
    """Encoder of the models -> NAME:FILE, or NAME if a package holds its weights.

    Raises:
        ConfigError: weights that no package holds are not given.
    """
    files = {encoder_name(each): each for each in encoders}
    names = sorted({card.encoder for card in cards.values()} - {""})
    for name in names:
        if name not in files and encoder_record(name).weights is None:
            raise ConfigError(f"models on features of {name}: give --encoder {name}:FILE")
    return {name: files.get(name, name) for name in names}


def refuse_training_patients(models: list[str], images: str) -> tuple[str, ...]:
    """Refuse a cohort with a patient or an image that shaped one of the models.

    Args:
        models: Folders of kept models.
        images: PATCHES or SLICES folder.

    Returns:
        Sentences on what is unknown of the models' ancestors.
    """
    fingerprints = table_fingerprints(images)
    held_out = HeldOut(
        cohort=images,
        roles=dict.fromkeys(patient_splits(images), EXTERNAL),
        images=fingerprints,
        table=fingerprints,
        purpose="would predict",
    )
    return assert_untouched(held_out, [ancestor_of_model(folder) for folder in models])


def application_state(out: str, plan: ApplicationPlan) -> StageState:
    """State of the predictions of an application; nothing is predicted."""
    return folder_state(out, plan.identity, inputs=None, items_of=plan.items)


def predict_by_models(plan: ApplicationPlan, out: str, gpus: float) -> dict[str, Fate]:
    """Predict all patients by each model; the ledger of the folder."""
    data = ray.put(application_images(plan, gpus))
    work = functools.partial(predict_model, data=data)
    return map_items(plan.items({}), work, out=out, schema=PREDICTIONS, gpus=gpus)


def application_images(plan: ApplicationPlan, gpus: float) -> ApplicationImages:
    """Images of the cohort, and their features by the encoders that the models need."""
    cards = {prepared_by(card): card for card in plan.models.values()}
    images = {key: load_images(plan.images, None, card.settings) for key, card in cards.items()}
    on_features = {_encoded_as(card): card for card in plan.models.values() if card.encoder}
    features = {
        key: encoded(
            images[prepared_by(card)],
            plan.encoders[card.encoder],
            card.settings.channels,
            gpus,
        )
        for key, card in on_features.items()
    }
    return ApplicationImages(images=images, features=features)


def predict_model(task: ModelTask, data: "ray.ObjectRef[ApplicationImages]") -> Outcome:
    """PREDICTIONS rows of all patients by one model."""
    everything, card = ray.get(data), load_trial_card(task.folder)
    rows = everything.scored(card)
    p = everything.scores(card, load_scorer(task.folder), rows)
    predictions = prediction_rows(
        rows,
        p,
        split=EXTERNAL,
        model=card.model,
        n_synthetic=card.n_synthetic,
        repeat=card.repeat,
    )
    block = {"fold": card.fold, "arm": card.arm, "epoch_chosen": card.epoch_chosen}
    return Outcome(rows=[{**row, **block} for row in predictions])
