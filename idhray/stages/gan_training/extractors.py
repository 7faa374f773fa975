"""The network that makes features of images, by the words of a command line."""

import hashlib
from pathlib import PurePath

import numpy as np
import torch
from torch import Tensor, nn

from idhray.classify.backbones import build_network
from idhray.classify.checkpoint import WEIGHTS_FILE, load_model
from idhray.classify.dataset import preprocess
from idhray.classify.settings import ClassifierSettings
from idhray.errors import ConfigError
from idhray.fidelity.features import Extractor, module_features, random_features
from idhray.fidelity.inception import inception_features
from idhray.images import encode
from idhray.storage import absolute, join, read_bytes

RANDOM = "random"
KINDS = "random, inception:FILE, classifier:FOLDER or timm:NAME:FILE"
SIZE_PX = 224  # of a network that does not say


def absolute_features(features: str) -> str:
    """The same words with a path that every worker finds; the network is built once, to be sure.

    Raises:
        ConfigError: no such kind of extractor, or no such network.
        StorageError: its file is missing, broken or of another network.
    """
    found = _absolute(features)
    extractor_of(found, "cpu")
    return found


def extractor_of(features: str, device: str) -> Extractor:
    """The extractor; its name says exactly what it is. Raises as `absolute_features`."""
    kind, _, rest = _absolute(features).partition(":")
    with torch.random.fork_rng(devices=[]):  # a training that is being evaluated must not notice
        if kind == "random":
            return random_features(device=device)
        if kind == "inception":
            return inception_features(rest, device=device)
        if kind == "classifier":
            return _of_classifier(rest, device)
        name, _, file = rest.partition(":")
        return _of_timm(name, file, device)


def _absolute(features: str) -> str:
    kind, _, rest = features.partition(":")
    if features == RANDOM:
        return features
    if kind in ("inception", "classifier") and rest:
        return f"{kind}:{absolute(rest)}"
    name, _, file = rest.partition(":")
    if kind == "timm" and name and file:
        return f"timm:{name}:{absolute(file)}"
    raise ConfigError(f"features must be {KINDS}, got {features!r}")


def _of_timm(backbone: str, file: str, device: str) -> Extractor:
    """What a timm network sees before it decides, at the size that it was made for."""
    network = build_network(ClassifierSettings(backbone=backbone, weights=file), 0).network
    made_for = getattr(network, "pretrained_cfg", {})
    return module_features(
        _headless(network),
        name=f"{backbone} of {_named(file, file)}",
        size_px=made_for.get("input_size", (3, SIZE_PX, SIZE_PX))[-1],
        mean=tuple(made_for.get("mean", (0.485, 0.456, 0.406))),
        std=tuple(made_for.get("std", (0.229, 0.224, 0.225))),
        device=device,
    )


def _of_classifier(folder: str, device: str) -> Extractor:
    """What a classifier sees before it decides, of images that are prepared as it learned them.

    It learned gray, equalized images; in color its features would mean nothing.
    """
    model, card = load_model(folder)
    _headless(model.network)
    model = model.to(device).eval().requires_grad_(False)

    def embed(x: Tensor) -> Tensor:
        pixels = x.permute(0, 2, 3, 1).round().byte().cpu().numpy()
        seen = np.stack([preprocess(encode(image), card.settings) for image in pixels])
        features: Tensor = model(torch.from_numpy(seen)[:, None].to(device))
        return features

    weights = _named(folder, join(folder, WEIGHTS_FILE))
    name = f"classifier of {weights}, {card.settings.image_px} px"
    return Extractor(name=name, embed=embed, device=device)


def _headless(network: nn.Module) -> nn.Module:
    network.reset_classifier(0)  # type: ignore[operator]  # every timm network has it
    return network


def _named(path: str, file: str) -> str:
    """The last part of a path, and which weights they are: two files may have one name."""
    digest = hashlib.sha256(read_bytes(file)).hexdigest()
    return f"{PurePath(path).name} (sha256 {digest[:16]})"
