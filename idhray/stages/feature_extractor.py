"""The network that makes features of images, by the words of a command line."""

import os

from torch import nn

from idhray.classify.backbones import build_network
from idhray.classify.checkpoint import load_model
from idhray.classify.settings import ClassifierSettings
from idhray.errors import ConfigError
from idhray.fidelity.features import Extractor, module_features, random_features
from idhray.fidelity.inception import inception_features
from idhray.storage import absolute

RANDOM = "random"
KINDS = "random, inception:FILE, classifier:FOLDER or timm:NAME:FILE"


def absolute_features(features: str) -> str:
    """The same words with a path that every worker finds.

    Raises:
        ConfigError: no such kind of extractor.
    """
    kind, _, rest = features.partition(":")
    if features == RANDOM:
        return features
    if kind in ("inception", "classifier") and rest:
        return f"{kind}:{absolute(rest)}"
    name, _, file = rest.partition(":")
    if kind == "timm" and name and file:
        return f"timm:{name}:{absolute(file)}"
    raise ConfigError(f"features must be {KINDS}, got {features!r}")


def extractor_of(features: str, device: str) -> Extractor:
    """The extractor; its name says exactly what it is.

    Raises:
        ConfigError: no such kind of extractor, or no such network.
        StorageError: its file is missing or broken.
    """
    kind, _, rest = absolute_features(features).partition(":")
    if kind == "random":
        return random_features(device=device)
    if kind == "inception":
        return inception_features(rest, device=device)
    if kind == "classifier":
        model, card = load_model(rest)
        title = f"classifier of {os.path.basename(rest)}"
        return _of_network(model.network, title, card.settings.image_px, device)
    name, _, file = rest.partition(":")
    settings = ClassifierSettings(backbone=name, weights=file)
    title = f"{name} of {os.path.basename(file)}"
    return _of_network(build_network(settings, 0).network, title, settings.image_px, device)


def _of_network(network: nn.Module, name: str, size_px: int, device: str) -> Extractor:
    """What a timm network sees before it decides."""
    statistics = getattr(network, "pretrained_cfg", {})
    network.reset_classifier(0)  # type: ignore[operator]  # every timm network has it
    return module_features(
        network,
        name=name,
        size_px=size_px,
        mean=tuple(statistics.get("mean", (0.485, 0.456, 0.406))),
        std=tuple(statistics.get("std", (0.229, 0.224, 0.225))),
        device=device,
    )
