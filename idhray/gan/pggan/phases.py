"""Phases of PGGAN: its losses as functions of tensors, to be compiled and differentiated.

Shapes: N images, C channels, S side of the level, Z latent size.
"""

from typing import Any

import torch
from torch import Tensor

from idhray.gan import losses
from idhray.gan.augment.augment import apply
from idhray.gan.augment.config import AugmentSettings
from idhray.gan.augment.draws import AugmentDraws
from idhray.gan.engine import Engine
from idhray.gan.pggan.networks import PgganDiscriminator, PgganGenerator


class PgganPhases:
    """Phases of two networks at one level.

    `draws` and `p` are those of augmentation. `alpha`, (), is the weight of the level against the
    one below, or None once it is faded in, if phases are not compiled.
    """

    def __init__(
        self,
        generator: PgganGenerator,
        discriminator: PgganDiscriminator,
        *,
        level: int,
        drift: float,
        gradient_penalty: float,
        slope_scale: float,
        augment: AugmentSettings,
        engine: Engine,
        device: torch.device,
    ) -> None:
        self._generator = generator
        self._discriminator = discriminator
        self._level = level
        self._drift = drift
        self._gradient_penalty = gradient_penalty
        self._slope_scale = slope_scale
        self._augment = augment
        self._dtype = engine.dtype(device)
        self.generator = engine.phase(self._generator_loss)
        self.discriminator = engine.phase(self._discriminator_loss)
        self.penalty = engine.phase(self._penalty)
        self.critic = engine.phase(self._critic_loss)

    def _generator_loss(
        self, latents: Tensor, alpha: Tensor | None, draws: Any, p: Tensor
    ) -> Tensor:
        fakes = self._generator(latents, self._level, alpha, self._dtype)
        return losses.wasserstein_generator(
            self._scores(self._augmented(fakes, draws, p), alpha, self._dtype)
        )

    def _discriminator_loss(
        self, latents: Tensor, reals: Tensor, alpha: Tensor | None, draws: Any, p: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of the critic without its penalty, its score gap, and the generated images.

        Args:
            draws: Draws for the real images, and for the generated ones.
        """
        with torch.no_grad():
            fakes = self._generator(latents, self._level, alpha, self._dtype)
        # One pass for both: the groups of the minibatch std lie within either half.
        both = [self._augmented(reals, draws[0], p), self._augmented(fakes, draws[1], p)]
        real_scores, fake_scores = self._scores(torch.cat(both), alpha, self._dtype).chunk(2)
        gap = losses.score_gap(real_scores, fake_scores)
        return self._drift * losses.drift(real_scores) - gap, gap.detach(), fakes

    def _penalty(
        self,
        reals: Tensor,
        fakes: Tensor,
        mix: Tensor,
        alpha: Tensor | None,
        *,
        draws: Any,
        p: Tensor,
    ) -> Tensor:
        """Gradient penalty between real and generated images as the critic sees them."""
        return losses.gradient_penalty(
            lambda x: self._scores(x, alpha, None),
            self._augmented(reals, draws[0], p),
            self._augmented(fakes, draws[1], p),
            mix,
            scale=self._slope_scale,
        )

    def _critic_loss(
        self,
        latents: Tensor,
        reals: Tensor,
        mix: Tensor,
        alpha: Tensor | None,
        *,
        draws: Any,
        p: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Loss of the critic with its penalty, for one backward pass, and its score gap."""
        loss, gap, fakes = self._discriminator_loss(latents, reals, alpha, draws, p)
        penalty = self._penalty(reals, fakes, mix, alpha, draws=draws, p=p)
        return loss + self._gradient_penalty * penalty, gap

    def _scores(self, images: Tensor, alpha: Tensor | None, dtype: torch.dtype | None) -> Tensor:
        scores: Tensor = self._discriminator(images, self._level, alpha, dtype)
        return scores

    def _augmented(self, images: Tensor, draws: AugmentDraws | None, p: Tensor) -> Tensor:
        """Images as the critic sees them."""
        return images if draws is None else apply(images, draws, p, self._augment)
