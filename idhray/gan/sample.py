"""Images from a trained generator: image i depends on the seed and on i alone.

Shapes: n images, H = W = resolution_px, C channels.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from idhray.chance import seed_for
from idhray.errors import ConfigError
from idhray.gan import pggan, stylegan2
from idhray.gan.checkpoint import read_model, read_settings, read_weights
from idhray.gan.config import GanSettings
from idhray.gan.pggan_config import PgganSettings
from idhray.gan.run import Run
from idhray.gan.schedule import growth_at
from idhray.gan.stylegan2_config import StyleGan2Settings


@dataclass(frozen=True)
class TrainedGenerator:
    """The averaged generator (EMA), and how far it had grown."""

    network: nn.Module
    settings: GanSettings
    level: int
    alpha: float
    device: torch.device


def load_generator(folder: str, device: str | torch.device = "cpu") -> TrainedGenerator:
    """The generator of a checkpoint folder.

    Raises:
        StorageError: a file is missing or corrupt.
    """
    model = read_model(folder)
    settings = read_settings(model)
    network: nn.Module
    if isinstance(settings, StyleGan2Settings):
        network = stylegan2.Generator(settings)
    else:
        network = pggan.Generator(settings)
    read_weights(folder).fill(network, "generator_ema")
    network.requires_grad_(False).to(device)
    return _trained(network, settings, model["images_shown"], torch.device(device))


def generator_of(run: Run) -> TrainedGenerator:
    """The generator of a run in training, as its checkpoint would hold it."""
    return _trained(run.average, run.settings, run.images_shown, run.device)


def _trained(
    network: nn.Module, settings: GanSettings, images_shown: int, device: torch.device
) -> TrainedGenerator:
    if isinstance(settings, PgganSettings):
        growth = growth_at(settings, images_shown)
        return TrainedGenerator(network, settings, growth.level, growth.alpha, device)
    return TrainedGenerator(network, settings, settings.levels - 1, 1.0, device)


@torch.no_grad()
def generate(
    generator: TrainedGenerator, seed: int, indices: Iterable[int], psi: float = 1.0
) -> NDArray[np.uint8]:
    """(n, H, W, C) uint8; a generator that has not grown up yet gives enlarged pixels.

    Images are made one at a time: in a batch, the last bits of one may depend on how many others
    there are, and then on the number of workers.

    Args:
        generator: Of either architecture.
        seed: Decides the images, with their index: latents, and StyleGAN2's noise.
        indices: Which images.
        psi: Truncation of StyleGAN2: below 1, images are more typical and less varied.

    Raises:
        ConfigError: psi is not in 0..1, or not 1 for a PGGAN.
    """
    if not 0 <= psi <= 1:
        raise ConfigError(f"psi must be in [0, 1], got {psi}")
    if psi != 1 and isinstance(generator.settings, PgganSettings):
        raise ConfigError(f"a PGGAN has no truncation: psi must be 1, got {psi}")
    images = [_image(generator, seed, index, psi) for index in indices]
    side, channels = generator.settings.resolution_px, generator.settings.channels
    return np.stack(images) if images else np.empty((0, side, side, channels), np.uint8)


def _image(generator: TrainedGenerator, seed: int, index: int, psi: float) -> NDArray[np.uint8]:
    z = latent(seed, index, generator.settings.latent_size).to(generator.device)
    if isinstance(generator.network, stylegan2.Generator):
        noise = _normal(seed, "noise", index, generator.network.fixed_noise.shape[1])
        image = generator.network(z, noise.to(generator.device), psi)[0]
    else:
        alpha = torch.tensor(generator.alpha, device=z.device) if generator.alpha < 1 else None
        image = generator.network(z, generator.level, alpha)[0]
    image = ((image + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    times = generator.settings.resolution_px // image.shape[-1]
    image = image.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)
    return np.asarray(image.permute(1, 2, 0).cpu().numpy())


def latent(seed: int, index: int, size: int) -> Tensor:
    """(1, size) normal numbers, z of image `index`."""
    return _normal(seed, "z", index, size)


def _normal(seed: int, purpose: str, index: int, size: int) -> Tensor:
    chance = torch.Generator().manual_seed(seed_for(seed, purpose, index))
    return torch.randn(1, size, generator=chance)


def grid(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """One picture of (n, H, W, C) images, row by row: (height, width, 3), or gray if C is 1.

    Of more than three channels the first three are shown; a third that is missing is black.

    Raises:
        ConfigError: there are no images, or no columns.
    """
    if not len(images) or columns < 1:
        raise ConfigError(f"a grid needs images and columns, got {len(images)} and {columns}")
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    shown = min(channels, 3)
    cells = np.zeros((rows * columns, height, width, 1 if shown == 1 else 3), np.uint8)
    cells[:n, ..., :shown] = images[..., :shown]
    cells = cells.reshape(rows, columns, height, width, -1).swapaxes(1, 2)
    picture = cells.reshape(rows * height, columns * width, -1)
    return picture[..., 0] if shown == 1 else picture
