"""Models that an experiment keeps: a folder for each training, with weights and a card.

weights.safetensors   weights of the selected epoch, or of the head on a frozen encoder
model.json            card, written last: what prediction needs, and who shaped the weights

Each kind of classifier is one record in `MODEL_KINDS`.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from idhray.classify.aggregate import mutant_probabilities
from idhray.classify.attention import AttentionHead, MilSettings, patient_probability
from idhray.classify.backbones import ImageClassifier, bare_network
from idhray.classify.encoders import encoder_record
from idhray.classify.frozen import FrozenHead, Matrix
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import ClassifierSettings
from idhray.config import settings_dict, settings_from
from idhray.errors import ConfigError, StorageError
from idhray.storage import exists, join, list_folders, publish, publish_json, read_bytes, read_json

T = TypeVar("T")

WEIGHTS_FILE, CARD_FILE, MODELS_FOLDER = "weights.safetensors", "model.json", "models"

ImageScores = NDArray[np.float64]  # (N,) probability of IDH mutation of each image
ScoreImages = Callable[[ImageRows, Callable[[], Matrix], str], ImageScores]
"""Scores of images, from the images, a function that gives their features, and the device."""


@dataclass(frozen=True, kw_only=True)
class ModelOrigin:
    """Patients and images that shaped a model, and the preparation of its images."""

    train_patients: tuple[str, ...] = ()
    val_patients: tuple[str, ...] = ()
    """Patients on whose images its epoch or penalty was chosen."""
    generator_patients: tuple[str, ...] = ()
    """Patients that the generators of its synthetic images saw."""
    ancestor_patients: tuple[str, ...] = ()
    """Patients of the weights that the training started from."""
    image_digests: str | None = None
    """Digests of all these images, from `packed_digests`; None if unknown."""
    ancestry: tuple[str, ...] = ()
    """Sentences on what is unknown of its ancestors."""
    preparation: Mapping[str, Any] = field(default_factory=dict)
    """Stage that made the images, with its settings; of patches also those of their tiles."""
    eval_per_patient: int | None = None
    """Images of a patient, the first by rank, that a score is the mean of; None for all."""


@dataclass(frozen=True, kw_only=True)
class TrialCard:
    """Card of one kept model."""

    kind: str
    """Kind of classifier, such as network or frozen."""
    model: str
    """Name of the classifier, as in the column `model` of predictions."""
    arm: str
    fold: int
    repeat: int
    n_synthetic: int
    epoch_chosen: int | None = None
    settings: ClassifierSettings
    encoder: str = ""
    """Name of the frozen encoder; empty for a trained network."""
    seed: int
    origin: ModelOrigin


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """Record of one kind of classifier whose models are kept."""

    scorer: Callable[[TrialCard, Mapping[str, Tensor]], ScoreImages]
    """Scores of images by a model, from its card and its tensors."""
    size_bytes: Callable[[ClassifierSettings, str], int]
    """Bytes of its weights, from the settings and the name of the encoder."""


def _network_of(card: TrialCard, tensors: Mapping[str, Tensor]) -> ImageClassifier:
    network = bare_network(card.settings)
    network.load_state_dict(dict(tensors))
    return network


def _network_scorer(card: TrialCard, tensors: Mapping[str, Tensor]) -> ScoreImages:
    network = _network_of(card, tensors)

    def scores(images: ImageRows, features: Callable[[], Matrix], device: str) -> ImageScores:
        return mutant_probabilities(network.to(device), images, device=device)

    return scores


def _network_bytes(settings: ClassifierSettings, encoder: str) -> int:
    state = bare_network(settings).state_dict()
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


def head_tensors(head: FrozenHead) -> dict[str, Tensor]:
    """Tensors of logistic regression on features."""
    return {
        "mean": torch.from_numpy(np.ascontiguousarray(head.mean)),
        "scale": torch.from_numpy(np.ascontiguousarray(head.scale)),
        "coefficients": torch.from_numpy(np.ascontiguousarray(head.coefficients)),
        "intercept": torch.tensor([head.intercept], dtype=torch.float64),
    }


def _frozen_head(tensors: Mapping[str, Tensor]) -> FrozenHead:
    return FrozenHead(
        tensors["mean"].numpy(),
        tensors["scale"].numpy(),
        tensors["coefficients"].numpy(),
        float(tensors["intercept"][0]),
    )


def _frozen_scorer(card: TrialCard, tensors: Mapping[str, Tensor]) -> ScoreImages:
    head = _frozen_head(tensors)

    def scores(images: ImageRows, features: Callable[[], Matrix], device: str) -> ImageScores:
        return head.mutant_probabilities(features())

    return scores


def _frozen_bytes(settings: ClassifierSettings, encoder: str) -> int:
    return 8 * (3 * encoder_record(encoder).dimensions + 1)


def _mean_scorer(card: TrialCard, tensors: Mapping[str, Tensor]) -> ScoreImages:
    head = _frozen_head(tensors)

    def scores(images: ImageRows, features: Callable[[], Matrix], device: str) -> ImageScores:
        def of_patient(bag: Matrix) -> float:
            return float(head.mutant_probabilities(bag.mean(axis=0, keepdims=True))[0])

        return _bag_scores(images, features(), of_patient)

    return scores


def _attention_scorer(card: TrialCard, tensors: Mapping[str, Tensor]) -> ScoreImages:
    head = AttentionHead.of_tensors(tensors)

    def scores(images: ImageRows, features: Callable[[], Matrix], device: str) -> ImageScores:
        def of_patient(bag: Matrix) -> float:
            return patient_probability(head.to(device), bag.astype(np.float32))

        return _bag_scores(images, features(), of_patient)

    return scores


def _attention_bytes(settings: ClassifierSettings, encoder: str) -> int:
    dimensions = encoder_record(encoder).dimensions
    head = AttentionHead(MilSettings(), torch.zeros(dimensions), torch.ones(dimensions))
    return sum(tensor.numel() * 4 for tensor in head.state_dict().values())


def _bag_scores(
    images: ImageRows, features: Matrix, of_patient: Callable[[Matrix], float]
) -> ImageScores:
    """Score of each image's patient, (N,)."""
    p = np.zeros(len(images))
    for name in np.unique(images.patients):
        rows = images.patients == name
        p[rows] = of_patient(features[rows])
    return p


