"""Phases of StyleGAN2: its losses as functions of tensors, to be compiled and differentiated.

Shapes: N images, C channels, S side, L levels, Z latent size, P noise pixels of all layers.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from idhray.gan import losses
from idhray.gan.augment.augment import apply
from idhray.gan.augment.config import AugmentSettings
from idhray.gan.augment.draws import AugmentDraws
from idhray.gan.engine import Engine
from idhray.gan.stylegan2.networks import (
    StyleGan2Discriminator,
    StyleGan2Generator,
    one_hot,
)


class Latents(NamedTuple):
    """Random inputs of N images."""

    pairs: Tensor
    """(2, N, Z)."""
    cutoff: Tensor
    """(): first layer that gets the second latents."""
    noise: Tensor
    """(N, P)."""
    labels: Tensor | None = None
    """(N,) classes for conditional networks, which are also those of the real images."""

    def part(self, images: slice) -> "Latents":
        """Inputs of some of the images."""
        labels = None if self.labels is None else self.labels[images]
        return Latents(self.pairs[:, images], self.cutoff, self.noise[images], labels)


class StyleGan2Phases:
    """The four phases of two networks; `draws` and `p` are those of augmentation."""

    def __init__(
        self,
        generator: StyleGan2Generator,
        discriminator: StyleGan2Discriminator,
        augment: AugmentSettings,
        engine: Engine,
        device: torch.device,
    ) -> None:
        self._generator = generator
        self._discriminator = discriminator
        self._augment = augment
        self._dtype = engine.dtype(device)
        self.generator = engine.phase(self._generator_loss)
        self.discriminator = engine.phase(self._discriminator_loss)
        self.r1 = engine.phase(self._r1)
        self.lengths = engine.phase(self._lengths)

    def _generator_loss(self, latents: Latents, draws: Any, p: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of the generator, and the mean w of the first latents, as its `w_average`."""
        styles, first = self._styles(latents)
        images = self._generator.synthesis(styles, latents.noise, self._dtype)
        scores = self._discriminator(self._augmented(images, draws, p), self._dtype, latents.labels)
        return losses.logistic_generator(scores), _mean_by_class(first.detach(), latents.labels)

    def _discriminator_loss(
        self, latents: Latents, reals: Tensor, draws: Any, p: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of the discriminator, and (N,) scores of real and of generated images.

        Args:
            draws: Draws for the real images, and for the generated ones.
        """
        with torch.no_grad():
            styles, _ = self._styles(latents)
            fakes = self._generator.synthesis(styles, latents.noise, self._dtype)
        # One pass for both: the groups of the minibatch std lie within either half.
        both = [self._augmented(reals, draws[0], p), self._augmented(fakes, draws[1], p)]
        labels = None if latents.labels is None else latents.labels.repeat(2)
        scores = self._discriminator(torch.cat(both), self._dtype, labels)
        real_scores, fake_scores = scores.chunk(2)
        loss = losses.logistic_discriminator(real_scores, fake_scores)
        return loss, real_scores.detach(), fake_scores.detach()

    def _r1(self, reals: Tensor, draws: Any, p: Tensor, labels: Tensor | None) -> Tensor:
        """R1 at the real images, differentiated through their augmentation."""
        return losses.r1_penalty(
            lambda x: self._discriminator(self._augmented(x, draws, p), labels=labels), reals
        )

    def _lengths(self, latents: Latents, directions: Tensor) -> Tensor:
        """(N,) path lengths."""
        styles, _ = self._styles(latents)
        return losses.path_lengths(
            lambda s: self._generator.synthesis(s, latents.noise), styles, directions
        )

    def _styles(self, latents: Latents) -> tuple[Tensor, Tensor]:
        """Mixed styles, and w of the first latents."""
        return self._generator.mixed_styles(latents.pairs, latents.cutoff, latents.labels)

    def _augmented(self, images: Tensor, draws: AugmentDraws | None, p: Tensor) -> Tensor:
        """Images as the discriminator sees them."""
        return images if draws is None else apply(images, draws, p, self._augment)


def _mean_by_class(w: Tensor, labels: Tensor | None) -> Tensor:
    """(Z,) the mean of (N, Z); with (N,) classes, of which each has images, (classes, Z)."""
    if labels is None:
        return w.mean(dim=0)
    shares = one_hot(labels)
    return (shares / shares.sum(dim=0)).T @ w
