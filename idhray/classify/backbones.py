"""timm networks that turn images of one to three channels into the logits of two classes."""

import io
import logging
import pickle
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from idhray.chance import seed_for
from idhray.classify.settings import ClassifierSettings, InputChannels
from idhray.classify.timm_import import import_timm
from idhray.errors import ConfigError, StorageError
from idhray.storage import read_bytes

RESNET_CHANNELS = (64, 128, 256, 512)  # per stage; He et al. 2016, table 1
NETWORK_CHANNELS: dict[InputChannels, int] = {"gray": 3, "rgb": 3, "two-channel": 2}
"""Input channels of the network; gray is shown to all three of an RGB network."""
RGB_CHANNELS = 3
N_CLASSES = 2  # wildtype 0, mutant 1


class ImageClassifier(nn.Module):
    """Network with the normalization of its input.

    A gray image is shown to all three channels of a network for RGB images. A network for C other
    channels has the statistics of the first C channels of RGB.

    Shapes: x (N, C, H, W), 0..255, uint8 or float -> (N, 2).
    """

    def __init__(
        self,
        network: nn.Module,
        channels: InputChannels = "gray",
        *,
        precision: str = "float32",
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self._half, self._layout = precision == "bf16", torch.contiguous_format
        if channels_last:
            self._layout = torch.channels_last
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network = network
        inputs = NETWORK_CHANNELS[channels]
        statistics: dict[str, Any] = getattr(network, "pretrained_cfg", {})
        # Mean and SD of the images that the ImageNet weights were trained on; Inception's differ.
        for name, default in (("mean", (0.485, 0.456, 0.406)), ("std", (0.229, 0.224, 0.225))):
            value = torch.tensor(statistics.get(name, default)[:inputs]).view(1, inputs, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        scaled = (x.to(mean.dtype) / 255).expand(-1, mean.shape[1], -1, -1)
        inputs = (scaled.sub(mean) / std).contiguous(memory_format=self._layout)
        if self._half:
            with torch.autocast(x.device.type, torch.bfloat16):
                return torch.as_tensor(self.network(inputs)).float()
        logits: Tensor = self.network(inputs)
        return logits


def image_classifier(network: nn.Module, settings: ClassifierSettings) -> ImageClassifier:
    """A network with the input, precision and layout of its settings."""
    return ImageClassifier(
        network,
        settings.channels,
        precision=settings.precision,
        channels_last=settings.channels_last,
    )


def network_input(pixels: NDArray[np.uint8]) -> Tensor:
    """Gray (N, H, W) or colored (N, H, W, C) pixels as a tensor (N, C, H, W) uint8."""
    images = torch.from_numpy(pixels)
    return images[:, None] if pixels.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()


def build_network(settings: ClassifierSettings, seed: int) -> ImageClassifier:
    """Network at the start of training, with the weights that the settings name.

    Raises:
        ConfigError: The backbone or its width does not exist, or its weights cannot be downloaded.
        StorageError: The weights file is missing, broken, or belongs to another network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "classifier", "weights"))
        if settings.weights == "imagenet":
            return image_classifier(_imagenet_network(settings), settings)
        network = _timm_network(settings)
    if settings.weights != "random":
        _load_file(network, settings.weights, settings.channels)
    return image_classifier(network, settings)


def bare_network(settings: ClassifierSettings) -> ImageClassifier:
    """Network without trained weights, to be filled from a checkpoint."""
    return image_classifier(_timm_network(settings), settings)


def _timm_network(settings: ClassifierSettings, pretrained: bool = False) -> nn.Module:
    if not import_timm().is_model(settings.backbone):
        raise ConfigError(
            f"backbone {settings.backbone!r} is not a network of timm; "
            "give resnet50, vgg19, inception_v3 or inception_resnet_v2"
        )
    options: dict[str, Any] = {}
    if settings.width != 1:
        if not settings.backbone.split(".")[0].startswith("resnet"):
            raise ConfigError(f"width {settings.width}: {settings.backbone} has only width 1")
        options["channels"] = tuple(max(round(c * settings.width), 1) for c in RESNET_CHANNELS)
    network: nn.Module = import_timm().create_model(
        settings.backbone,
        pretrained=pretrained,
        num_classes=N_CLASSES,
        drop_rate=settings.dropout,
        # timm makes the first layer of another number of channels of the pretrained weights.
        in_chans=NETWORK_CHANNELS[settings.channels],
        **options,
    )
    return network


def _imagenet_network(settings: ClassifierSettings) -> nn.Module:
    if settings.width != 1:
        raise ConfigError(f"width {settings.width} has no ImageNet weights; give --weights random")
    hub = logging.getLogger("huggingface_hub")
    level = hub.level
    hub.setLevel(logging.ERROR)  # a line for each of its ten attempts
    try:
        return _timm_network(settings, pretrained=True)
    except (OSError, RuntimeError) as error:  # the hub raises OSErrors, timm RuntimeErrors
        reason = str(error).split("\n")[0]
        raise ConfigError(
            f"ImageNet weights for {settings.backbone} could not be downloaded ({reason}); "
            "give --weights FILE or --weights random"
        ) from None
    finally:
        hub.setLevel(level)


def _load_file(network: nn.Module, path: str, channels: InputChannels) -> None:
    """Fill a network from a file.

    A last layer with other classes keeps its random weights. A first layer of RGB images is made
    into one of the network's channels.
    """
    state = tensors_of_file(path, read_bytes(path))
    # `train-classifier` writes a whole ImageClassifier.
    state = {name.removeprefix("network."): value for name, value in state.items()}
    expected = network.state_dict()
    for layer in _layers(network, "first_conv", "conv1"):
        weight = state.get(f"{layer}.weight")
        if weight is not None and weight.ndim == 4 and weight.shape[1] == RGB_CHANNELS:
            inputs = NETWORK_CHANNELS[channels]
            state[f"{layer}.weight"] = import_timm().models.adapt_input_conv(inputs, weight)
    head = {
        f"{layer}.{kind}"
        for layer in _layers(network, "classifier", "fc")
        for kind in ("weight", "bias")
    }
    for name in head & set(state):
        if state[name].shape != expected[name].shape:
            state[name] = expected[name]
    mismatched = sorted(
        name for name in expected if name not in state or state[name].shape != expected[name].shape
    )
    if mismatched:
        raise StorageError(
            f"{path}: not the weights of this network: {len(mismatched)} of {len(expected)} "
            f"tensors are missing or of another shape ({mismatched[0]}); give the file of its "
            "backbone and width"
        )
    network.load_state_dict({name: state[name] for name in expected})


def _layers(network: nn.Module, key: str, default: str) -> tuple[str, ...]:
    name = getattr(network, "pretrained_cfg", {}).get(key, default)
    return (name,) if isinstance(name, str) else tuple(name)


def tensors_of_file(path: str, data: bytes) -> dict[str, Tensor]:
    """Tensors of a .safetensors file, or of a .pth file that holds nothing but tensors.

    Args:
        path: Name of the file, for its kind and for messages.
        data: Content of the file.

    Raises:
        StorageError: The content is something else.
    """
    try:
        if path.endswith(".safetensors"):
            return dict(load_safetensors(data))
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise StorageError(f"{path}: no weights can be read ({_first_line(error)})") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise StorageError(f"{path}: holds no state_dict; save network.state_dict() alone")
    return state


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]
