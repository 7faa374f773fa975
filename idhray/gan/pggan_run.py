"""How a PGGAN is trained: a step of the discriminator, one of the EMA, one of the generator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from idhray.distributed import Worker
from idhray.errors import ConfigError
from idhray.gan import losses
from idhray.gan.checks import STD_GROUP
from idhray.gan.data import faded, level_images
from idhray.gan.pggan import Discriminator, Generator, active_parameters
from idhray.gan.pggan_config import PgganSettings
from idhray.gan.run import Losses, Run, descend
from idhray.gan.schedule import Growth, growth_at


@dataclass(kw_only=True)
class PgganRun(Run):
    """A PGGAN in training."""

    settings: PgganSettings
    generator: Generator
    discriminator: Discriminator
    average: Generator
    fading: bool = False
    """Whether the optimizers are for the time that a level is faded in."""
    g_optimizer: Optimizer | None = None
    d_optimizer: Optimizer | None = None

    @staticmethod
    def networks(settings: PgganSettings) -> tuple[Generator, Discriminator]:
        """A new generator and a new discriminator."""
        return Generator(settings), Discriminator(settings)

    @staticmethod
    def check_shares(settings: PgganSettings, worker: Worker) -> None:
        """Refuse batches that do not divide over the workers, in whole groups.

        Raises:
            ConfigError: they do not.
        """
        for level, size in enumerate(settings.batch_sizes[: settings.levels]):
            if size % (worker.size * STD_GROUP):
                raise ConfigError(
                    f"batch size {size} at {4 << level} px does not divide over {worker.size} "
                    f"workers in groups of {STD_GROUP}; use fewer workers or other batch_sizes"
                )

    def step(self) -> Losses:
        """Discriminator, EMA, generator: losses and score gap.

        Source of the order: train.py:227-231 of the implementation that Liu et al. 2020 used.
        """
        settings = self.settings
        growth = growth_at(settings, self.images_shown)
        self.prepare(growth.level, growth.fading)
        self.alpha = growth.alpha
        reals, latents, mix = self._batch(growth)
        at = (growth.level, growth.alpha)

        with torch.no_grad():
            fakes = self.generator(latents[0], *at)
        # One pass for both: the groups of the minibatch std lie within either half.
        real_scores, fake_scores = self.discriminator(torch.cat([reals, fakes]), *at).chunk(2)
        gap = losses.score_gap(real_scores, fake_scores)
        penalty = losses.gradient_penalty(lambda x: self.discriminator(x, *at), reals, fakes, mix)
        d_loss = settings.gradient_penalty * penalty + settings.drift * losses.drift(real_scores)
        d_loss = d_loss - gap
        descend(self.d_optimizer, d_loss, self.worker)

        follow = get_ema_multi_avg_fn(settings.ema_decay)
        follow(list(self.average.parameters()), list(self.generator.parameters()), None)

        g_loss = losses.generator_loss(self.discriminator(self.generator(latents[1], *at), *at))
        descend(self.g_optimizer, g_loss, self.worker)

        self.images_shown += growth.batch_size
        return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach(), "score_gap": gap.detach()}

    def prepare(self, level: int, fading: bool) -> None:
        """Fresh optimizers, and images of that size, where the last step was of another phase.

        Source: Adam's moments are reset when a level starts to fade in and when it is in,
        train.py:137 and 221-223 of the implementation that Liu et al. 2020 used.
        """
        if (self.level, self.fading) == (level, fading):
            return
        if self.level != level:
            self.reals = level_images(self.images, level, self.device)
        self.level, self.fading = level, fading
        self.g_optimizer = self._adam(self.generator)
        self.d_optimizer = self._adam(self.discriminator)

    def training_state(self) -> dict[str, Any]:
        """Both optimizers and the phase that they are for."""
        return {
            "level": self.level,
            "fading": self.fading,
            "g_optimizer": self.g_optimizer and self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer and self.d_optimizer.state_dict(),
        }

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on with what `training_state` gave."""
        if state["level"] < 0:
            return  # saved before the first step
        self.prepare(state["level"], state["fading"])
        assert self.g_optimizer is not None
        assert self.d_optimizer is not None
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])

    def _adam(self, network: Generator | Discriminator) -> Optimizer:
        parameters = list(active_parameters(network, self.level, self.fading))
        betas = (0.0, self.settings.beta2)
        return Adam(parameters, lr=self.settings.learning_rate, betas=betas, fused=True)

    def _batch(self, growth: Growth) -> tuple[Tensor, Tensor, Tensor]:
        """This worker's share of the step's real images, two sets of latents, and mixing factors.

        All is drawn for the global batch, on the CPU, whatever the device and number of workers.
        """
        size, part = growth.batch_size, self.worker.share(growth.batch_size)
        chance = self.chance("gan step")
        latents = torch.randn(2, size, self.settings.latent_size, generator=chance)
        mix = torch.rand(size, 1, 1, 1, generator=chance)
        reals = faded(self.reals_of(size, self.symmetries(size, chance)), growth.alpha)
        return reals, self.on_device(latents[:, part]), self.on_device(mix[part])
