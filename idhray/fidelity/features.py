"""Images turned into feature vectors by a network: a random one, a pretrained one, a classifier.

A fidelity figure means nothing without its network, so each extractor carries the name of its
network. Nothing is ever downloaded: pretrained networks come from files.

Shapes: N images, F features.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

from idhray.chance import seed_for
from idhray.errors import ConfigError, TableError
from idhray.fidelity.arrays import ImageArray

RANDOM_SEED = 0
RANDOM_PX = 96
RANDOM_CHANNELS = (8, 16, 32, 64)
EDGE_GAIN = 4.0  # neighboring pixels differ little, so edge filters are amplified


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """Network that turns images into features, with the name that every figure carries."""

    name: str
    embed: Callable[[Tensor], Tensor]
    """(N, 3, height, width) float32, 0..255 -> (N, F), each image independently."""
    device: str = "cpu"
    batch_size: int = 64

    def __call__(self, images: ImageArray) -> Tensor:
        """(N, F) float64 on the CPU. Gray images reach the network as three equal channels.

        Raises:
            TableError: There are no images, they are not uint8 of 1 or 3 channels, or a feature is
                not finite.
            ConfigError: The network does not return one vector per image.
        """
        _check_images(images)
        features = []
        for start in range(0, len(images), self.batch_size):
            batch = torch.from_numpy(np.array(images[start : start + self.batch_size]))
            x = batch.to(self.device).permute(0, 3, 1, 2).float().expand(-1, 3, -1, -1)
            with torch.no_grad():
                features.append(self._checked(self.embed(x), len(x)))
        return torch.cat(features)

    def _checked(self, features: Tensor, n: int) -> Tensor:
        if features.ndim != 2 or len(features) != n:
            raise ConfigError(
                f"{self.name}: returns {tuple(features.shape)} for {n} images, not one vector per "
                "image; give the network without its head, pooled"
            )
        features = features.cpu().double()
        if n_wrong := int((~features.isfinite()).any(dim=1).sum()):
            raise TableError(
                f"{self.name}: {n_wrong} of {n} images have features that are not finite; "
                "check the network's weights"
            )
        return features


def _check_images(images: ImageArray) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise TableError(
            f"features need (n, height, width, 1 or 3) uint8 images, got {images.shape} "
            f"{images.dtype}"
        )
    if 0 in images.shape:
        raise TableError(f"features need at least one image and one pixel, got {images.shape}")


def resized(x: Tensor, size_px: int) -> Tensor:
    """Bicubic, antialiased resizing in 0..255; aliasing changes FID by more than a GAN does.

    Shapes: x (N, C, H, W) -> (N, C, size_px, size_px).
    Source: Parmar et al. 2022 (arXiv:2104.11222), section 3.1.
    """
    if x.shape[-2:] == (size_px, size_px):
        return x
    y = F.interpolate(x, (size_px, size_px), mode="bicubic", antialias=True, align_corners=False)
    return y.clamp(0, 255)


def module_features(
    module: nn.Module,
    *,
    name: str,
    size_px: int,
    mean: Sequence[float] = (0.485, 0.456, 0.406),
    std: Sequence[float] = (0.229, 0.224, 0.225),
    device: str = "cpu",
) -> Extractor:
    """Extractor from any network of (N, 3, size, size) float -> (N, F), such as a timm backbone.

    The network is copied and frozen, so training it further changes no figure.

    Args:
        module: Network without its head.
        name: Name of the network and its weights file; the size is appended.
        size_px: Side of the square images that the network takes.
        mean: Mean of each of the three channels on a scale of 0..1, subtracted.
        std: Standard deviation of each of the three channels, divided by.
        device: Device that the network runs on.

    Raises:
        ConfigError: The name is empty, the size is not positive, or `mean` or `std` is not of
            three channels.
    """
    if not name.strip() or size_px < 1:
        raise ConfigError(
            f"an extractor needs a name and size_px of 1 or more, got {name!r}, {size_px}"
        )
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise ConfigError(f"mean and std need three channels, std above 0, got {mean} and {std}")
    frozen = copy.deepcopy(module).to(device).eval().requires_grad_(False)
    center, spread = (
        torch.tensor(tuple(v), dtype=torch.float32, device=device).view(1, 3, 1, 1)
        for v in (mean, std)
    )

    def embed(x: Tensor) -> Tensor:
        features: Tensor = frozen((resized(x, size_px) / 255 - center) / spread)
        return features

    return Extractor(name=f"{name}, {size_px} px", embed=embed, device=device)


def random_features(*, device: str = "cpu") -> Extractor:
    """Extractor from an untrained network: always available, also for smoke tests.

    Its FID and KID are on no published scale. For images unlike those of ImageNet, random networks
    rank generators sensibly.

    Source: Naeem et al. 2020 (arXiv:2002.09797), section 4.2; the network is ours.
    """
    return module_features(
        RandomNet(RANDOM_SEED),
        name=f"random conv net, seed {RANDOM_SEED}",
        size_px=RANDOM_PX,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        device=device,
    )


class RandomNet(nn.Module):
    """Four random 3x3 convolutions, each followed by 2x downsampling; mean and SD of their maps.

    Every second filter of the first layer sums to 0 and so responds to edges only. Without these
    filters the brightness of a slice drowns its detail, and a blur of 4 px is not detected on MRI.

    Shapes: x (N, 3, H, W) -> (N, 240).
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(seed_for(seed, "fidelity", "random features"))
        widths = (3, *RANDOM_CHANNELS)
        self.layers = nn.ModuleList(
            skip_init(nn.Conv2d, i, o, 3, padding=1, bias=False) for i, o in pairwise(widths)
        )
        for depth, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=chance)
            if depth == 0:
                edges = layer.weight.data[::2]
                edges.sub_(edges.mean(dim=(2, 3), keepdim=True)).mul_(EDGE_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        moments = []
        for layer in self.layers:
            x = F.relu(layer(x))
            moments += [x.mean(dim=(2, 3)), x.std(dim=(2, 3), correction=0)]
            x = F.avg_pool2d(x, 2)
        return torch.cat(moments, dim=1)
