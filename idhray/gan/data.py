"""Real images in memory, at the size of a level, in an order without state.

The order, and so the batch of a step, is a pure function of seed and images shown: a resumed run
and any number of workers see the same images as one unbroken worker.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from idhray.chance import generator, seed_for
from idhray.errors import ConfigError
from idhray.gan.config import GanSettings
from idhray.image_ranks import equal_draws

TrainingImages = NDArray[np.uint8]  # (N, height, width, channels)

_CHUNK = 256  # images averaged at a time, which limits the size of their float copies


def check_images(images: TrainingImages, settings: GanSettings) -> None:
    """Refuse images that do not fit the settings.

    Raises:
        ConfigError: they have another type or number of channels, their side is no multiple of
            `resolution_px`, or there are none.
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


def level_images(images: TrainingImages, level: int, device: torch.device) -> Tensor:
    """(N, C, S, S) uint8 on `device`, S = 4 * 2^level: rounded box averages."""
    factor = images.shape[1] // (4 << level)
    chunks = [images[k : k + _CHUNK] for k in range(0, len(images), _CHUNK)]
    return torch.cat([_reduced(torch.tensor(chunk), factor).to(device) for chunk in chunks])


def _reduced(images: Tensor, factor: int) -> Tensor:
    # Sums of bytes over a power-of-two area are exact in float32: the same on every machine.
    channels_first = images.permute(0, 3, 1, 2).float()
    return F.avg_pool2d(channels_first, factor).round().to(torch.uint8)


def order(
    seed: int, count: int, start: int, length: int, owners: tuple[int, ...] | None = None
) -> NDArray[np.int64]:
    """Indices of the images shown as number start, start + 1, ...

    Args:
        seed: Seed of the run.
        count: Number of images, and of those shown in an epoch.
        start: Number of the first image.
        length: Number of images to show.
        owners: Number of the patient of each image. Each patient then has the same share of an
            epoch. None: each image is shown once in an epoch.
    """
    numbers = np.arange(start, start + length)
    parts = [
        _epoch_order(seed, count, int(epoch), owners)[numbers[numbers // count == epoch] % count]
        for epoch in np.unique(numbers // count)
    ]
    return np.concatenate(parts)


def balanced_order(
    seed: int,
    classes: tuple[int, ...],
    start: int,
    length: int,
    owners: tuple[int, ...] | None = None,
) -> NDArray[np.int64]:
    """Indices of the images shown as number start, start + 1, ...: the classes take turns.

    Image number n is of class n modulo the number of classes. Each class has an order of its own,
    so the smaller class is shown more often.

    Args:
        seed: Seed of the run.
        classes: Class of each image, from 0; each class has images.
        start: Number of the first image, a multiple of the number of classes.
        length: Number of images to show, a multiple, too.
        owners: Number of the patient of each image, as `order` takes it.
    """
    count = max(classes) + 1
    assert start % count == 0, (start, count)
    assert length % count == 0, (length, count)
    indices = np.empty(length, np.int64)
    for label in range(count):
        places, of_class = _of_class(classes, label, owners)
        shown = order(
            seed_for(seed, "class", label), len(places), start // count, length // count, of_class
        )
        indices[label::count] = places[shown]
    return indices


@functools.lru_cache(maxsize=4)
def _of_class(
    classes: tuple[int, ...], label: int, owners: tuple[int, ...] | None
) -> tuple[NDArray[np.int64], tuple[int, ...] | None]:
    """Indices of the images of a class, and their patients."""
    places = np.flatnonzero(np.array(classes) == label)
    return places, None if owners is None else tuple(owners[place] for place in places)


@functools.lru_cache(maxsize=8)
def _epoch_order(
    seed: int, count: int, epoch: int, owners: tuple[int, ...] | None
) -> NDArray[np.int64]:
    random = generator(seed, "gan order", epoch)
    return random.permutation(count) if owners is None else equal_draws(np.array(owners), random)


def to_unit_range(images: Tensor) -> Tensor:
    """uint8 0..255 -> float32 -1..1."""
    return images.float() / 127.5 - 1


def faded(images: Tensor, alpha: float) -> Tensor:
    """Real images while a level fades in, blended with their version at the level below.

    Source: Karras et al. 2018 (arXiv:1710.10196), figure 2.
    """
    if alpha == 1:
        return images
    coarse = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="nearest")
    return torch.lerp(coarse, images, alpha)


def with_symmetry(images: Tensor, symmetries: Tensor) -> Tensor:
    """(N, C, S, S), each image in its symmetry: bit 0 mirrors, 1 flips, 2 transposes."""
    bits = symmetries.view(-1, 1, 1, 1)
    images = torch.where((bits & 1) > 0, images.flip(3), images)
    images = torch.where((bits & 2) > 0, images.flip(2), images)
    return torch.where((bits & 4) > 0, images.transpose(2, 3), images)


def null_channels(images: TrainingImages) -> tuple[int, ...]:
    """Channels, from 0, that are black in all images, as Park's third; () if all of them are."""
    black = tuple(c for c in range(images.shape[-1]) if not images[..., c].any())
    return black if len(black) < images.shape[-1] else ()
