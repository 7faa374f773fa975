"""Generator and discriminator of PGGAN, which grow from 4 x 4 pixels to full resolution.

Level l works on images of 4 * 2^l px. While a level is faded in, alpha goes from 0 (the level
below, enlarged) to 1. All levels exist from the start; those not yet reached are not used.

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
from idhray.gan.growth import Growth
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


def halved_by_mean(images: Tensor) -> Tensor:
    """Half as wide and high, 2 x 2 pixels averaged."""
    return F.avg_pool2d(images, 2)


class LatentBlock(nn.Module):
    """First block of the generator: (N, Z) -> (N, O, 4, 4).

    With `channel_bias`, all 16 positions of a channel share one bias, which is added after the
    dense layer; else each has its own.
    """

    def __init__(self, latent_size: int, outputs: int, *, channel_bias: bool) -> None:
        super().__init__()
        # The gain is sqrt(2)/4, as in the authors' code (networks.py:184).
        self.linear = EqualLinear(latent_size, outputs * 16, gain=2**0.5 / 4, bias=not channel_bias)
        self.bias = nn.Parameter(torch.zeros(outputs)) if channel_bias else None
        self.conv = EqualConv(outputs, outputs)

    def forward(self, latents: Tensor) -> Tensor:
        x = self.linear(pixel_norm(latents)).view(len(latents), -1, 4, 4)
        x = x if self.bias is None else x + self.bias[:, None, None]
        x = pixel_norm(leaky(x))
        return pixel_norm(leaky(self.conv(x)))


class UpBlock(nn.Module):
    """Further block of the generator: (N, I, H, W) -> (N, O, 2H, 2W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.up = EqualConv(inputs, outputs, resize="up")
        self.conv = EqualConv(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = pixel_norm(leaky(self.up(x)))
        return pixel_norm(leaky(self.conv(x)))


class DownBlock(nn.Module):
    """Block of the discriminator: (N, I, H, W) -> (N, O, H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = EqualConv(inputs, inputs)
        self.down = EqualConv(inputs, outputs, resize="down")

    def forward(self, x: Tensor) -> Tensor:
        return leaky(self.down(leaky(self.conv(x))))


class PgganScore(nn.Module):
    """Last block of the discriminator: (N, I, 4, 4) -> (N,) scores, unbounded."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.conv = EqualConv(inputs + 1, inputs)
        self.linear = EqualLinear(inputs * 16, hidden)
        self.score = EqualLinear(hidden, 1, gain=1)

    def forward(self, x: Tensor) -> Tensor:
        x = leaky(self.conv(minibatch_std(x, STD_GROUP)))
        scores: Tensor = self.score(leaky(self.linear(x.flatten(1)))).squeeze(1)
        return scores


class PgganGenerator(nn.Module):
    """Generator: latents -> images of a level."""

    def __init__(self, settings: PgganSettings) -> None:
        super().__init__()
        widths = [width_at(settings, level) for level in range(settings.levels)]
        ups = [UpBlock(i, o) for i, o in pairwise(widths)]
        first = LatentBlock(
            settings.latent_size, widths[0], channel_bias=settings.latent_bias == "channel"
        )
        self.blocks = nn.ModuleList([first, *ups])
        self.rgb = nn.ModuleList(EqualConv(w, settings.channels, 1, gain=1) for w in widths)
        channels_last(self)

    def forward(
        self,
        latents: Tensor,
        level: int,
        alpha: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """(N, Z) -> (N, C, S, S) float32, about -1..1: the output is linear and may overshoot.

        Args:
            latents: Normal numbers.
            level: Level of the images.
            alpha: (), weight of the level against the one below; None once it is faded in.
            dtype: Type of the feature maps above 4 px; the type of the weights by default.
        """
        x = self.blocks[0](latents)
        x = below = x.to(dtype or x.dtype)
        for block in self.blocks[1 : level + 1]:
            x, below = block(x), x
        images: Tensor = precise(self.rgb[level](x))
        if alpha is None or level == 0:
            return images
        return torch.lerp(enlarged(precise(self.rgb[level - 1](below))), images, alpha)


class PgganDiscriminator(nn.Module):
    """Discriminator: images of a level -> scores, high for real ones.

    N is a multiple of `STD_GROUP`.
    """

    def __init__(self, settings: PgganSettings) -> None:
        super().__init__()
        widths = [width_at(settings, level) for level in range(-1, settings.levels)]
        downs = [DownBlock(i, o) for o, i in pairwise(widths[1:])]
        self.blocks = nn.ModuleList([PgganScore(widths[1], widths[0]), *downs])
        self.rgb = nn.ModuleList(EqualConv(settings.channels, w, 1) for w in widths[1:])
        channels_last(self)

    def forward(
        self,
        images: Tensor,
        level: int,
        alpha: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """(N, C, S, S) -> (N,) float32; feature maps have type `dtype` down to 4 px."""
        images = images.to(dtype or images.dtype)
        x: Tensor = leaky(self.rgb[level](images))
        for k in range(level, 0, -1):
            x = self.blocks[k](x)
            if k == level and alpha is not None:
                below = leaky(self.rgb[level - 1](halved_by_mean(images)))
                x = torch.lerp(below, x, alpha.to(x.dtype))
        scores: Tensor = self.blocks[0](precise(x))
        return scores


def active_parameters(
    network: PgganGenerator | PgganDiscriminator, level: int, fading: bool
) -> Iterator[nn.Parameter]:
    """Parameters that a level uses; while it is fading in, the level below contributes too."""
    yield from network.blocks[: level + 1].parameters()
    yield from network.rgb[level - 1 if fading else level : level + 1].parameters()


def pggan_images(
    generator: PgganGenerator,
    latents: Tensor,
    noise: Tensor | None,
    growth: Growth,
    dtype: torch.dtype,
) -> Tensor:
    """(N, Z) latents -> (N, C, S, S) images of the level that the generator has reached."""
    alpha = torch.tensor(growth.alpha, device=latents.device) if growth.fading else None
    images: Tensor = generator(latents, growth.level, alpha, dtype)
    return images
