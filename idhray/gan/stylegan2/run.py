"""Training of a StyleGAN2: a step of the generator, one of the discriminator, the EMA.

Both penalties have separate steps at intervals ("lazy regularization"). The images shown decide
which step is due.

Shapes: N images of a batch, Z latent size, P noise pixels of all layers.
Source: Karras et al. 2020 (arXiv:1912.04958), K2020 below.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from idhray.distributed import Worker
from idhray.errors import ConfigError
from idhray.gan import losses
from idhray.gan.adversarial import AdversarialRun, share
from idhray.gan.checks import STD_GROUP
from idhray.gan.data import level_images
from idhray.gan.engine import descend, only
from idhray.gan.run import Losses
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.networks import StyleGan2Discriminator, StyleGan2Generator
from idhray.gan.stylegan2.phases import Latents, StyleGan2Phases

W_AVERAGE_DECAY = 0.995  # per step; source: the implementation that Park et al. 2021 used
PATH_LENGTH_DECAY = 0.99  # per step of the penalty; source: the same
PATH_LENGTH_SHRINK = 2  # the penalty uses half of a batch, to save memory; source: the same
GAP_LIMIT = 15.0
"""Largest sound score gap, in logits: odds of e^15 between real and generated images. Ours: sound
runs of `demo-mri` stay below 7. Beyond the limit the discriminator has won, and the generator
learns little."""


@dataclass(kw_only=True)
class StyleGan2Run(AdversarialRun):
    """A StyleGAN2 in training."""

    settings: StyleGan2Settings
    generator: StyleGan2Generator
    discriminator: StyleGan2Discriminator
    average: StyleGan2Generator
    path_length_mean: Tensor = field(default_factory=lambda: torch.zeros(()))
    """(): path length that the penalty pulls all path lengths towards."""
    g_optimizer: Optimizer = field(init=False)
    d_optimizer: Optimizer = field(init=False)
    phases: StyleGan2Phases = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.settings.levels - 1
        self.reals = level_images(self.images, self.level, self.device)
        self.path_length_mean = self.path_length_mean.to(self.device)
        self.phases = StyleGan2Phases(
            self.generator, self.discriminator, self.settings.augment, self.engine, self.device
        )
        self.start_optimizers()

    @staticmethod
    def new_networks(settings: StyleGan2Settings) -> dict[str, nn.Module]:
        """New generator and discriminator."""
        return {
            "generator": StyleGan2Generator(settings),
            "discriminator": StyleGan2Discriminator(settings),
        }

    @staticmethod
    def check_shares(settings: StyleGan2Settings, worker: Worker) -> None:
        """Refuse batches that do not divide over the workers in whole groups.

        Raises:
            ConfigError: the batch size does not divide.
        """
        if settings.batch_size % (worker.size * STD_GROUP):
            raise ConfigError(
                f"batch_size {settings.batch_size} does not divide over {worker.size} workers in "
                f"groups of {STD_GROUP}; use fewer workers or another batch_size"
            )

    def start_optimizers(self) -> None:
        """Make new optimizers for all parameters that are not frozen."""
        settings = self.settings
        self.g_optimizer = lazy_adam(
            self.generator.parameters(),
            settings,
            settings.path_length_interval if settings.path_length_weight else None,
        )
        self.d_optimizer = lazy_adam(
            (p for p in self.discriminator.parameters() if p.requires_grad),
            settings,
            settings.r1_interval if settings.r1_gamma else None,
        )

    def step(self) -> Losses:
        """Train generator, discriminator and EMA: losses, score gap, and penalties if due."""
        settings = self.settings
        steps_done = self.images_shown // settings.batch_size
        measured = self._generator_step()
        if settings.path_length_weight and steps_done % settings.path_length_interval == 0:
            measured |= self._path_length_step()
        reals = self._next_reals()
        measured |= self._discriminator_step(reals)
        if settings.r1_gamma and steps_done % settings.r1_interval == 0:
            measured |= self._r1_step(reals)
        self._update_average()
        self.images_shown += settings.batch_size
        return measured

    def optimizers(self) -> Sequence[Optimizer]:
        """Optimizers of both networks."""
        return self.g_optimizer, self.d_optimizer

    def training_state(self) -> dict[str, Any]:
        """Both optimizers, the mean path length, and the probability of augmentation."""
        return {
            **super().training_state(),
            "path_length_mean": self.path_length_mean,
            "g_optimizer": self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
        }

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Continue with the values of `training_state`."""
        super().load_training_state(state)
        self.path_length_mean.copy_(state["path_length_mean"])
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])

    def _generator_step(self) -> Losses:
        size = self.settings.batch_size
        latents, draws = self._latents("gan generator", size), self._draws("gan generator", size)
        center = torch.zeros_like(self.generator.w_average)

        def parts() -> Iterator[Tensor]:
            for part, weight in self._parts(size):
                loss, first = self.phases.generator(latents.part(part), share(draws, part), self.p)
                center.add_(first, alpha=weight)
                yield weight * loss

        with only(self.generator, self.discriminator):
            loss = descend(self.g_optimizer, parts(), self.worker, self.dtype)
        self.worker.average([center])
        self.generator.w_average.lerp_(center, 1 - W_AVERAGE_DECAY)
        return {"g_loss": loss}

    def _path_length_step(self) -> Losses:
        """Pull the path lengths towards their running mean.

        Source: K2020, section 3.2, equation 4.
        """
        size = self.settings.batch_size // PATH_LENGTH_SHRINK
        latents, directions = self._latents("gan path", size), self._directions(size)
        weight = self.settings.path_length_weight * self.settings.path_length_interval
        parts = self._parts(size)
        means: list[Tensor] = []

        def part_losses() -> Iterator[Tensor]:
            for part, fraction in parts:
                lengths = self.phases.lengths(latents.part(part), directions[part])
                if len(parts) == 1:  # with more parts it is measured first, as all of them need it
                    means.append(self._update_path_length(lengths.detach().mean()))
                yield weight * fraction * (lengths - self.path_length_mean).square().mean()

        with only(self.generator, self.discriminator):
            if len(parts) > 1:
                with torch.no_grad():
                    lengths = [
                        self.phases.lengths(latents.part(part), directions[part])
                        for part, _ in parts
                    ]
                means.append(self._update_path_length(torch.cat(lengths).mean()))
            descend(self.g_optimizer, part_losses(), self.worker)
        return {"path_length": means[0]}

    def _update_path_length(self, mean: Tensor) -> Tensor:
        """Move the running mean towards the mean of all workers, which is returned."""
        self.worker.average([mean])
        self.path_length_mean.lerp_(mean, 1 - PATH_LENGTH_DECAY)
        return mean

    def _discriminator_step(self, reals: Tensor) -> Losses:
        size = self.settings.batch_size
        latents = self._latents("gan discriminator", size)
        real_draws, fake_draws = self._draws("gan reals", size), self._draws("gan fakes", size)
        scores: list[tuple[Tensor, Tensor]] = []

        def parts() -> Iterator[Tensor]:
            for part, weight in self._parts(size):
                draws = share(real_draws, part), share(fake_draws, part)
                loss, real_scores, fake_scores = self.phases.discriminator(
                    latents.part(part), reals[part], draws, self.p
                )
                scores.append((real_scores.clone(), fake_scores.clone()))
                yield weight * loss

        with only(self.discriminator, self.generator):
            loss = descend(self.d_optimizer, parts(), self.worker, self.dtype)
        real, fake = (torch.cat(part_scores) for part_scores in zip(*scores, strict=True))
        if self.adaptive:
            self.adaptive.observe(real, size, self.worker.average)
        return {"d_loss": loss, "score_gap": losses.score_gap(real, fake)}

    def _r1_step(self, reals: Tensor) -> Losses:
        size, interval = self.settings.batch_size, self.settings.r1_interval
        draws, labels = self._draws("gan r1", size), self.labels_of(size)

        def parts() -> Iterator[Tensor]:
            for part, weight in self._parts(size):
                classes = None if labels is None else labels[part]
                penalty = self.phases.r1(reals[part], share(draws, part), self.p, classes)
                yield self.settings.r1_gamma / 2 * interval * weight * penalty

        with only(self.discriminator, self.generator):
            loss = descend(self.d_optimizer, parts(), self.worker)
        return {"r1": loss / (self.settings.r1_gamma / 2 * interval)}

    def _update_average(self) -> None:
        """EMA <- decay * EMA + (1 - decay) * G, with the decay of the half-life in the settings."""
        settings = self.settings
        decay = 0.5 ** (settings.batch_size / (1000 * settings.ema_half_life_kimg))
        follow = get_ema_multi_avg_fn(decay)
        follow(list(self.average.parameters()), list(self.generator.parameters()), None)
        self.average.w_average.copy_(self.generator.w_average)

    def _next_reals(self) -> Tensor:
        size = self.settings.batch_size
        symmetries = self.symmetries(size, self.chance("gan reals"))
        return self.reals_of(size, symmetries)

    def _latents(self, purpose: str, size: int) -> Latents:
        """Random inputs of this worker's share of `size` images.

        All are drawn for the global batch: latents and cutoff always on the CPU; the noise, which
        is large, on the device.
        """
        part = self.worker.share(size)
        chance = self.chance(purpose)
        pairs = torch.randn(2, size, self.settings.latent_size, generator=chance)
        cutoff = mixing_cutoff(self.settings.style_mixing, self.generator.layers, chance)
        pixels = self.generator.fixed_noise.shape[1]
        chance = self.chance(f"{purpose} noise", self.device)
        noise = torch.randn(size, pixels, generator=chance, device=self.device)[part]
        labels = self.labels_of(size)
        return Latents(self.on_device(pairs[:, part]), self.on_device(cutoff), noise, labels)

    def _directions(self, size: int) -> Tensor:
        """(n, C, S, S): random directions of path lengths, for this worker's share."""
        side = self.settings.resolution_px
        shape = (size, self.settings.channels, side, side)
        chance = self.chance("gan path directions", self.device)
        directions = torch.randn(shape, generator=chance, device=self.device)
        return directions[self.worker.share(size)]


def mixing_cutoff(probability: float, layers: int, chance: torch.Generator) -> Tensor:
    """(): first layer that gets the second latents of a batch; `layers` if nothing is mixed."""
    layer = torch.randint(1, layers, (), generator=chance)
    mixed = torch.rand((), generator=chance) < probability
    return torch.where(mixed, layer, layers)


def lazy_adam(
    parameters: Iterable[nn.Parameter], settings: StyleGan2Settings, interval: int | None
) -> Optimizer:
    """Adam that takes one more step, for a penalty, in every `interval` steps; None: no penalty.

    With c = k / (k + 1) the rate is multiplied by c and the betas are raised to the power of c, so
    that k + 1 steps have the effect of k.

    Source: K2020, appendix B, "lazy regularization".
    """
    c = interval / (interval + 1) if interval else 1.0
    return Adam(
        list(parameters),
        lr=settings.learning_rate * c,
        betas=(0.0, settings.beta2**c),
        eps=1e-8,
        fused=True,
    )


def logistic_gap_limit(settings: StyleGan2Settings, side_px: int) -> float:
    """Largest sound score gap, the same for all settings and sizes."""
    return GAP_LIMIT
