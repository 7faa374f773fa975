"""How a StyleGAN2 is trained: a step of the generator, one of the discriminator, the EMA.

Both penalties are taken now and then only, in steps of their own ("lazy regularization"). Which
step is due follows from the images shown.

Shapes: N images of a batch, Z latent size, P noise pixels of all layers.
Source: Karras et al. 2020 (arXiv:1912.04958), K2020 below.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from idhray.distributed import Worker
from idhray.errors import ConfigError
from idhray.gan import losses
from idhray.gan.checks import STD_GROUP
from idhray.gan.data import level_images
from idhray.gan.engine import descend, only
from idhray.gan.run import Losses, Run, share
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.networks import Discriminator, Generator
from idhray.gan.stylegan2.phases import Latents, Phases

W_AVERAGE_DECAY = 0.995  # per step; source: the implementation that Park et al. 2021 used
PATH_LENGTH_DECAY = 0.99  # per step of the penalty; source: the same
PATH_LENGTH_SHRINK = 2  # the penalty takes half of a batch, to save memory; source: the same


@dataclass(kw_only=True)
class StyleGan2Run(Run):
    """A StyleGAN2 in training."""

    settings: StyleGan2Settings
    generator: Generator
    discriminator: Discriminator
    average: Generator
    path_length_mean: Tensor = field(default_factory=lambda: torch.zeros(()))
    """(): what the penalty draws each path length to."""
    g_optimizer: Optimizer = field(init=False)
    d_optimizer: Optimizer = field(init=False)
    phases: Phases = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.settings.levels - 1
        self.reals = level_images(self.images, self.level, self.device)
        self.path_length_mean = self.path_length_mean.to(self.device)
        self.phases = Phases(
            self.generator, self.discriminator, self.settings.augment, self.engine, self.device
        )
        self.start_optimizers()

    @staticmethod
    def networks(settings: StyleGan2Settings) -> tuple[Generator, Discriminator]:
        """A new generator and a new discriminator."""
        return Generator(settings), Discriminator(settings)

    @staticmethod
    def check_shares(settings: StyleGan2Settings, worker: Worker) -> None:
        """Refuse batches that do not divide over the workers, in whole groups.

        Raises:
            ConfigError: they do not.
        """
        if settings.batch_size % (worker.size * STD_GROUP):
            raise ConfigError(
                f"batch_size {settings.batch_size} does not divide over {worker.size} workers in "
                f"groups of {STD_GROUP}; use fewer workers or another batch_size"
            )

    def start_optimizers(self) -> None:
        """Two new ones, of all that is not frozen."""
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
        """Losses and score gap; in their turn R1 and path length."""
        settings = self.settings
        steps_done = self.images_shown // settings.batch_size
        found = self._generator_step()
        if settings.path_length_weight and steps_done % settings.path_length_interval == 0:
            found |= self._path_length_step()
        reals = self._next_reals()
        found |= self._discriminator_step(reals)
        if settings.r1_gamma and steps_done % settings.r1_interval == 0:
            found |= self._r1_step(reals)
        self._follow()
        self.images_shown += settings.batch_size
        return found

    def training_state(self) -> dict[str, Any]:
        """Both optimizers, the mean path length, and the probability of augmentation."""
        return {
            **super().training_state(),
            "path_length_mean": self.path_length_mean,
            "g_optimizer": self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
        }

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on with what `training_state` gave."""
        super().load_training_state(state)
        self.path_length_mean.copy_(state["path_length_mean"])
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])

    def _generator_step(self) -> Losses:
        size = self.settings.batch_size
        latents, draws = self._latents("gan generator", size), self._draws("gan generator", size)
        center = torch.zeros_like(self.generator.w_average)

        def parts() -> Iterator[Tensor]:
            for own, weight in self._parts(size):
                loss, first = self.phases.generator(latents.part(own), share(draws, own), self.p)
                center.add_(first, alpha=weight)
                yield weight * loss

        with only(self.generator, self.discriminator):
            loss = descend(self.g_optimizer, parts(), self.worker, self.dtype)
        self.worker.average([center])
        self.generator.w_average.lerp_(center, 1 - W_AVERAGE_DECAY)
        return {"g_loss": loss}

    def _path_length_step(self) -> Losses:
        """Draw the path lengths to their running mean.

        Source: K2020, section 3.2, equation 4.
        """
        size = self.settings.batch_size // PATH_LENGTH_SHRINK
        latents, directions = self._latents("gan path", size), self._directions(size)
        weight = self.settings.path_length_weight * self.settings.path_length_interval
        parts = self._parts(size)
        means: list[Tensor] = []

        def losses() -> Iterator[Tensor]:
            for own, part in parts:
                lengths = self.phases.lengths(latents.part(own), directions[own])
                if len(parts) == 1:  # else it was measured before, as every part needs it
                    means.append(self._path_length_follows(lengths.detach().mean()))
                yield weight * part * (lengths - self.path_length_mean).square().mean()

        with only(self.generator, self.discriminator):
            if len(parts) > 1:
                with torch.no_grad():
                    found = [self.phases.lengths(latents.part(p), directions[p]) for p, _ in parts]
                means.append(self._path_length_follows(torch.cat(found).mean()))
            descend(self.g_optimizer, losses(), self.worker)
        return {"path_length": means[0]}

    def _path_length_follows(self, mean: Tensor) -> Tensor:
        """The mean of all workers, when the running one has taken its step towards it."""
        self.worker.average([mean])
        self.path_length_mean.lerp_(mean, 1 - PATH_LENGTH_DECAY)
        return mean

    def _discriminator_step(self, reals: Tensor) -> Losses:
        size = self.settings.batch_size
        latents = self._latents("gan discriminator", size)
        of_reals, of_fakes = self._draws("gan reals", size), self._draws("gan fakes", size)
        scores: list[tuple[Tensor, Tensor]] = []

        def parts() -> Iterator[Tensor]:
            for own, weight in self._parts(size):
                draws = share(of_reals, own), share(of_fakes, own)
                loss, *found = self.phases.discriminator(
                    latents.part(own), reals[own], draws, self.p
                )
                scores.append((found[0].clone(), found[1].clone()))
                yield weight * loss

        with only(self.discriminator, self.generator):
            loss = descend(self.d_optimizer, parts(), self.worker, self.dtype)
        real, fake = (torch.cat(kind) for kind in zip(*scores, strict=True))
        if self.adaptive:
            self.adaptive.observe(real, size, self.worker.average)
        return {"d_loss": loss, "score_gap": losses.score_gap(real, fake)}

    def _r1_step(self, reals: Tensor) -> Losses:
        size, interval = self.settings.batch_size, self.settings.r1_interval
        draws = self._draws("gan r1", size)

        def parts() -> Iterator[Tensor]:
            for own, weight in self._parts(size):
                penalty = self.phases.r1(reals[own], share(draws, own), self.p)
                yield self.settings.r1_gamma / 2 * interval * weight * penalty

        with only(self.discriminator, self.generator):
            loss = descend(self.d_optimizer, parts(), self.worker)
        return {"r1": loss / (self.settings.r1_gamma / 2 * interval)}

    def _follow(self) -> None:
        """EMA <- decay * EMA + (1 - decay) * G, the decay such that old weights halve in time."""
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
        """What this worker's share of `size` images is made of.

        All is drawn for the global batch: latents and cutoff on the CPU, whatever the device; the
        noise, which is large, on the device itself.
        """
        part = self.worker.share(size)
        chance = self.chance(purpose)
        pairs = torch.randn(2, size, self.settings.latent_size, generator=chance)
        cutoff = mixing_cutoff(self.settings.style_mixing, self.generator.layers, chance)
        pixels = self.generator.fixed_noise.shape[1]
        chance = self.chance(f"{purpose} noise", self.device)
        noise = torch.randn(size, pixels, generator=chance, device=self.device)[part]
        return Latents(self.on_device(pairs[:, part]), self.on_device(cutoff), noise)

    def _directions(self, size: int) -> Tensor:
        """(n, C, S, S): where path lengths are measured, of this worker's share."""
        side = self.settings.resolution_px
        shape = (size, self.settings.channels, side, side)
        chance = self.chance("gan path directions", self.device)
        drawn = torch.randn(shape, generator=chance, device=self.device)
        return drawn[self.worker.share(size)]


def mixing_cutoff(probability: float, layers: int, chance: torch.Generator) -> Tensor:
    """(): the first layer that gets a batch's second latents; `layers`, so none, if not mixed."""
    drawn = torch.randint(1, layers, (), generator=chance)
    mixed = torch.rand((), generator=chance) < probability
    return torch.where(mixed, drawn, layers)


def lazy_adam(
    parameters: Iterable[nn.Parameter], settings: StyleGan2Settings, interval: int | None
) -> Optimizer:
    """Adam that takes one step more, of a penalty, in every `interval` steps; None for no penalty.

    With c = k / (k + 1) the rate is times c and the betas to the power of c, so that k + 1 steps
    do what k would.

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
