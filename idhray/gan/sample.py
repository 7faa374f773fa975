"""Images from a trained generator: image i depends on the seed and on i alone.

Many images at a time are faster, but the last bits of one may depend on how many others are
computed with it. So images are made in fixed blocks: image i is always computed with block
i // `block_size`, whatever else is requested.

On one kind of machine (processor or GPU model, versions of torch and its libraries) and for one
`dtype`, images are bit-equal for any number of workers. Between kinds of machines latents and noise
are the same, and images agree except for rounding: in float32 a few gray values differ by 1; in
bfloat16 more do, and by more.

Shapes: n or N images, Z latent size, P noise size, H = W = resolution_px, C channels. Inputs are
(N, Z) latents, or (N, layers, Z) styles if the architecture has them.
"""

import functools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from idhray.chance import seed_for
from idhray.cohorts.manifest import LABELS
from idhray.errors import ConfigError
from idhray.gan.architectures import Architecture, architecture_of
from idhray.gan.checkpoint import BOTH, class_of_images, read_model, read_settings
from idhray.gan.config import GanSettings, is_conditional
from idhray.gan.growth import Growth
from idhray.gan.run import Run
from idhray.gan.weights import read_weights


@dataclass(frozen=True)
class TrainedGenerator:
    """Averaged generator (EMA) and its growth."""

    network: nn.Module
    settings: GanSettings
    growth: Growth
    device: torch.device
    dtype: torch.dtype = torch.float32
    """Type of the feature maps: float32, bfloat16 or float16. The last two are less exact and,
    unless a network has few channels, faster. The device never decides it."""
    label: int | None = None
    """Class of the images of a conditional generator: 0 is wildtype, 1 is mutant."""

    def __post_init__(self) -> None:
        """Refuse a type that no network computes in, and a class of too many or none.

        Raises:
            ConfigError: dtype is another one, or the generator and the class do not fit.
        """
        if is_conditional(self.settings) != (self.label is not None):
            raise ConfigError(
                "a conditional generator, and no other, needs the class of its images"
            )
        if self.dtype not in (torch.float32, torch.bfloat16, torch.float16):
            raise ConfigError(f"dtype must be torch.float32, bfloat16 or float16, got {self.dtype}")

    @property
    def architecture(self) -> Architecture:
        """Record of its architecture."""
        return architecture_of(self.settings)


def load_generator(
    folder: str,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    *,
    idh: str | None = None,
) -> TrainedGenerator:
    """Generator of a checkpoint folder.

    Args:
        folder: Checkpoint.
        device: Device of the network.
        dtype: Type of the feature maps.
        idh: Class of the images; needed for a checkpoint of both classes, see `class_of_images`.

    Raises:
        StorageError: a file is missing or corrupt.
        ConfigError: no network computes in dtype; or the class is missing, or another one.
    """
    model = read_model(folder)
    of_images = class_of_images(model, idh, folder)
    label = LABELS.index(of_images) if model["idh"] == BOTH else None
    settings = read_settings(model)
    architecture = architecture_of(settings)
    network = architecture.generator(settings)
    read_weights(folder).fill(network, "generator_ema")
    network.requires_grad_(False).eval().to(device)
    growth = architecture.growth_at(settings, model["images_shown"])
    return TrainedGenerator(network, settings, growth, torch.device(device), dtype, label)


def generator_of(run: Run, label: int | None = None) -> TrainedGenerator:
    """Generator of a run in training, as its checkpoint would hold it.

    Args:
        run: Run at any step.
        label: Class of the images, if the run has both.
    """
    growth = architecture_of(run.settings).growth_at(run.settings, run.images_shown)
    return TrainedGenerator(run.average, run.settings, growth, run.device, label=label)


def block_size(device: torch.device) -> int:
    """Number of images computed together.

    One CPU thread gains little from more than 8, and loses at 256 px, where feature maps exceed its
    cache. A GPU needs more work.
    """
    return 32 if device.type == "cuda" else 8


def generate(
    generator: TrainedGenerator, seed: int, indices: Iterable[int], psi: float = 1.0
) -> NDArray[np.uint8]:
    """(n, H, W, C) uint8 images; a generator below full resolution gives enlarged pixels.

    The whole block of an image is computed, once: to save time, ask for ranges of whole blocks.

    Args:
        generator: Trained generator.
        seed: Seed of latents and noise, together with the index of the image.
        indices: Indices of the images, in any order.
        psi: Truncation, if the architecture has it: below 1, images are more typical and less
            varied.

    Raises:
        ConfigError: psi is not in 0..1, or not 1 without truncation.
    """
    numbers = list(indices)
    side, channels = generator.settings.resolution_px, generator.settings.channels
    images = np.empty((len(numbers), side, side, channels), np.uint8)
    for places, block in image_blocks(generator, seed, numbers, psi):
        images[places] = block
    return images


