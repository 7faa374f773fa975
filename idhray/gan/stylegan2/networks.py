"""Generator (mapping and synthesis) and residual discriminator of StyleGAN2.

Level l works on images of S = 4 * 2^l px. A generator of L levels has 2L layers with a style
each: one convolution at 4 px, two at each further level, and the last step to an image. The other
steps to an image share the style of the next convolution.

Shapes: N batch, Z latent size (of z and of w), C image channels, P noise pixels of all layers.
Source: Karras et al. 2020 (arXiv:1912.04958), figures 2 and 7; widths as in its code.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from idhray.gan.checks import STD_GROUP
from idhray.gan.config import CLASS_COUNT, width_at
from idhray.gan.growth import Growth
from idhray.gan.layers import channels_last, leaky, minibatch_std, pixel_norm, precise
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.layers import (
    GAIN,
    Dense,
    StyledConv,
    StyleGan2Conv,
    ToImage,
    upsampled_by_two,
)


class Mapping(nn.Module):
    """z -> w, (N, Z) -> (N, Z); with a class, its embedding joins z, each normalized by itself.

    Source: Karras et al. 2019 (arXiv:1812.04948), section 2; of the class: Karras et al. 2020
    (arXiv:2006.06676), its class-conditional CIFAR-10.
    """

    def __init__(self, settings: StyleGan2Settings) -> None:
        super().__init__()
        size = settings.latent_size
        first = 2 * size if settings.conditional else size
        self.layers = nn.ModuleList(
            Dense(inputs, size, gain=GAIN, lr=settings.mapping_lr)
            for inputs in [first, *[size] * (settings.mapping_layers - 1)]
        )
        self.embedding = Dense(CLASS_COUNT, size) if settings.conditional else None

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        x = pixel_norm(latents)
        if self.embedding is not None:
            assert labels is not None
            x = torch.cat([x, pixel_norm(self.embedding(one_hot(labels)))], dim=1)
        for layer in self.layers:
            x = leaky(layer(x))
        return x


class Synthesis(nn.Module):
    """Styles and noise -> images. Each level adds to the enlarged image of the level below."""

    def __init__(self, settings: StyleGan2Settings) -> None:
        super().__init__()
        size = settings.latent_size
        widths = [width_at(settings, level) for level in range(settings.levels)]
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.first = StyledConv(widths[0], widths[0], size)
        self.ups = nn.ModuleList(StyledConv(i, o, size, up=True) for i, o in pairwise(widths))
        self.convs = nn.ModuleList(StyledConv(o, o, size) for o in widths[1:])
        self.images = nn.ModuleList(ToImage(o, settings.channels, size) for o in widths)
        sides = [4] + [4 << level for level in range(1, settings.levels) for _ in range(2)]
        self.sides = tuple(sides)  # of each layer's noise

    def forward(self, styles: Tensor, noise: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """(N, 2L, Z) and (N, P) -> (N, C, S, S) float32, about -1..1.

        Feature maps have type `dtype`, by default the type of the weights; styles, norms and images
        are always float32.
        """
        ws = styles.unbind(1)
        maps = noise.split([side**2 for side in self.sides], dim=1)
        noises = [m.view(-1, 1, s, s) for m, s in zip(maps, self.sides, strict=True)]
        x = self.constant.to(dtype or styles.dtype).expand(len(styles), -1, -1, -1)
        x = self.first(x, ws[0], noises[0])
        image: Tensor = self.images[0](x, ws[1])
        for k, (up, conv) in enumerate(zip(self.ups, self.convs, strict=True)):
            x = up(x, ws[2 * k + 1], noises[2 * k + 1])
            x = conv(x, ws[2 * k + 2], noises[2 * k + 2])
            image = upsampled_by_two(image) + self.images[k + 1](x, ws[2 * k + 3])
        return image


class StyleGan2Generator(nn.Module):
    """Generator: latents -> images."""

    w_average: Tensor
    """(Z,): running mean of w, the center that truncation moves w towards; (classes, Z) of a
    conditional generator."""
    fixed_noise: Tensor
    """(1, P): noise of images that differ by their latents alone."""

    def __init__(self, settings: StyleGan2Settings) -> None:
        super().__init__()
        self.mapping = Mapping(settings)
        self.synthesis = Synthesis(settings)
        self.layers = 2 * settings.levels
        pixels = sum(side**2 for side in self.synthesis.sides)
        shape = (CLASS_COUNT,) if settings.conditional else ()
        self.register_buffer("w_average", torch.zeros(*shape, settings.latent_size))
        self.register_buffer("fixed_noise", torch.randn(1, pixels))
        channels_last(self)

    def forward(self, latents: Tensor, noise: Tensor | None = None, psi: float = 1.0) -> Tensor:
        """(N, Z) and (N, P), or fixed noise -> (N, C, S, S); psi below 1 gives typical images."""
        styles = truncated_styles(self, latents, psi)
        images: Tensor = self.synthesis(styles, self.noise_or_fixed(noise, len(styles)))
        return images

    def noise_or_fixed(self, noise: Tensor | None, count: int) -> Tensor:
        """(N, P): the noise, or the fixed one for every image if it is None."""
        return self.fixed_noise.expand(count, -1) if noise is None else noise

    def mixed_styles(
        self, pairs: Tensor, cutoff: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Styles that mix two latents each, the second one from layer `cutoff` on.

        Args:
            pairs: Latents, (2, N, Z).
            cutoff: (), 1..2L; at 2L the second latents are not used.
            labels: (N,) classes of a conditional generator, of both latents.

        Returns:
            (N, 2L, Z) styles, and (N, Z) w of the first latents.

        Source: Karras et al. 2019 (arXiv:1812.04948), section 3.1.
        """
        both = None if labels is None else labels.repeat(2)
        first, second = self.mapping(pairs.flatten(0, 1), both).chunk(2)
        layer = torch.arange(self.layers, device=pairs.device)[:, None]
        return torch.where(layer < cutoff, first[:, None], second[:, None]), first


