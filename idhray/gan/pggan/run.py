"""Training of a PGGAN: a step of the discriminator, one of the EMA, one of the generator."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from idhray.distributed import Worker
from idhray.errors import ConfigError
from idhray.gan.adversarial import AdversarialRun, share
from idhray.gan.checks import STD_GROUP
from idhray.gan.data import faded, level_images
from idhray.gan.engine import descend, only
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.pggan.networks import PgganDiscriminator, PgganGenerator, active_parameters
from idhray.gan.pggan.phases import PgganPhases
from idhray.gan.pggan.schedule import batch_size_at, growth_at
from idhray.gan.run import Losses


@dataclass(kw_only=True)
class PgganRun(AdversarialRun):
    """A PGGAN in training."""

    settings: PgganSettings
    generator: PgganGenerator
    discriminator: PgganDiscriminator
    average: PgganGenerator
    fading: bool = False
    """True if the optimizers are those of a level that is being faded in."""
    g_optimizer: Optimizer | None = None
    d_optimizer: Optimizer | None = None
    phases: PgganPhases | None = None

    @staticmethod
    def new_networks(settings: PgganSettings) -> dict[str, nn.Module]:
        """New generator and discriminator."""
        return {
            "generator": PgganGenerator(settings),
            "discriminator": PgganDiscriminator(settings),
        }

    @staticmethod
    def check_shares(settings: PgganSettings, worker: Worker) -> None:
        """Refuse batches that do not divide over the workers in whole groups.

        Raises:
            ConfigError: a batch size does not divide.
        """
        for level, size in enumerate(settings.batch_sizes[: settings.levels]):
            if size % (worker.size * STD_GROUP):
                raise ConfigError(
                    f"batch size {size} at {4 << level} px does not divide over {worker.size} "
                    f"workers in groups of {STD_GROUP}; use fewer workers or other batch_sizes"
                )

    def step(self) -> Losses:
        """Train discriminator, EMA and generator: losses and score gap.

        Source of the order: train.py:227-231 of the implementation that Liu et al. 2020 used.
        """
        settings = self.settings
        growth = growth_at(settings, self.images_shown)
        self.prepare(growth.level, growth.fading)
        self.alpha = growth.alpha
        # Compiled phases take alpha at 1 too: one version of each phase serves the whole level.
        fades = growth.fading or self.engine.compiles
        alpha = self.on_device(torch.tensor(growth.alpha)) if fades else None
        size = batch_size_at(settings, self.images_shown)
        reals, latents, mix = self._batch(size, growth.alpha)
        measured = self._discriminator_step(reals, latents[0], mix, alpha)
        follow = get_ema_multi_avg_fn(settings.ema_decay)
        follow(list(self.average.parameters()), list(self.generator.parameters()), None)
        measured |= self._generator_step(latents[1], size, alpha)
        self.images_shown += size
        return measured

    def optimizers(self) -> Sequence[Optimizer]:
        """Optimizers of the next step, which are new if a phase begins with it."""
        growth = growth_at(self.settings, self.images_shown)
        self.prepare(growth.level, growth.fading)
        assert self.g_optimizer is not None
        assert self.d_optimizer is not None
        return self.g_optimizer, self.d_optimizer

    def _discriminator_step(
        self, reals: Tensor, latents: Tensor, mix: Tensor, alpha: Tensor | None
    ) -> Losses:
        """Step of the critic, by two backward passes, which need less memory than one.

        With CUDA graphs there is one, as the second replay would overwrite the slopes of the first.
        """
        size, settings, phases = len(reals) * self.worker.size, self.settings, self._phases
        real_draws, fake_draws = self._draws("gan reals", size), self._draws("gan fakes", size)
        gap = torch.zeros((), device=self.device)

        def parts() -> Iterator[Tensor]:
            for part, weight in self._parts(size):
                draws = share(real_draws, part), share(fake_draws, part)
                if self.engine.cuda_graphs:
                    loss, part_gap = phases.critic(
                        latents[part], reals[part], mix[part], alpha, draws=draws, p=self.p
                    )
                    gap.add_(part_gap, alpha=weight)
                    yield weight * loss
                    continue
                loss, part_gap, fakes = phases.discriminator(
                    latents[part], reals[part], alpha, draws, self.p
                )
                gap.add_(part_gap, alpha=weight)
                fakes = fakes.clone()
                yield weight * loss
                penalty = phases.penalty(
                    reals[part], fakes, mix[part], alpha, draws=draws, p=self.p
                )
                yield weight * settings.gradient_penalty * penalty

        with only(self.discriminator, self.generator):
            loss = descend(self.d_optimizer, parts(), self.worker, self.dtype)
        return {"d_loss": loss, "score_gap": gap}

    def _generator_step(self, latents: Tensor, size: int, alpha: Tensor | None) -> Losses:
        phases, draws = self._phases, self._draws("gan generator", size)

        def parts() -> Iterator[Tensor]:
            for part, weight in self._parts(size):
                yield weight * phases.generator(latents[part], alpha, share(draws, part), self.p)

        with only(self.generator, self.discriminator):
            loss = descend(self.g_optimizer, parts(), self.worker, self.dtype)
        return {"g_loss": loss}

    def prepare(self, level: int, fading: bool) -> None:
        """Make new optimizers, and images of that size, if the last step was of another phase.

        Source: Adam's moments are reset when a level starts to fade in and when it is faded in,
        train.py:137 and 221-223 of the implementation that Liu et al. 2020 used.
        """
        if (self.level, self.fading) == (level, fading):
            return
        if self.level != level:
            for network in (self.generator, self.discriminator):
                network.zero_grad()  # slopes of layers that this level does not train
            self.engine.restart_compiler()
            self.reals = level_images(self.images, level, self.device)
            self.phases = PgganPhases(
                self.generator,
                self.discriminator,
                level=level,
                drift=self.settings.drift,
                gradient_penalty=self.settings.gradient_penalty,
                slope_scale=slope_scale(self.settings, level),
                augment=self.settings.augment,
                engine=self.engine,
                device=self.device,
            )
        self.level, self.fading = level, fading
        self.g_optimizer = self._adam(self.generator)
        self.d_optimizer = self._adam(self.discriminator)

    def training_state(self) -> dict[str, Any]:
        """Both optimizers and their phase."""
        return {
            **super().training_state(),
            "level": self.level,
            "fading": self.fading,
            "g_optimizer": self.g_optimizer and self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer and self.d_optimizer.state_dict(),
        }

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Continue with the values of `training_state`."""
        super().load_training_state(state)
        if state["level"] < 0:
            return  # saved before the first step
        self.prepare(state["level"], state["fading"])
        assert self.g_optimizer is not None
        assert self.d_optimizer is not None
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])

    @property
    def _phases(self) -> PgganPhases:
        assert self.phases is not None
        return self.phases

    def _adam(self, network: PgganGenerator | PgganDiscriminator) -> Optimizer:
        parameters = list(active_parameters(network, self.level, self.fading))
        betas = (0.0, self.settings.beta2)
        return Adam(parameters, lr=self.settings.learning_rate, betas=betas, fused=True)

    def _batch(self, size: int, alpha: float) -> tuple[Tensor, Tensor, Tensor]:
        """This worker's share of the step's real images, two sets of latents, and mixing factors.

        All are drawn for the global batch on the CPU, for any device and number of workers.
        """
        part, chance = self.worker.share(size), self.chance("gan step")
        latents = torch.randn(2, size, self.settings.latent_size, generator=chance)
        mix = torch.rand(size, 1, 1, 1, generator=chance)
        reals = faded(self.reals_of(size, self.symmetries(size, chance)), alpha)
        return reals, self.on_device(latents[:, part]), self.on_device(mix[part])


def slope_scale(settings: PgganSettings, level: int) -> float:
    """Factor on the slope of the gradient penalty at a level."""
    if settings.penalty_slope == "level":
        return 1.0
    return (4 << level) / settings.resolution_px


def wasserstein_gap_limit(settings: PgganSettings, side_px: int) -> float:
    """Largest sound score gap, which is an estimated Wasserstein distance.

    Images are -1..1. A critic with slope 1 cannot tell images further apart than black is from
    white.
    """
    return 2 * side_px * math.sqrt(settings.channels)
