"""Images as vectors of features, by any network: a random one, one that is given, a classifier.

A figure of fidelity means nothing without the network that saw the images, so each extractor
carries a name that says which. Nothing is ever downloaded: pretrained networks come from files.

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

RANDOM_PX = 96
RANDOM_CHANNELS = (8, 16, 32, 64)
EDGES = 4.0  # gain of the filters of edges, as neighboring pixels differ little


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """What turns images into features, and what it is called in every figure."""

    name: str
    embed: Callable[[Tensor], Tensor]
    """(N, 3, height, width) float32, 0..255 -> (N, F), each image by itself."""
    device: str = "cpu"
    batch_size: int = 64

    def __call__(self, images: ImageArray) -> Tensor:
        """(N, F) float64 on the CPU; gray images are shown to the network as three equal channels.

        Raises:
            TableError: there are no images, they are not uint8 of 1 or 3 channels, or a feature is
                not a finite number.
            ConfigError: the network does not give one vector an image.
        """
        _check_images(images)
        found = []
        for start in range(0, len(images), self.batch_size):
            batch = torch.from_numpy(np.array(images[start : start + self.batch_size]))
            x = batch.to(self.device).permute(0, 3, 1, 2).float().expand(-1, 3, -1, -1)
            with torch.no_grad():
                found.append(self._checked(self.embed(x), len(x)))
        return torch.cat(found)

    def _checked(self, features: Tensor, n: int) -> Tensor:
        if features.ndim != 2 or len(features) != n:
            raise ConfigError(
                f"{self.name}: gives {tuple(features.shape)} for {n} images, not one vector an "
                "image; give the network without its head, pooled"
            )
        features = features.cpu().double()
        if wrong := int((~features.isfinite()).any(dim=1).sum()):
            raise TableError(
                f"{self.name}: {wrong} of {n} images have features that are no finite numbers; "
                "look at the network's weights"
            )
        return features


def _check_images(images: ImageArray) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise TableError(
            f"features need (n, height, width, 1 or 3) uint8 images, got {images.shape} "
            f"{images.dtype}"
        )
    if 0 in images.shape:
        raise TableError(f"features of no pixels asked for: the images are {images.shape}")


def resized(x: Tensor, size_px: int) -> Tensor:
    """Bicubic, antialiased, 0..255: networks that see aliases change FID by more than a GAN does.

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
    batch_size: int = 64,
) -> Extractor:
    """An extractor by any network of (N, 3, size, size) float -> (N, F), e.g. a timm backbone.

    The network is copied and frozen, so training it further changes no figure.

    Args:
        module: Without its head.
        name: What it is, to the file of its weights; the size is added.
        size_px: Side of the square that it sees.
        mean: Of each of three channels, on a scale of 0..1; subtracted.
        std: Of each of three channels; divided by.
        device: Where it runs.
        batch_size: Images at a time.

    Raises:
        ConfigError: the name is empty, a size is not positive, or a mean or std is not of three.
    """
    if not name.strip() or size_px < 1 or batch_size < 1:
        raise ConfigError(
            f"an extractor needs a name, and size_px and batch_size of 1 or more, got {name!r}, "
            f"{size_px}, {batch_size}"
        )
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise ConfigError(f"mean and std are of three channels, std above 0, got {mean} and {std}")
    frozen = copy.deepcopy(module).to(device).eval().requires_grad_(False)
    center, spread = (
        torch.tensor(tuple(v), dtype=torch.float32, device=device).view(1, 3, 1, 1)
        for v in (mean, std)
    )

    def embed(x: Tensor) -> Tensor:
        features: Tensor = frozen((resized(x, size_px) / 255 - center) / spread)
        return features

    return Extractor(
        name=f"{name}, {size_px} px", embed=embed, device=device, batch_size=batch_size
    )


def random_features(seed: int = 0, *, device: str = "cpu") -> Extractor:
    """An extractor by a network that never learned anything: always at hand, for smoke tests.

    Its FID and KID are on no published scale. Where images are unlike those of ImageNet, random
    networks order generators sensibly.

    Source: Naeem et al. 2020 (arXiv:2002.09797), section 4.2; the network is ours.
    """
    return module_features(
        RandomNet(seed),
        name=f"random conv net, seed {seed}",
        size_px=RANDOM_PX,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        device=device,
    )


class RandomNet(nn.Module):
    """Four random 3x3 convolutions, each followed by a halving; the mean and SD of each one's maps.

    Every other filter of the first layer sums to 0 and so sees edges alone; without them the
    brightness of a slice drowns its detail, and blur of 4 px goes unseen on MRI.

    Shapes: x (N, 3, H, W) -> (N, 240).
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(seed_for(seed, "fidelity", "random features"))
        widths = (3, *RANDOM_CHANNELS)
        self.layers = nn.ModuleList(
            skip_init(nn.Conv2d, i, o, 3, padding=1, bias=False) for i, o in pairwise(widths)
        )
        for place, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=chance)
            if place == 0:
                edges = layer.weight.data[::2]
                edges.sub_(edges.mean(dim=(2, 3), keepdim=True)).mul_(EDGES)

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for layer in self.layers:
            x = F.relu(layer(x))
            found += [x.mean(dim=(2, 3)), x.std(dim=(2, 3), correction=0)]
            x = F.avg_pool2d(x, 2)
        return torch.cat(found, dim=1)
