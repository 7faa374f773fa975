"""Real images as a GAN sees them: in memory, at the level's size, in an order without state.

The order is a pure function of seed and images shown, and so is the batch of a step: a resumed
run, and any number of workers, see what one unbroken worker would.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from idhray.chance import generator
from idhray.errors import ConfigError
from idhray.gan.config import GanSettings

Images = NDArray[np.uint8]  # (N, height, width, channels)

_CHUNK = 256  # images averaged at once, so that their float copies stay small


def check_images(images: Images, settings: GanSettings) -> None:
    """Refuse images that do not fit the settings.

    Raises:
        ConfigError: wrong type, no images, wrong channels, or a side that is no multiple of
            `resolution_px`.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        raise ConfigError(
            f"a GAN needs (N, height, width, channels) uint8, got {images.shape} {images.dtype}"
        )
    _, height, width, channels = images.shape
    if channels != settings.channels:
        raise ConfigError(f"images have {channels} channels; set channels, now {settings.channels}")
    if height != width or height % settings.resolution_px:
        raise ConfigError(
            f"images are {width} x {height} px; a GAN of {settings.resolution_px} px needs squares "
            f"of {settings.resolution_px} px or a multiple"
        )


def level_images(images: Images, level: int, device: torch.device) -> Tensor:
    """(N, C, S, S) uint8 on `device`, S = 4 * 2^level: box averages, rounded."""
    factor = images.shape[1] // (4 << level)
    chunks = [images[k : k + _CHUNK] for k in range(0, len(images), _CHUNK)]
    return torch.cat([_reduced(torch.tensor(chunk), factor).to(device) for chunk in chunks])


def _reduced(images: Tensor, factor: int) -> Tensor:
    # Sums of bytes over a power-of-two area are exact in float32: the same on every machine.
    channels_first = images.permute(0, 3, 1, 2).float()
    return F.avg_pool2d(channels_first, factor).round().to(torch.uint8)


def order(seed: int, count: int, start: int, length: int) -> NDArray[np.int64]:
    """Which of `count` images are shown as number start, start + 1, ...; each once per epoch."""
    shown = np.arange(start, start + length)
    parts = [
        _epoch_order(seed, count, int(epoch))[shown[shown // count == epoch] % count]
        for epoch in np.unique(shown // count)
    ]
    return np.concatenate(parts)


@functools.lru_cache(maxsize=4)
def _epoch_order(seed: int, count: int, epoch: int) -> NDArray[np.int64]:
    return generator(seed, "gan order", epoch).permutation(count)


def unit(images: Tensor) -> Tensor:
    """uint8 0..255 as float32 -1..1."""
    return images.float() / 127.5 - 1


def faded(images: Tensor, alpha: float) -> Tensor:
    """Real images while a level fades in: blended with what the level below would show.

    Source: Karras et al. 2018 (arXiv:1710.10196), figure 2.
    """
    if alpha == 1:
        return images
    coarse = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="nearest")
    return torch.lerp(coarse, images, alpha)


def turned(images: Tensor, symmetries: Tensor) -> Tensor:
    """Each of (N, C, S, S) in one of its symmetries: bit 0 mirrors, 1 flips, 2 transposes."""
    bits = symmetries.view(-1, 1, 1, 1)
    images = torch.where((bits & 1) > 0, images.flip(3), images)
    images = torch.where((bits & 2) > 0, images.flip(2), images)
    return torch.where((bits & 4) > 0, images.transpose(2, 3), images)