MODEL_KINDS: dict[str, ModelKind] = {
    "network": ModelKind(scorer=_network_scorer, size_bytes=_network_bytes),
    "frozen": ModelKind(scorer=_frozen_scorer, size_bytes=_frozen_bytes),
    "mean-pool": ModelKind(scorer=_mean_scorer, size_bytes=_frozen_bytes),
    "abmil": ModelKind(scorer=_attention_scorer, size_bytes=_attention_bytes),
}


def model_folder(out: str, name: str) -> str:
    """Folder of the model of a training.

    Args:
        out: Folder of the experiment.
        name: Name of the training in the ledger.
    """
    plain = name.replace(" ", "-").replace("=", "-").replace(":", "-")
    return join(out, MODELS_FOLDER, plain)


def save_trial_model(folder: str, tensors: Mapping[str, Tensor], card: TrialCard) -> None:
    """Write the weights, then the card."""
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    publish(join(folder, WEIGHTS_FILE), data)
    # The lists of patients stand at the top, where ancestors of a model are looked for.
    values = settings_dict(card)
    origin = values.pop("origin")
    digest = {"weights_sha256": hashlib.sha256(data).hexdigest()}
    publish_json(join(folder, CARD_FILE), {**values, **origin, **digest})


def load_trial_card(folder: str) -> TrialCard:
    """Card of a kept model.

    Raises:
        StorageError: there is no card, or it is none of a kept model.
    """
    return _card(folder)[0]


def load_scorer(folder: str) -> ScoreImages:
    """Scores of images by a kept model.

    Raises:
        StorageError: the folder holds no model, or a file of it is broken.
        ConfigError: this version does not have its kind of classifier.
    """
    card, tensors = _weights(folder)
    if card.kind not in MODEL_KINDS:
        raise ConfigError(
            f"{folder}: a classifier of kind {card.kind!r}, which this version does not have; "
            f"it has {', '.join(MODEL_KINDS)}"
        )
    return _fitted(folder, lambda: MODEL_KINDS[card.kind].scorer(card, tensors))


def load_network(folder: str) -> ImageClassifier:
    """Network of a kept model.

    Raises:
        StorageError: the folder holds no model, or a file of it is broken.
        ConfigError: it is a head on a frozen encoder.
    """
    card, tensors = _weights(folder)
    if card.kind != "network":
        raise ConfigError(
            f"{folder}: a head on the frozen encoder {card.encoder}, not a network; give a model "
            "of the classifier `network`"
        )
    return _fitted(folder, lambda: _network_of(card, tensors))


def _weights(folder: str) -> tuple[TrialCard, dict[str, Tensor]]:
    """Card and tensors of a kept model."""
    card, sha256 = _card(folder)
    path = join(folder, WEIGHTS_FILE)
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StorageError(f"{path}: not the weights that {CARD_FILE} describes; train again")
    return card, _fitted(folder, lambda: load(data))


def _fitted(folder: str, make: Callable[[], T]) -> T:
    """Result of `make`; tensors that do not fit become one line."""
    try:
        return make()
    except (SafetensorError, RuntimeError, KeyError) as error:
        reason = str(error).split("\n")[0]
        raise StorageError(
            f"{join(folder, WEIGHTS_FILE)}: not the weights of {CARD_FILE}'s model ({reason})"
        ) from None


def weights_digest_of(folder: str) -> str:
    """SHA-256 of the weights of a kept model, as its card records it."""
    return _card(folder)[1]


def model_folders(folder: str) -> list[str]:
    """Folders of the models that an experiment kept, sorted.

    Args:
        folder: Folder of a study, of `idhray sweep`, or of the models.

    Raises:
        StorageError: it holds no model.
    """
    # A study comes first: it also holds generators, whose record has the same name.
    for place in (join(folder, "sweep", MODELS_FOLDER), join(folder, MODELS_FOLDER), folder):
        paths = [join(place, name) for name in sorted(list_folders(place))]
        if models := [path for path in paths if exists(join(path, CARD_FILE))]:
            return models
    raise StorageError(
        f"{folder}: no kept model; give the folder of a study or of `idhray sweep` that ran with "
        "--keep-models"
    )


def _card(folder: str) -> tuple[TrialCard, str]:
    path = join(folder, CARD_FILE)
    if not exists(path):
        raise StorageError(f"{folder}: no {CARD_FILE}, so no model was kept here")
    values = read_json(path)
    names = {each.name for each in dataclasses.fields(ModelOrigin)}
    try:
        sha256 = str(values.pop("weights_sha256"))
        preparation = values.pop("preparation")
        shaped = {name: values.pop(name) for name in [*values] if name in names}
        card = settings_from(TrialCard, {**values, "origin": shaped})
    except (KeyError, TypeError, AttributeError, ConfigError) as error:
        raise StorageError(f"{path}: not the card of a kept model ({error})") from None
    origin = dataclasses.replace(card.origin, preparation=preparation)
    return dataclasses.replace(card, origin=origin), sha256
