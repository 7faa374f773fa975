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
from idhray.gan.stylegan2.networks import StyleGan2Discriminator, StyleGan2Generator


class Latents(NamedTuple):
    """Random inputs of N images."""

    pairs: Tensor
    """(2, N, Z)."""
    cutoff: Tensor
    """(): first layer that gets the second latents."""
    noise: Tensor
    """(N, P)."""

    def part(self, images: slice) -> "Latents":
        """Inputs of some of the images."""
        return Latents(self.pairs[:, images], self.cutoff, self.noise[images])


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
        """Loss of the generator, and (Z,) the mean w of the first latents."""
        styles, first = self._generator.mixed_styles(latents.pairs, latents.cutoff)
        images = self._generator.synthesis(styles, latents.noise, self._dtype)
        scores = self._discriminator(self._augmented(images, draws, p), self._dtype)
        return losses.logistic_generator(scores), first.detach().mean(dim=0)

    def _discriminator_loss(
        self, latents: Latents, reals: Tensor, draws: Any, p: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of the discriminator, and (N,) scores of real and of generated images.

        Args:
            draws: Draws for the real images, and for the generated ones.
        """
        with torch.no_grad():
            styles, _ = self._generator.mixed_styles(latents.pairs, latents.cutoff)
            fakes = self._generator.synthesis(styles, latents.noise, self._dtype)
        # One pass for both: the groups of the minibatch std lie within either half.
        both = [self._augmented(reals, draws[0], p), self._augmented(fakes, draws[1], p)]
        real_scores, fake_scores = self._discriminator(torch.cat(both), self._dtype).chunk(2)
        loss = losses.logistic_discriminator(real_scores, fake_scores)
        return loss, real_scores.detach(), fake_scores.detach()

    def _r1(self, reals: Tensor, draws: Any, p: Tensor) -> Tensor:
        """R1 at the real images, differentiated through their augmentation."""
        return losses.r1_penalty(lambda x: self._discriminator(self._augmented(x, draws, p)), reals)

    def _lengths(self, latents: Latents, directions: Tensor) -> Tensor:
        """(N,) path lengths."""
        styles, _ = self._generator.mixed_styles(latents.pairs, latents.cutoff)
        return losses.path_lengths(
            lambda s: self._generator.synthesis(s, latents.noise), styles, directions
        )

    def _augmented(self, images: Tensor, draws: AugmentDraws | None, p: Tensor) -> Tensor:
        """Images as the discriminator sees them."""
        return images if draws is None else apply(images, draws, p, self._augment)