def image_blocks(
    generator: TrainedGenerator,
    seed: int,
    numbers: Sequence[int],
    psi: float = 1.0,
    *,
    threads: int = 1,
) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
    """Images of `generate`, a block at a time.

    Args:
        generator: Trained generator.
        seed: Seed of latents and noise.
        numbers: Indices of the images.
        psi: Truncation.
        threads: Threads that draw the numbers of further blocks while one is computed.

    Yields:
        Places in `numbers`, and (n, H, W, C) uint8 their images.

    Raises:
        ConfigError: psi is refused.
    """
    check_psi(generator, psi)
    size = block_size(generator.device)
    blocks: dict[int, list[int]] = {}  # block -> places in `numbers`
    for place, number in enumerate(numbers):
        blocks.setdefault(number // size, []).append(place)
    all_draws = _draws_of_blocks(generator, seed, list(blocks), threads)
    draws = next(all_draws, None)
    for places in blocks.values():
        assert draws is not None
        with torch.no_grad():
            block = _block(generator, *draws, psi)
        draws = next(all_draws, None)  # drawn by the CPU while a GPU computes the block
        yield places, block.cpu().numpy()[[numbers[place] % size for place in places]]


def _draws_of_blocks(
    generator: TrainedGenerator, seed: int, blocks: Sequence[int], threads: int
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Latents and noise of each block, in order; threads work ahead, a block each."""
    size = block_size(generator.device)
    draw = functools.partial(_block_draws, generator, seed)
    indices = [range(block * size, (block + 1) * size) for block in blocks]
    if threads == 1:
        yield from map(draw, indices)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[tuple[Tensor, Tensor | None]]] = deque()
        for each in indices:
            waiting.append(pool.submit(draw, each))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def check_psi(generator: TrainedGenerator, psi: float) -> None:
    """Refuse a truncation that the generator cannot apply.

    Raises:
        ConfigError: psi is not in 0..1, or not 1 without truncation.
    """
    if not 0 <= psi <= 1:
        raise ConfigError(f"psi must be in [0, 1], got {psi}")
    if psi != 1 and generator.architecture.styles is None:
        title = generator.architecture.title
        raise ConfigError(f"a {title} has no truncation: psi must be 1, got {psi}")


def _block_draws(
    generator: TrainedGenerator, seed: int, indices: range
) -> tuple[Tensor, Tensor | None]:
    """(N, Z) latents, and (N, P) noise if there is any; drawn on the CPU for all devices."""
    seed = class_seed(generator, seed)
    latents = [latent(seed, index, generator.settings.latent_size) for index in indices]
    if generator.architecture.noise_size is None:
        return torch.cat(latents), None
    size = generator.architecture.noise_size(generator.network)
    return torch.cat(latents), torch.cat([_normal(seed, "noise", i, size) for i in indices])


def _block(
    generator: TrainedGenerator, latents: Tensor, noise: Tensor | None, psi: float
) -> Tensor:
    """(N, H, W, C) uint8 images of these draws."""
    inputs = inputs_of(generator, latents.to(generator.device), psi)
    if noise is None:
        return render(generator, inputs)
    return render(generator, inputs, noise.to(generator.device))


def class_seed(generator: TrainedGenerator, seed: int) -> int:
    """Seed of the latents of a class: images of the two classes are no pairs of one latent."""
    return seed if generator.label is None else seed_for(seed, "class", generator.label)


def inputs_of(generator: TrainedGenerator, latents: Tensor, psi: float) -> Tensor:
    """Inputs of `render`: styles with truncation psi, or the latents if there are no styles."""
    if generator.architecture.styles is None:
        return latents
    return generator.architecture.styles(
        generator.network, latents, psi, **_class_argument(generator)
    )


def _class_argument(generator: TrainedGenerator) -> dict[str, int]:
    """Argument `label` for the functions of a conditional generator; none for another one."""
    return {} if generator.label is None else {"label": generator.label}


def render(generator: TrainedGenerator, inputs: Tensor, noise: Tensor | None = None) -> Tensor:
    """(N, H, W, C) uint8 images, on the device.

    Args:
        generator: Trained generator.
        inputs: Result of `inputs_of`.
        noise: (N, P); the network's own fixed noise if None.
    """
    # The fastest kernels may change their summing order; TF32 has 11 of float32's 24 bits.
    exact = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    has_styles = generator.architecture.styles is not None  # which know the class
    with exact:
        images = generator.architecture.images(
            *(generator.network, inputs, noise, generator.growth, generator.dtype),
            **({} if has_styles else _class_argument(generator)),
        )
    images = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    times = generator.settings.resolution_px // images.shape[-1]
    images = images.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)
    return images.permute(0, 2, 3, 1)


def latent(seed: int, index: int, size: int) -> Tensor:
    """(1, size) normal numbers: z of image `index`."""
    return _normal(seed, "z", index, size)


def _normal(seed: int, purpose: str, index: int, size: int) -> Tensor:
    chance = torch.Generator().manual_seed(seed_for(seed, purpose, index))
    return torch.randn(1, size, generator=chance)


def image_grid(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Picture of (n, H, W, C) images, row by row: (height, width, 3), or gray if C is 1.

    If there are more than three channels, the first three are shown; a missing third is black.

    Raises:
        ConfigError: there are no images, or no columns.
    """
    if not len(images) or columns < 1:
        raise ConfigError(f"a grid needs images and columns, got {len(images)} and {columns}")
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    visible = min(channels, 3)
    cells = np.zeros((rows * columns, height, width, 1 if visible == 1 else 3), np.uint8)
    cells[:n, ..., :visible] = images[..., :visible]
    cells = cells.reshape(rows, columns, height, width, -1).swapaxes(1, 2)
    picture = cells.reshape(rows * height, columns * width, -1)
    return picture[..., 0] if visible == 1 else picture
