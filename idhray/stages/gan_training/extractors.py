"""Network that makes features of images, named by a command line flag."""

import hashlib
from pathlib import PurePath

import numpy as np
import torch
from torch import Tensor, nn

from idhray.classify.backbones import build_network, network_input
from idhray.classify.checkpoint import WEIGHTS_FILE, load_model
from idhray.classify.preprocessing import prepared
from idhray.classify.settings import ClassifierSettings
from idhray.errors import ConfigError
from idhray.fidelity.features import Extractor, module_features, random_features
from idhray.fidelity.inception import inception_features
from idhray.storage import absolute, join, read_bytes

RANDOM = "random"
KINDS = "random, inception:FILE, classifier:FOLDER or timm:NAME:FILE"
SIZE_PX = 224  # input side of a network that does not state it


def absolute_features(features: str) -> str:
    """The flag with an absolute path; the network is built once to check it.

    Raises:
        ConfigError: there is no such kind of extractor, or no such network.
        StorageError: its file is missing, broken or of another network.
    """
    absolute_flag = _absolute(features)
    extractor_of(absolute_flag, "cpu")
    return absolute_flag


def extractor_of(features: str, device: str) -> Extractor:
    """Extractor; its name includes the digest of its weights. Raises as `absolute_features`."""
    kind, _, source = _absolute(features).partition(":")
    with torch.random.fork_rng(devices=[]):  # must not change a training that is evaluated
        if kind == "random":
            return random_features(device=device)
        if kind == "inception":
            return inception_features(source, device=device)
        if kind == "classifier":
            return _of_classifier(source, device)
        name, _, file = source.partition(":")
        return _of_timm(name, file, device)


def _absolute(features: str) -> str:
    kind, _, source = features.partition(":")
    if features == RANDOM:
        return features
    if kind in ("inception", "classifier") and source:
        return f"{kind}:{absolute(source)}"
    name, _, file = source.partition(":")
    if kind == "timm" and name and file:
        return f"timm:{name}:{absolute(file)}"
    raise ConfigError(f"features must be {KINDS}, got {features!r}")


def _of_timm(backbone: str, file: str, device: str) -> Extractor:
    """Features of a timm network before its last layer, at the image size of its training."""
    network = build_network(ClassifierSettings(backbone=backbone, weights=file), 0).network
    training_input = getattr(network, "pretrained_cfg", {})
    return module_features(
        _headless(network),
        name=f"{backbone} of {_named(file, file)}",
        size_px=training_input.get("input_size", (3, SIZE_PX, SIZE_PX))[-1],
        mean=tuple(training_input.get("mean", (0.485, 0.456, 0.406))),
        std=tuple(training_input.get("std", (0.229, 0.224, 0.225))),
        device=device,
    )


def _of_classifier(folder: str, device: str) -> Extractor:
    """Features of a classifier before its last layer, of images prepared as in its training.

    It may have been trained on gray, equalized images; on color images its features would mean
    nothing.
    """
    model, card = load_model(folder)
    _headless(model.network)
    model = model.to(device).eval().requires_grad_(False)

    def embed(x: Tensor) -> Tensor:
        pixels = x.permute(0, 2, 3, 1).round().byte().cpu().numpy()
        inputs = np.stack([prepared(image, card.settings) for image in pixels])
        features: Tensor = model(network_input(inputs).to(device))
        return features

    weights = _named(folder, join(folder, WEIGHTS_FILE))
    name = f"classifier of {weights}, {card.settings.image_px} px"
    return Extractor(name=name, embed=embed, device=device)


def _headless(network: nn.Module) -> nn.Module:
    network.reset_classifier(0)  # type: ignore[operator]  # every timm network has it
    return network


def _named(path: str, file: str) -> str:
    """Last part of a path, with the digest of the weights: two files may have the same name."""
    digest = hashlib.sha256(read_bytes(file)).hexdigest()
    return f"{PurePath(path).name} (sha256 {digest[:16]})"
