"""A trained classifier or generator as an ONNX file, for programs without PyTorch."""

import json
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from idhray import __version__
from idhray.chance import generator
from idhray.classify.backbones import ImageClassifier, network_input
from idhray.classify.checkpoint import load_model
from idhray.classify.preprocessing import pixel_shape
from idhray.classify.settings import ClassifierSettings
from idhray.classify.trial_models import load_network, load_trial_card
from idhray.cohorts.manifest import Label
from idhray.config import settings_dict
from idhray.errors import ConfigError, StorageError
from idhray.exchange.onnx_file import onnx_bytes, refuse_other_results
from idhray.gan.architectures import architecture_of
from idhray.gan.sample import TrainedGenerator, inputs_of, load_generator, render
from idhray.stages.runtime.dry_run import DRY_RUN
from idhray.stages.runtime.folder import seal
from idhray.storage import absolute, exists, join, publish, read_json

logger = logging.getLogger(__name__)

P_TOLERANCE = 1e-4
"""Largest difference of a probability."""
GRAY_TOLERANCE = 1.0
"""Largest difference of a pixel, in gray levels: one, where rounding falls on either side."""
TESTED = 4  # images at which file and network are compared
USE = "research use only"


@dataclass(frozen=True, kw_only=True)
class ExportOnnxFlags:
    """Flags of `idhray export-onnx`."""

    model: str
    """Folder of a classifier (`train-classifier`, or one of sweep/models), or of a generator."""
    out: str
    """File to write, such as model.onnx."""
    idh: Label | None = None
    """Class of the images; needed for a generator of both classes."""
    overwrite: bool = False
    """Replace an existing file."""
    dry_run: bool = False
    """Make the file and compare it with the network, and do not write it."""


class Probabilities(nn.Module):
    """Prepared images -> probability of IDH mutation.

    Shapes: (N, C, H, W) uint8 -> (N,).
    """

    def __init__(self, classifier: ImageClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        probabilities: Tensor = self.classifier(images).softmax(dim=1)[:, 1]
        return probabilities


class Images(nn.Module):
    """Latents -> images, with the generator's own noise and without truncation.

    Shapes: (1, Z) -> (1, H, W, C) uint8.
    """

    def __init__(self, generator: TrainedGenerator) -> None:
        super().__init__()
        self.network, self._generator = generator.network, generator

    def forward(self, latents: Tensor) -> Tensor:
        return render(self._generator, inputs_of(self._generator, latents, 1.0))


def export_onnx(flags: ExportOnnxFlags) -> dict[str, Any]:
    """Write a trained network as one ONNX file, and compare it with the network first.

    A classifier takes images as `predict` prepares them (cut, in gray, equalized: the settings
    are in the file's metadata) and gives their probability of mutation. A generator takes normal
    numbers and gives one image. The file names no patient.

    Raises:
        ConfigError: the file exists, or the model cannot be exported.
        StorageError: the folder holds no model, or the file gives other results.
    """
    folder, out = absolute(flags.model), absolute(flags.out)
    if exists(out) and not flags.overwrite:
        raise ConfigError(f"{out} exists; choose another --out or give --overwrite")
    if not exists(join(folder, "model.json")):
        raise StorageError(f"{folder}: no model.json; give the folder of one trained model")
    card = read_json(join(folder, "model.json"))
    if "architecture" in card:
        data, result = _export_generator(folder, card, flags.idh)
    elif flags.idh:
        raise ConfigError("--idh chooses the images of a generator, and this is a classifier")
    else:
        data, result = _export_classifier(folder, card)
    if flags.dry_run:
        return {"out": out, DRY_RUN: True, "bytes": len(data), **result}
    publish(out, data)
    logger.info("%s: %.1f MB", out, len(data) / 1e6)
    return {"out": out, "bytes": len(data), **result}


def _export_classifier(folder: str, card: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    if "kind" in card:
        settings, network = load_trial_card(folder).settings, load_network(folder)
    else:
        network, own_card = load_model(folder)
        settings = own_card.settings
    classifier = Probabilities(network)
    pixels = generator(0, "onnx").integers(0, 256, (TESTED, *pixel_shape(settings)), dtype=np.uint8)
    images = network_input(pixels)
    data = onnx_bytes(
        classifier, images, input_name="images", output_name="p_mutant", any_number=True,
        metadata=_metadata(card, settings=settings),
    )  # fmt: skip
    difference = max(
        refuse_other_results(data, classifier, part, P_TOLERANCE) for part in (images, images[:1])
    )
    return data, {"kind": "classifier", "largest_difference": difference}


def _export_generator(
    folder: str, card: dict[str, Any], idh: Label | None
) -> tuple[bytes, dict[str, Any]]:
    seal(folder)  # refuses a training that is not finished
    trained = load_generator(folder, idh=idh)
    architecture = architecture_of(trained.settings)
    if not architecture.single_pass:
        raise ConfigError(
            f"{folder}: a {architecture.title} calls its network many times for an image; use "
            "`idhray synthesize` and `idhray export-images`"
        )
    images = Images(trained)
    chance = torch.Generator().manual_seed(0)
    latents = torch.randn(TESTED, trained.settings.latent_size, generator=chance)
    data = onnx_bytes(
        images, latents[:1], input_name="latents", output_name="images", any_number=False,
        metadata=_metadata(card, idh=idh or card["idh"], architecture=card["architecture"]),
    )  # fmt: skip
    difference = max(
        refuse_other_results(data, images, each[None], GRAY_TOLERANCE) for each in latents
    )
    return data, {"kind": "generator", "largest_difference": difference}


def _metadata(
    card: dict[str, Any], *, settings: ClassifierSettings | None = None, **values: str
) -> dict[str, str]:
    """Entries of the file: version, digest of the weights, and settings; no patient."""
    described = settings_dict(settings) if settings is not None else card["settings"]
    described.pop("weights", None)  # a path of this machine, where weights came from a file
    return {
        "idhray": __version__,
        "use": USE,
        "weights_sha256": str(card.get("weights_sha256", "")),
        "settings": json.dumps(described),
        **values,
    }
