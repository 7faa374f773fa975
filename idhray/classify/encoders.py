"""Pretrained encoders: images turned into features, by networks that are not trained further.

An encoder is named `NAME` if its weights lie in an installed package, else `NAME:FILE`. NAME is a
record of `encoder_records.py`, or any network of timm.
"""

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from idhray.classify.backbones import (
    NETWORK_CHANNELS,
    RGB_CHANNELS,
    ImageClassifier,
    network_input,
    tensors_of_file,
)
from idhray.classify.encoder_records import ENCODERS, Encoder, State
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import InputChannels
from idhray.classify.timm_import import import_timm
from idhray.errors import ConfigError, StorageError, TableError
from idhray.storage import absolute, read_bytes

CPU_BATCH = 8  # images encoded at once; larger batches fall out of the caches of a CPU
GPU_BATCH = 128
POOLER_HEADS = 8  # of CONCH's attention pooling


class ClassAndMean(nn.Module):
    """Vision transformer whose features are the class token and the mean of the patch tokens.

    Shapes: x (N, 3, H, W) -> (N, 2 D).
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.trunk.forward_features(x)  # type: ignore[operator]
        first = int(self.trunk.num_prefix_tokens)  # type: ignore[arg-type]
        return torch.cat([tokens[:, 0], tokens[:, first:].mean(dim=1)], dim=1)


class AttentionPooler(nn.Module):
    """Multi-head attention of one learned query over tokens, (N, T, C) -> (N, D).

    Source: Yu et al. 2022 (arXiv:2205.01917), section 3.2, attentional poolers.
    """

    def __init__(self, dimensions: int, context: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, dimensions))
        self.attn = nn.MultiheadAttention(
            dimensions, POOLER_HEADS, kdim=context, vdim=context, batch_first=True
        )
        self.ln_q, self.ln_k = nn.LayerNorm(dimensions), nn.LayerNorm(context)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = self.ln_k(tokens)
        query = self.ln_q(self.query).expand(len(tokens), 1, -1)
        pooled: Tensor = self.attn(query, tokens, tokens, need_weights=False)[0]
        return pooled[:, 0]


class AttentionPooled(nn.Module):
    """Vision transformer with attention pooling; layers are named as in the file of CONCH.

    Shapes: x (N, 3, H, W) -> (N, D).
    """

    def __init__(self, trunk: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.trunk = trunk
        context = int(trunk.num_features)  # type: ignore[arg-type]
        self.attn_pool_contrast = AttentionPooler(dimensions, context)
        self.ln_contrast = nn.LayerNorm(dimensions)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.trunk.forward_features(x)  # type: ignore[operator]
        pooled: Tensor = self.ln_contrast(self.attn_pool_contrast(tokens))
        return pooled


def encoder_name(spec: str) -> str:
    """Name of an encoder without the file of its weights."""
    return spec.partition(":")[0]


def with_absolute_file(spec: str) -> str:
    """An encoder whose file, if there is one, is named by its whole path."""
    name, _, file = spec.partition(":")
    return f"{name}:{absolute(file)}" if file else name


def encoder_record(spec: str) -> Encoder:
    """Record of an encoder; one of a plain network of timm is made of timm's values.

    Raises:
        ConfigError: There is no such encoder, or the file of its weights is to be given.
    """
    name, _, file = spec.partition(":")
    record = ENCODERS.get(name)
    if record is None:
        if not file or not import_timm().is_model(name):
            raise ConfigError(
                f"encoder {name!r} does not exist; give {' or '.join(ENCODERS)}, or a network of "
                "timm with its weights as NAME:FILE"
            )
        return _plain_record(name)
    if record.weights is None and not file:
        raise ConfigError(
            f"encoder {name}: its weights are gated and in no package ({record.license}); get "
            f"them from their publisher, and give {name}:FILE"
        )
    return record


def _plain_record(name: str) -> Encoder:
    timm = import_timm()
    configuration = timm.get_pretrained_cfg(name) if timm.is_model_pretrained(name) else None
    side = configuration.input_size[-1] if configuration else 224
    with torch.device("meta"):
        plain: Any = timm.create_model(name, pretrained=False, num_classes=0)
    dimensions = int(plain.num_features)
    return Encoder(
        backbone=name,
        options={"num_classes": 0},
        state_of=_without_head,
        image_px=int(side),
        dimensions=dimensions,
        license="unknown: that of the file",
        pretraining="unknown images",
        saw_tcga="unknown",
    )


def _without_head(file: State, network: State) -> dict[str, Tensor]:
    """Tensors of a classifier of timm without its last layer."""
    heads = ("fc.", "classifier.", "classif.", "last_linear.", "head.fc.", "head.weight")
    extra = {name for name in file if name.startswith((*heads, "head.bias"))} - set(network)
    return {name: value for name, value in file.items() if name not in extra}


def encoder_identity(spec: str) -> dict[str, str]:
    """Values that decide the features: the name, and the digest of weights that a user gives."""
    name, _, file = spec.partition(":")
    return {"encoder": name, **({"encoder_sha256": _digest(file)} if file else {})}


@functools.lru_cache(maxsize=8)
def _digest(path: str) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()


def encoder_card(spec: str) -> dict[str, str]:
    """Name, digest of the weights, license and pretraining of an encoder, for records."""
    record = encoder_record(spec)
    file = spec.partition(":")[2]
    return {
        "encoder": encoder_name(spec),
        "sha256": _digest(file) if file else record.sha256,
        "license": record.license,
        "pretraining": record.pretraining,
        "saw_tcga": record.saw_tcga,
    }


def encoder_ancestry(spec: str) -> tuple[str, ...]:
    """Sentence on the pretraining of an encoder that saw TCGA, or may have; else none.

    A name that is no encoder's is refused where its network is made.
    """
    try:
        encoder = ENCODERS.get(encoder_name(spec)) or encoder_record(spec)
    except ConfigError:
        return ()
    values = {"pretraining": encoder.pretraining, "saw_tcga": encoder.saw_tcga}
    return card_ancestry({"encoder": encoder_name(spec), **values})


def card_ancestry(card: Mapping[str, str]) -> tuple[str, ...]:
    """The same from the values of `encoder_card`."""
    saw = {"no": "", "yes": "patients of TCGA are", "unknown": "patients of TCGA may be"}
    if not (clause := saw[card["saw_tcga"]]):
        return ()
    text = f"Encoder {card['encoder']} was pretrained on {card['pretraining']}; {clause} among them"
    return (f"{text}, and no list says who, so overlap cannot be excluded.",)


def encoder_network(spec: str, channels: InputChannels) -> ImageClassifier:
    """Network of an encoder without its last layer, (N, C, H, W) -> (N, D).

    A first layer for RGB is made into one of other channels as timm does it.

    Raises:
        ConfigError: There is no such encoder.
        StorageError: Its weights are missing, or are not those of the record.
    """
    encoder = encoder_record(spec)
    path = spec.partition(":")[2] or (encoder.weights() if encoder.weights else "")
    data = read_bytes(path)
    if encoder.sha256 and hashlib.sha256(data).hexdigest() != encoder.sha256:
        name = encoder_name(spec)
        raise StorageError(f"{path}: not the weights of encoder {name}; install its package again")
    network = bare_encoder(encoder, channels)
    target = network.trunk if isinstance(network, ClassAndMean) else network
    state = encoder.state_of(tensors_of_file(path, data), target.state_dict())
    _load_strictly(target, _fitting(target, state, channels), path, encoder)
    return _finished(network, encoder, channels)


def bare_encoder(encoder: Encoder, channels: InputChannels = "rgb") -> nn.Module:
    """Network of an encoder with random weights, and with the last layer that its file has."""
    with torch.random.fork_rng(devices=[]):  # the random weights are replaced
        trunk = import_timm().create_model(
            encoder.backbone,
            pretrained=False,
            in_chans=NETWORK_CHANNELS[channels],
            **encoder.options,
        )
    if encoder.pooling == "attention":
        return AttentionPooled(trunk, encoder.dimensions)
    pooled = encoder.pooling == "class and mean of patch tokens"
    return ClassAndMean(trunk) if pooled else trunk


def _finished(network: nn.Module, encoder: Encoder, channels: InputChannels) -> ImageClassifier:
    """Network without its last layer and with the normalization of its record."""
    configuration = dict(getattr(network, "pretrained_cfg", {}))
    if encoder.pooling == "network":
        network.reset_classifier(0)  # type: ignore[operator]  # every timm network has it
    if encoder.mean and encoder.std:
        configuration |= {"mean": encoder.mean, "std": encoder.std}
    network.pretrained_cfg = configuration  # type: ignore[assignment]
    return ImageClassifier(network, channels).eval().requires_grad_(False)


def _fitting(network: nn.Module, state: State, channels: InputChannels) -> dict[str, Tensor]:
    """Tensors whose first layer has the channels, and whose positions the size, of the network."""
    inputs = NETWORK_CHANNELS[channels]
    trunk: Any = getattr(network, "trunk", network)
    prefix = "" if trunk is network else "trunk."
    first = f"{prefix}{trunk.pretrained_cfg['first_conv']}.weight"
    fitting = dict(state)
    if first in fitting and fitting[first].ndim == 4 and fitting[first].shape[1] == RGB_CHANNELS:
        fitting[first] = import_timm().models.adapt_input_conv(inputs, fitting[first])
    places = f"{prefix}pos_embed"
    expected = network.state_dict()
    both = places in fitting and places in expected and fitting[places].ndim == 3
    if both and fitting[places].shape[1] != expected[places].shape[1]:
        outside = 0 if trunk.no_embed_class else trunk.num_prefix_tokens
        fitting[places] = import_timm().layers.resample_abs_pos_embed(
            fitting[places], list(trunk.patch_embed.grid_size), num_prefix_tokens=outside
        )
    return fitting


def _load_strictly(network: nn.Module, state: State, path: str, encoder: Encoder) -> None:
    """Fill a network; every tensor must be there, of its shape, and none may be left over.

    Raises:
        StorageError: naming the first difference.
    """
    expected = network.state_dict()
    counters = {name for name in expected if name.endswith("num_batches_tracked")}
    missing = sorted(set(expected) - set(state) - counters)
    extra = sorted(set(state) - set(expected))
    shapes = sorted(n for n in set(state) & set(expected) if state[n].shape != expected[n].shape)
    for names, problem in (
        (missing, "are missing"),
        (extra, "are unknown"),
        (shapes, "have another shape"),
    ):
        if names:
            raise StorageError(
                f"{path}: not the weights of {encoder.backbone} as recorded: {len(names)} of "
                f"{len(expected)} tensors {problem} ({names[0]}); give the file of this encoder"
            )
    network.load_state_dict({**{name: expected[name] for name in counters}, **state})


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


def half_precision(features: NDArray[np.float32], source: str) -> NDArray[np.float16]:
    """Features as they are stored, (N, D) float16.

    Args:
        features: (N, D).
        source: Name of the images, for the message.

    Raises:
        TableError: A feature is not finite, or too large for float16.
    """
    stored = features.astype(np.float16)
    broken = np.flatnonzero(~np.isfinite(stored).all(axis=1))
    if len(broken):
        raise TableError(
            f"{source}: features of image {broken[0]} are not finite ({len(broken)} images); look "
            "at the image, and check the weights of the encoder"
        )
    return stored
