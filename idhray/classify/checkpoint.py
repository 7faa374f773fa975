"""Files of a trained classifier.

weights.safetensors   weights of the selected epoch
model.json            model card, written last: its presence means that training was finished
training.pt           state after the last epoch, to resume from
"""

import dataclasses
import hashlib
import io
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from idhray.ancestry import Ancestor, joined_digests, joined_remarks
from idhray.classify.backbones import ImageClassifier, bare_network
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import ClassifierSettings
from idhray.classify.trainer import TrainingState
from idhray.config import settings_from
from idhray.errors import ConfigError, StorageError
from idhray.generator_records import GeneratorRecord, patients_hash
from idhray.storage import exists, join, publish, publish_json, read_bytes, read_json

WEIGHTS_FILE, CARD_FILE, TRAINING_FILE = "weights.safetensors", "model.json", "training.pt"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Settings, history and patients of a trained classifier."""

    settings: ClassifierSettings
    seed: int
    n_synthetic: int
    best_epoch: int
    history: list[dict[str, Any]]
    train_patients: list[str]
    trained_on: str
    """`patients_hash` of `train_patients`."""
    val_patients: list[str]
    generator_patients: list[str]
    """Patients that the generators of the synthetic images saw."""
    ancestor_patients: list[str] = dataclasses.field(default_factory=list)
    """Patients of the weights that the training started from."""
    image_digests: str | None = None
    """Digests of all images that shaped the weights, from `packed_digests`; None if unknown."""
    ancestry: list[str] = dataclasses.field(default_factory=list)
    """Sentences on what is unknown of its ancestors."""


def model_card(
    state: TrainingState,
    real: ImageRows,
    added: ImageRows | None,
    val: ImageRows,
    settings: ClassifierSettings,
    *,
    seed: int,
    generators: Sequence[GeneratorRecord] = (),
    ancestors: Sequence[Ancestor] = (),
    digests: Iterable[int] | None = None,
) -> ModelCard:
    """Card of a finished training.

    Args:
        state: State after the last epoch.
        real: Real training images.
        added: Added training images; those without a patient are synthetic.
        val: Validation images.
        settings: Settings of the training.
        seed: Seed of the training.
        generators: Records of the synthetic folders, from `refuse_leaks`.
        ancestors: Generators, and weights that the training started from.
        digests: Digests of the pixels of all its images; None if unknown.
    """
    added_patients = [] if added is None else added.patients.tolist()
    patients = sorted({*real.patients.tolist(), *added_patients} - {""})
    return ModelCard(
        settings=settings,
        seed=seed,
        n_synthetic=added_patients.count(""),
        best_epoch=state.best_epoch,
        history=state.history,
        train_patients=patients,
        trained_on=patients_hash(patients),
        val_patients=sorted(set(val.labeled().patients.tolist())),
        generator_patients=sorted({name for record in generators for name in record.patients}),
        ancestor_patients=sorted({name for each in ancestors for name in each.patients or ()}),
        image_digests=None if digests is None else joined_digests(digests, ancestors),
        ancestry=joined_remarks(ancestors),
    )


def save_model(folder: str, state: TrainingState, card: ModelCard) -> None:
    """Write the weights of the selected epoch, and the card."""
    data = save(state.best)
    publish(join(folder, WEIGHTS_FILE), data)
    values = {**dataclasses.asdict(card), "weights_sha256": hashlib.sha256(data).hexdigest()}
    publish_json(join(folder, CARD_FILE), values)


def load_card(folder: str) -> ModelCard:
    """Card of a trained classifier.

    Raises:
        StorageError: There is no card, or it is not the card of a classifier.
    """
    return _card(folder)[0]


def load_model(folder: str) -> tuple[ImageClassifier, ModelCard]:
    """Trained classifier, ready to predict, and its card.

    Raises:
        StorageError: The folder holds no classifier, or one of its files is broken.
    """
    card, sha256 = _card(folder)
    path = join(folder, WEIGHTS_FILE)
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StorageError(f"{path}: not the weights that {CARD_FILE} describes; train again")
    network = bare_network(card.settings)
    try:
        network.load_state_dict(load(data))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise StorageError(f"{path}: not the weights of {CARD_FILE}'s network ({reason})") from None
    return network.eval(), card


def _card(folder: str) -> tuple[ModelCard, str]:
    path = join(folder, CARD_FILE)
    if not exists(path):
        raise StorageError(f"{folder}: no {CARD_FILE}, so the training is not finished; finish it")
    values = read_json(path)
    try:
        sha256 = str(values.pop("weights_sha256"))
        settings = settings_from(ClassifierSettings, values.pop("settings"))
        return ModelCard(settings=settings, **values), sha256
    except (KeyError, TypeError, AttributeError, ConfigError) as error:
        raise StorageError(f"{path}: not the card of a classifier ({error})") from None


def save_training(folder: str, state: TrainingState) -> None:
    """Write the state that a training resumes from."""
    buffer = io.BytesIO()
    torch.save({f.name: getattr(state, f.name) for f in dataclasses.fields(state)}, buffer)
    publish(join(folder, TRAINING_FILE), buffer.getvalue())


def load_training(folder: str) -> TrainingState | None:
    """State of an earlier run, or None if there is no such file.

    Raises:
        StorageError: The file is broken, or holds something else.
    """
    path = join(folder, TRAINING_FILE)
    if not exists(path):
        return None
    try:
        values = torch.load(io.BytesIO(read_bytes(path)), map_location="cpu", weights_only=True)
        return TrainingState(**values)
    except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise StorageError(
            f"{path}: cannot resume from this file ({reason}); remove it to start again"
        ) from None