class ResidualBlock(nn.Module):
    """Block of the discriminator: (N, I, H, W) -> (N, O, H/2, W/2).

    The sum of both branches is divided by sqrt(2), to keep the variance; the factor is folded into
    their gains.
    Source: arXiv:1912.04958, section 4.1, figure 7c.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = StyleGan2Conv(inputs, inputs, gain=GAIN)
        self.down = StyleGan2Conv(inputs, outputs, gain=GAIN / math.sqrt(2), down=True)
        self.skip = StyleGan2Conv(inputs, outputs, 1, gain=1 / math.sqrt(2), bias=False, down=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = leaky(self.down(leaky(self.conv(x))))
        y += self.skip(x)
        return y


class StyleGan2Score(nn.Module):
    """Last block of the discriminator: (N, I, 4, 4) -> (N,) scores, unbounded.

    With a class, the product of the features and the embedding of the class is added to the score.
    Source of this projection: Miyato and Koyama 2018 (arXiv:1802.05637), equation 3; it is divided
    by the root of the number of features, as in Karras et al. 2020 (arXiv:2006.06676).
    """

    def __init__(self, inputs: int, *, conditional: bool = False) -> None:
        super().__init__()
        self.conv = StyleGan2Conv(inputs + 1, inputs, gain=GAIN)
        self.linear = Dense(inputs * 16, inputs, gain=GAIN)
        self.score = Dense(inputs, 1)
        self.embedding = Dense(CLASS_COUNT, inputs) if conditional else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = leaky(self.conv(minibatch_std(x, STD_GROUP)))
        features = leaky(self.linear(x.flatten(1)))
        scores: Tensor = self.score(features).squeeze(1)
        if self.embedding is not None:
            assert labels is not None
            projection = (features * self.embedding(one_hot(labels))).sum(dim=1)
            scores = scores + projection / math.sqrt(features.shape[1])
        return scores


class StyleGan2Discriminator(nn.Module):
    """Discriminator: images -> scores, high for real ones; N is a multiple of `STD_GROUP`."""

    def __init__(self, settings: StyleGan2Settings) -> None:
        super().__init__()
        widths = [width_at(settings, level) for level in reversed(range(settings.levels))]
        self.from_image = StyleGan2Conv(settings.channels, widths[0], 1, gain=GAIN)
        self.blocks = nn.ModuleList(ResidualBlock(i, o) for i, o in pairwise(widths))
        self.verdict = StyleGan2Score(widths[-1], conditional=settings.conditional)
        channels_last(self)

    def forward(
        self, images: Tensor, dtype: torch.dtype | None = None, labels: Tensor | None = None
    ) -> Tensor:
        """(N, C, S, S) -> (N,) float32; feature maps have type `dtype` down to 4 px.

        `labels` are the (N,) classes for a conditional discriminator.
        """
        x = leaky(self.from_image(images.to(dtype or images.dtype)))
        for block in self.blocks:
            x = block(x)
        scores: Tensor = self.verdict(precise(x), labels)
        return scores

    def freeze(self, blocks: int) -> None:
        """Freeze the first `blocks` residual blocks, those nearest the image; train all others.

        Source: Mo et al. 2020, FreezeD (arXiv:2002.10964), section 3.
        """
        self.requires_grad_(True)
        if blocks:
            self.from_image.requires_grad_(False)
            self.blocks[:blocks].requires_grad_(False)


def one_hot(labels: Tensor) -> Tensor:
    """(N,) classes -> (N, classes) float32."""
    return nn.functional.one_hot(labels, CLASS_COUNT).float()


def truncated_styles(
    generator: StyleGan2Generator, latents: Tensor, psi: float, label: int | None = None
) -> Tensor:
    """(N, Z) -> (N, 2L, Z): w for every layer, moved towards the mean w by truncation psi.

    The mean of a conditional generator is that of the class `label`.

    Source: Karras et al. 2019 (arXiv:1812.04948), appendix B.
    """
    if label is None:
        labels, center = None, generator.w_average
    else:
        labels = torch.full((len(latents),), label, device=latents.device)
        center = generator.w_average[label]
    w: Tensor = generator.mapping(latents, labels)
    if psi != 1:
        w = torch.lerp(center, w, psi)
    return w[:, None].expand(-1, generator.layers, -1)


def stylegan2_images(
    generator: StyleGan2Generator,
    styles: Tensor,
    noise: Tensor | None,
    growth: Growth,
    dtype: torch.dtype,
) -> Tensor:
    """(N, 2L, Z) styles and (N, P) noise, or fixed noise -> (N, C, S, S) images."""
    noise = generator.noise_or_fixed(noise, len(styles))
    images: Tensor = generator.synthesis(styles, noise, dtype)
    return images
