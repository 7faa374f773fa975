"""The losses of StyleGAN2 as functions of tensors: what is compiled, and what is differentiated.

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
from idhray.gan.stylegan2.networks import Discriminator, Generator


class Latents(NamedTuple):
    """What images are made of."""

    pairs: Tensor
    """(2, N, Z)."""
    cutoff: Tensor
    """(): the first layer that gets the second latents."""
    noise: Tensor
    """(N, P)."""

    def part(self, own: slice) -> "Latents":
        """Those of some of the images."""
        return Latents(self.pairs[:, own], self.cutoff, self.noise[own])


class Phases:
    """The four phases of two networks; `draws` and `p` are those of augmentation."""

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
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
        """The loss of the generator, and (Z,) the mean of the first latents' w."""
        styles, first = self._generator.mixed_styles(latents.pairs, latents.cutoff)
        images = self._generator.synthesis(styles, latents.noise, self._dtype)
        scores = self._discriminator(self._seen(images, draws, p), self._dtype)
        return losses.logistic_generator(scores), first.detach().mean(dim=0)

    def _discriminator_loss(
        self, latents: Latents, reals: Tensor, draws: Any, p: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The loss of the discriminator, and (N,) scores of real and of generated images.

        Args:
            draws: Of the real images, and of the generated ones.
        """
        with torch.no_grad():
            styles, _ = self._generator.mixed_styles(latents.pairs, latents.cutoff)
            fakes = self._generator.synthesis(styles, latents.noise, self._dtype)
        # One pass for both: the groups of the minibatch std lie within either half.
        both = [self._seen(reals, draws[0], p), self._seen(fakes, draws[1], p)]
        real_scores, fake_scores = self._discriminator(torch.cat(both), self._dtype).chunk(2)
        loss = losses.logistic_discriminator(real_scores, fake_scores)
        return loss, real_scores.detach(), fake_scores.detach()

    def _r1(self, reals: Tensor, draws: Any, p: Tensor) -> Tensor:
        """R1 at the real images as they are, through their augmentation."""
        return losses.r1_penalty(lambda x: self._discriminator(self._seen(x, draws, p)), reals)

    def _lengths(self, latents: Latents, directions: Tensor) -> Tensor:
        """(N,) path lengths."""
        styles, _ = self._generator.mixed_styles(latents.pairs, latents.cutoff)
        return losses.path_lengths(
            lambda s: self._generator.synthesis(s, latents.noise), styles, directions
        )

    def _seen(self, images: Tensor, draws: AugmentDraws | None, p: Tensor) -> Tensor:
        """As the discriminator sees images."""
        return images if draws is None else apply(images, draws, p, self._augment)
