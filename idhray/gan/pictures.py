"""Pictures of what a generator has learned: a walk between images, and two images' styles mixed.

Both show that a generator did not merely learn images by heart: what lies between two latents is
an image too, and a style of one fits the other.

Shapes: n images, H = W = resolution_px, C channels, Z latent size, L levels.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.errors import ConfigError
from idhray.gan.sample import TrainedGenerator, block_size, check_psi, grid, latent, render, styles
from idhray.gan.stylegan2 import networks as stylegan2


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

    A PGGAN's latents are walked along the arc between them (slerp), a StyleGAN2's along the line
    between their w, with one noise for all frames: else they would flicker.

    Args:
        generator: Of either architecture.
        seed: As of `sample.generate`: the walk passes the images that it would make, of a
            StyleGAN2 but for their noise.
        indices: Two or more images.
        steps: From each image to the next.
        psi: Truncation, as of `sample.generate`.
        loop: Walk back to the first image; it is not shown again.

    Raises:
        ConfigError: there are fewer than two indices or one step, or psi is refused.

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
    between = slerp if stops.ndim == 2 else torch.lerp
    parts = torch.arange(steps) / steps
    frames = [between(a, b, float(part)) for a, b in pairwise(stops) for part in parts]
    return _images(generator, torch.stack(frames if loop else [*frames, stops[-1]]))


def slerp(start: Tensor, end: Tensor, part: float) -> Tensor:
    """(Z,): the point at `part` of the arc from `start` to `end`; of the line if they are parallel.

    Source: Shoemake 1985 (doi:10.1145/325165.325242), section 3.3.
    """
    a, b = start.double(), end.double()
    angle = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    if angle.sin() < 1e-6:
        return torch.lerp(start, end, part)
    point = ((1 - part) * angle).sin() * a + (part * angle).sin() * b
    return (point / angle.sin()).to(start.dtype)


def strip(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture of (n, H, W, C) frames from left to right: (H, n * W, 3), or gray if C is 1.

    Raises:
        ConfigError: there are no frames.
    """
    return grid(frames, max(1, len(frames)))


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
    """(1 + rows, 1 + columns, H, W, C) uint8: each source of a row mixed with each of a column.

    The first column shows the sources of the rows, the first row those of the columns; their
    corner is black. All have the same noise.

    Args:
        generator: Of a StyleGAN2.
        seed: As of `sample.generate`.
        rows: Indices of the images that give the coarse styles, of layers below `crossover`.
        columns: Indices of those that give the fine styles, of layers from `crossover` on.
        crossover: 1..2L-1. Layers 0 and 1 are at 4 px, 2 and 3 at 8 px, and so on (the last step
            to an image, at the end, is a layer of its own: 64 px have 10).
        psi: Truncation, as of `sample.generate`.

    Raises:
        ConfigError: the generator is a PGGAN, a source or the crossover is missing, or psi refused.

    Source: Karras et al. 2019 (arXiv:1812.04948), section 3.1, figure 3.
    """
    check_psi(generator, psi)
    network = generator.network
    if not isinstance(network, stylegan2.Generator):
        raise ConfigError("a PGGAN has no styles to mix; give a StyleGAN2")
    if not rows or not columns:
        raise ConfigError(f"mixing needs rows and columns, got {len(rows)} and {len(columns)}")
    if not 1 <= crossover < network.layers:
        raise ConfigError(f"crossover must be 1 to {network.layers - 1}, got {crossover}")
    coarse = _inputs(generator, seed, rows, psi)
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
    """One picture of what `style_mixing` gave: (height, width, 3), or gray if C is 1."""
    return grid(cells.reshape(-1, *cells.shape[2:]), cells.shape[1])


def _inputs(generator: TrainedGenerator, seed: int, indices: Sequence[int], psi: float) -> Tensor:
    """What `render` takes: (n, Z) latents of a PGGAN, (n, 2L, Z) styles of a StyleGAN2."""
    size = generator.settings.latent_size
    latents = torch.cat([latent(seed, index, size) for index in indices]).to(generator.device)
    if isinstance(generator.network, stylegan2.Generator):
        return styles(generator, latents, psi)
    return latents


def _images(generator: TrainedGenerator, inputs: Tensor) -> NDArray[np.uint8]:
    """(n, H, W, C) uint8, a block at a time."""
    parts = inputs.split(block_size(generator.device))
    return np.concatenate([render(generator, part).cpu().numpy() for part in parts])
