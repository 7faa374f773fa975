"""Images from a trained generator: image i depends on the seed and on i alone.

Many images at a time are faster, but the last bits of one may depend on how many others are
computed with it. So images are made in fixed blocks: image i always among those of block
i // `block_size`, whoever asks for it and for whatever else.

The same images, bit for bit, are promised on one kind of machine (processor or GPU model, versions
of torch and its libraries) and for one `dtype`, to any number of workers. Between kinds of
machines latents and noise are the same, and images agree but for rounding: in float32 a few gray
values differ by 1; in bfloat16 more do, and by more.

Shapes: n or N images, Z latent size, L levels, P noise pixels, H = W = resolution_px, C channels.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from idhray.chance import seed_for
from idhray.errors import ConfigError
from idhray.gan.checkpoint import read_model, read_settings, read_weights
from idhray.gan.config import GanSettings
from idhray.gan.pggan import networks as pggan
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.run import Run
from idhray.gan.schedule import growth_at
from idhray.gan.stylegan2 import networks as stylegan2
from idhray.gan.stylegan2.config import StyleGan2Settings


@dataclass(frozen=True)
class TrainedGenerator:
    """The averaged generator (EMA), and how far it had grown."""

    network: nn.Module
    settings: GanSettings
    level: int
    alpha: float
    device: torch.device
    dtype: torch.dtype = torch.float32
    """Of the feature maps: float32, or bfloat16 or float16, less exact and, but for networks of few
    channels, faster. Never chosen by the device: whoever asks for the same gets the same."""

    def __post_init__(self) -> None:
        """Refuse a type that no network computes in.

        Raises:
            ConfigError: dtype is none of these.
        """
        if self.dtype not in (torch.float32, torch.bfloat16, torch.float16):
            raise ConfigError(f"dtype must be torch.float32, bfloat16 or float16, got {self.dtype}")


def load_generator(
    folder: str, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> TrainedGenerator:
    """The generator of a checkpoint folder.

    Raises:
        StorageError: a file is missing or corrupt.
        ConfigError: no network computes in dtype.
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
    trained = _trained(network, settings, model["images_shown"], torch.device(device))
    return replace(trained, dtype=dtype)


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


def block_size(device: torch.device) -> int:
    """Images computed together.

    One CPU thread gains little from more than 8, and loses at 256 px, where feature maps outgrow
    its cache; a GPU needs more to do.
    """
    return 32 if device.type == "cuda" else 8


@torch.no_grad()
def generate(
    generator: TrainedGenerator, seed: int, indices: Iterable[int], psi: float = 1.0
) -> NDArray[np.uint8]:
    """(n, H, W, C) uint8; a generator that has not grown up yet gives enlarged pixels.

    All of a block is computed for any image of it, once: ask for ranges that begin and end with
    blocks where it matters.

    Args:
        generator: Of either architecture.
        seed: Decides the images, with their index: latents, and StyleGAN2's noise.
        indices: Which images, in any order.
        psi: Truncation of StyleGAN2: below 1, images are more typical and less varied.

    Raises:
        ConfigError: psi is not in 0..1, or not 1 for a PGGAN.
    """
    check_psi(generator, psi)
    wanted = list(indices)
    size = block_size(generator.device)
    blocks: dict[int, list[int]] = {}  # which places of `wanted` are of which block
    for place, index in enumerate(wanted):
        blocks.setdefault(index // size, []).append(place)
    side, channels = generator.settings.resolution_px, generator.settings.channels
    images = np.empty((len(wanted), side, side, channels), np.uint8)
    drawn = (_drawn(generator, seed, range(b * size, (b + 1) * size)) for b in blocks)
    ahead = next(drawn, None)
    for places in blocks.values():
        assert ahead is not None
        made = _block(generator, *ahead, psi)
        ahead = next(drawn, None)  # drawn by the CPU while a GPU is at `made`
        images[places] = made.cpu().numpy()[[wanted[place] % size for place in places]]
    return images


def check_psi(generator: TrainedGenerator, psi: float) -> None:
    """Refuse a truncation that is none.

    Raises:
        ConfigError: psi is not in 0..1, or not 1 for a PGGAN.
    """
    if not 0 <= psi <= 1:
        raise ConfigError(f"psi must be in [0, 1], got {psi}")
    if psi != 1 and isinstance(generator.settings, PgganSettings):
        raise ConfigError(f"a PGGAN has no truncation: psi must be 1, got {psi}")


def _drawn(generator: TrainedGenerator, seed: int, indices: range) -> tuple[Tensor, Tensor | None]:
    """(N, Z) latents and, of StyleGAN2, (N, P) noise; drawn on the CPU, alike for all devices."""
    latents = [latent(seed, index, generator.settings.latent_size) for index in indices]
    if not isinstance(generator.network, stylegan2.Generator):
        return torch.cat(latents), None
    pixels = generator.network.fixed_noise.shape[1]
    return torch.cat(latents), torch.cat([_normal(seed, "noise", i, pixels) for i in indices])


def _block(
    generator: TrainedGenerator, latents: Tensor, noise: Tensor | None, psi: float
) -> Tensor:
    """(N, H, W, C) uint8 of what was drawn."""
    latents = latents.to(generator.device)
    if noise is None:
        return render(generator, latents)
    return render(generator, styles(generator, latents, psi), noise.to(generator.device))


def styles(generator: TrainedGenerator, latents: Tensor, psi: float = 1.0) -> Tensor:
    """(N, Z) -> (N, 2L, Z): w of a StyleGAN2 for every layer, drawn to the mean w by psi."""
    network = generator.network
    assert isinstance(network, stylegan2.Generator)
    w: Tensor = network.mapping(latents)
    if psi != 1:
        w = torch.lerp(network.w_average, w, psi)
    return w[:, None].expand(-1, network.layers, -1)


def render(generator: TrainedGenerator, inputs: Tensor, noise: Tensor | None = None) -> Tensor:
    """(N, H, W, C) uint8, on the device.

    Args:
        generator: Of either architecture.
        inputs: (N, Z) latents of a PGGAN, (N, 2L, Z) styles of a StyleGAN2.
        noise: (N, P), of a StyleGAN2 alone; the fixed one when not given.
    """
    network = generator.network
    images: Tensor
    # The fastest kernels may add up in another order each time; TF32 has 11 of float32's 24 bits.
    exact = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with exact:
        if isinstance(network, stylegan2.Generator):
            noise = network.noise_or_fixed(noise, len(inputs))
            images = network.synthesis(inputs, noise, generator.dtype)
        else:
            fading = generator.alpha < 1
            alpha = torch.tensor(generator.alpha, device=inputs.device) if fading else None
            images = network(inputs, generator.level, alpha, generator.dtype)
    images = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    times = generator.settings.resolution_px // images.shape[-1]
    images = images.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)
    return images.permute(0, 2, 3, 1)


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
