"""The two networks of PGGAN, which grow from 4 x 4 pixels to full resolution.

Level l works on images of 4 * 2^l px. While a level is faded in, alpha goes from 0 (the level
below, enlarged) to 1. All levels exist from the start; those not reached yet are not used.

Shapes: N batch, Z latent size, C image channels, S = 4 * 2^level.
Source: Karras et al. 2018 (arXiv:1710.10196), section 2, figure 2, table 2; widths as in its code.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from idhray.gan.checks import STD_GROUP
from idhray.gan.config import width_at
from idhray.gan.layers import (
    EqualConv,
    EqualLinear,
    channels_last,
    leaky,
    minibatch_std,
    pixel_norm,
    precise,
)
from idhray.gan.pggan.config import PgganSettings


def enlarged(images: Tensor) -> Tensor:
    """Twice as wide and high, each pixel repeated."""
    return F.interpolate(images, scale_factor=2, mode="nearest")


def reduced(images: Tensor) -> Tensor:
    """Half as wide and high, 2 x 2 pixels averaged."""
    return F.avg_pool2d(images, 2)


class Seed(nn.Module):
    """The generator's first block: (N, Z) -> (N, O, 4, 4)."""

    def __init__(self, latent_size: int, outputs: int) -> None:
        super().__init__()
        # The gain is sqrt(2)/4 here, as in the authors' code (networks.py:184).
        self.linear = EqualLinear(latent_size, outputs * 16, gain=2**0.5 / 4)
        self.conv = EqualConv(outputs, outputs)

    def forward(self, latents: Tensor) -> Tensor:
        x = self.linear(pixel_norm(latents)).view(len(latents), -1, 4, 4)
        x = pixel_norm(leaky(x))
        return pixel_norm(leaky(self.conv(x)))


class Grow(nn.Module):
    """A further block of the generator: (N, I, H, W) -> (N, O, 2H, 2W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.up = EqualConv(inputs, outputs, resize="up")
        self.conv = EqualConv(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = pixel_norm(leaky(self.up(x)))
        return pixel_norm(leaky(self.conv(x)))


class Shrink(nn.Module):
    """A block of the discriminator: (N, I, H, W) -> (N, O, H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = EqualConv(inputs, inputs)
        self.down = EqualConv(inputs, outputs, resize="down")

    def forward(self, x: Tensor) -> Tensor:
        return leaky(self.down(leaky(self.conv(x))))


class Verdict(nn.Module):
    """The discriminator's last block: (N, I, 4, 4) -> (N,) scores, without bounds."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.conv = EqualConv(inputs + 1, inputs)
        self.linear = EqualLinear(inputs * 16, hidden)
        self.score = EqualLinear(hidden, 1, gain=1)

    def forward(self, x: Tensor) -> Tensor:
        x = leaky(self.conv(minibatch_std(x, STD_GROUP)))
        scores: Tensor = self.score(leaky(self.linear(x.flatten(1)))).squeeze(1)
        return scores


class Generator(nn.Module):
    """Latents -> images of a level."""

    def __init__(self, settings: PgganSettings) -> None:
        super().__init__()
        widths = [width_at(settings, level) for level in range(settings.levels)]
        grow = [Grow(i, o) for i, o in pairwise(widths)]
        self.blocks = nn.ModuleList([Seed(settings.latent_size, widths[0]), *grow])
        self.rgb = nn.ModuleList(EqualConv(w, settings.channels, 1, gain=1) for w in widths)
        channels_last(self)

    def forward(
        self,
        latents: Tensor,
        level: int,
        alpha: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """(N, Z) -> (N, C, S, S) float32, -1..1 but for overshoot: the output is linear.

        Args:
            latents: Normal numbers.
            level: Of the images.
            alpha: (), how far the level is faded in; None when it is.
            dtype: Of the feature maps above 4 px; that of the weights when not given.
        """
        x = self.blocks[0](latents)
        x = below = x.to(dtype or x.dtype)
        for block in self.blocks[1 : level + 1]:
            x, below = block(x), x
        images: Tensor = precise(self.rgb[level](x))
        if alpha is None or level == 0:
            return images
        return torch.lerp(enlarged(precise(self.rgb[level - 1](below))), images, alpha)


class Discriminator(nn.Module):
    """Images of a level -> scores, high for real ones; N is a multiple of `STD_GROUP`."""

    def __init__(self, settings: PgganSettings) -> None:
        super().__init__()
        widths = [width_at(settings, level) for level in range(-1, settings.levels)]
        shrink = [Shrink(i, o) for o, i in pairwise(widths[1:])]
        self.blocks = nn.ModuleList([Verdict(widths[1], widths[0]), *shrink])
        self.rgb = nn.ModuleList(EqualConv(settings.channels, w, 1) for w in widths[1:])
        channels_last(self)

    def forward(
        self,
        images: Tensor,
        level: int,
        alpha: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """(N, C, S, S) -> (N,) float32; feature maps are of `dtype` down to 4 px."""
        images = images.to(dtype or images.dtype)
        x: Tensor = leaky(self.rgb[level](images))
        for k in range(level, 0, -1):
            x = self.blocks[k](x)
            if k == level and alpha is not None:
                below = leaky(self.rgb[level - 1](reduced(images)))
                x = torch.lerp(below, x, alpha.to(x.dtype))
        scores: Tensor = self.blocks[0](precise(x))
        return scores


def active_parameters(
    network: Generator | Discriminator, level: int, fading: bool
) -> Iterator[nn.Parameter]:
    """The parameters that a level uses; while it is fading in, the level below has its say too."""
    yield from network.blocks[: level + 1].parameters()
    yield from network.rgb[level - 1 if fading else level : level + 1].parameters()
