"""Pictures of the latent space of a generator: a walk between images, and mixed styles.

Both show that a generator did not merely memorize images: between two latents there are images
too, and the style of one image fits another.

Shapes: n images, H = W = resolution_px, C channels, Z latent size.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.errors import ConfigError
from idhray.gan.sample import (
    TrainedGenerator,
    block_size,
    check_psi,
    class_seed,
    image_grid,
    inputs_of,
    latent,
    render,
)


@torch.no_grad()
def interpolation(
    generator: TrainedGenerator,
    seed: int,
    indices: Sequence[int],
    steps: int = 8,
    psi: float = 1.0,
    *,
    loop: bool = False,
) -> NDArray[np.uint8]:
    """(n, H, W, C) uint8: a walk through the images of these indices, in even steps.

    Between latents the walk follows the arc (slerp), between styles the line. All frames have the
    same noise; otherwise they would flicker.

    Args:
        generator: Trained generator.
        seed: Seed as in `sample.generate`: the walk passes the images of that seed, apart from
            their noise.
        indices: Indices of two or more images.
        steps: Steps from each image to the next.
        psi: Truncation, as in `sample.generate`.
        loop: Walk back to the first image, which is not shown again.

    Raises:
        ConfigError: there are fewer than two indices, no steps, or psi is refused.

    Source of slerp: White 2016 (arXiv:1609.04468), section 2.1; of walks in w: Karras et al. 2019
    (arXiv:1812.04948), section 4.1.
    """
    check_psi(generator, psi)
    if len(indices) < 2 or steps < 1:
        raise ConfigError(
            f"a walk needs 2 indices and 1 step or more, got {len(indices)} and {steps}"
        )
    stops = _inputs(generator, seed, indices, psi)
    if loop:
        stops = torch.cat([stops, stops[:1]])
    blend = torch.lerp if generator.architecture.styles else slerp
    parts = torch.arange(steps) / steps
    frames = [blend(a, b, float(part)) for a, b in pairwise(stops) for part in parts]
    return _images(generator, torch.stack(frames if loop else [*frames, stops[-1]]))


def slerp(start: Tensor, end: Tensor, part: float) -> Tensor:
    """(Z,): point at `part` of the arc from `start` to `end`, or of the line if they are parallel.

    Source: Shoemake 1985 (doi:10.1145/325165.325242), section 3.3.
    """
    a, b = start.double(), end.double()
    angle = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    if angle.sin() < 1e-6:
        return torch.lerp(start, end, part)
    point = ((1 - part) * angle).sin() * a + (part * angle).sin() * b
    return (point / angle.sin()).to(start.dtype)


def strip(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Picture of (n, H, W, C) frames from left to right: (H, n * W, 3), or gray if C is 1.

    Raises:
        ConfigError: there are no frames.
    """
    return image_grid(frames, max(1, len(frames)))


@torch.no_grad()
def style_mixing(
    generator: TrainedGenerator,
    seed: int,
    *,
    rows: Sequence[int],
    columns: Sequence[int],
    crossover: int,
    psi: float = 1.0,
) -> NDArray[np.uint8]:
    """(1 + rows, 1 + columns, H, W, C) uint8: each row image mixed with each column image.

    The first column shows the row images, the first row the column images; the corner is black.
    All have the same noise.

    Args:
        generator: Trained generator with styles.
        seed: Seed as in `sample.generate`.
        rows: Indices of the images that give the coarse styles, of layers below `crossover`.
        columns: Indices of the images that give the fine styles, of layers from `crossover` on.
        crossover: Layer from 1 to the last one. Of a StyleGAN2, layers 0 and 1 are at 4 px, 2 and 3
            at 8 px, and so on; the last step to an image is a further layer: 64 px have 10.
        psi: Truncation, as in `sample.generate`.

    Raises:
        ConfigError: the generator has no styles, rows or columns are empty, the crossover is no
            such layer, or psi is refused.

    Source: Karras et al. 2019 (arXiv:1812.04948), section 3.1, figure 3.
    """
    check_psi(generator, psi)
    if generator.architecture.styles is None:
        raise ConfigError(f"a {generator.architecture.title} has no styles to mix")
    if not rows or not columns:
        raise ConfigError(f"mixing needs rows and columns, got {len(rows)} and {len(columns)}")
    coarse = _inputs(generator, seed, rows, psi)
    last = coarse.shape[1] - 1
    if not 1 <= crossover <= last:
        raise ConfigError(f"crossover must be 1 to {last}, got {crossover}")
    fine = _inputs(generator, seed, columns, psi)
    mixed = coarse.repeat_interleave(len(columns), dim=0)
    mixed[:, crossover:] = fine.repeat(len(rows), 1, 1)[:, crossover:]
    images = _images(generator, torch.cat([coarse, fine, mixed]))
    cells = np.zeros((1 + len(rows), 1 + len(columns), *images.shape[1:]), np.uint8)
    cells[1:, 0] = images[: len(rows)]
    cells[0, 1:] = images[len(rows) :][: len(columns)]
    cells[1:, 1:] = images[len(rows) + len(columns) :].reshape(cells[1:, 1:].shape)
    return cells


def style_mixing_grid(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Picture of the result of `style_mixing`: (height, width, 3), or gray if C is 1."""
    return image_grid(cells.reshape(-1, *cells.shape[2:]), cells.shape[1])


def _inputs(generator: TrainedGenerator, seed: int, indices: Sequence[int], psi: float) -> Tensor:
    """Inputs of `render` for these images: (n, Z) latents or (n, layers, Z) styles."""
    size, seed = generator.settings.latent_size, class_seed(generator, seed)
    latents = torch.cat([latent(seed, index, size) for index in indices]).to(generator.device)
    return inputs_of(generator, latents, psi)


def _images(generator: TrainedGenerator, inputs: Tensor) -> NDArray[np.uint8]:
    """(n, H, W, C) uint8 images, computed a block at a time."""
    parts = inputs.split(block_size(generator.device))
    return np.concatenate([render(generator, part).cpu().numpy() for part in parts])
