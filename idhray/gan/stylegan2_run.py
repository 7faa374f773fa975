"""How a StyleGAN2 is trained: a step of the generator, one of the discriminator, the EMA.

Both penalties are taken now and then only, in steps of their own ("lazy regularization"). Which
step is due follows from the images shown.

Shapes: N images of a batch, Z latent size, P noise pixels of all layers.
Source: Karras et al. 2020 (arXiv:1912.04958), K2020 below.
"""

from collections.abc import Iterable, Mapping
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
from idhray.gan.run import Losses, Run, descend
from idhray.gan.stylegan2 import Discriminator, Generator
from idhray.gan.stylegan2_config import StyleGan2Settings

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

    def __post_init__(self) -> None:
        self.level = self.settings.levels - 1
        self.reals = level_images(self.images, self.level, self.device)
        self.path_length_mean = self.path_length_mean.to(self.device)
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
        """Both optimizers and the mean path length."""
        return {
            "path_length_mean": self.path_length_mean,
            "g_optimizer": self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
        }

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on with what `training_state` gave."""
        self.path_length_mean.copy_(state["path_length_mean"])
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])

    def _generator_step(self) -> Losses:
        images, _, first = self._generate("gan generator", self.settings.batch_size)
        centre = first.detach().mean(dim=0)
        loss = losses.logistic_generator(self.discriminator(images))
        descend(self.g_optimizer, loss, self.worker)
        self.worker.average([centre])
        self.generator.w_average.lerp_(centre, 1 - W_AVERAGE_DECAY)
        return {"g_loss": loss.detach()}

    def _path_length_step(self) -> Losses:
        """Draw the path lengths to their running mean.

        Source: K2020, section 3.2, equation 4.
        """
        size = self.settings.batch_size // PATH_LENGTH_SHRINK
        images, styles, _ = self._generate("gan path", size)
        shape = (size, *images.shape[1:])
        chance = self.chance("gan path directions", self.device)
        directions = torch.randn(shape, generator=chance, device=self.device)
        lengths = losses.path_lengths(images, styles, directions[self.worker.share(size)])
        mean = lengths.detach().mean()
        self.worker.average([mean])
        self.path_length_mean.lerp_(mean, 1 - PATH_LENGTH_DECAY)
        penalty = (lengths - self.path_length_mean).square().mean()
        weight = self.settings.path_length_weight * self.settings.path_length_interval
        descend(self.g_optimizer, weight * penalty, self.worker)
        return {"path_length": mean}

    def _discriminator_step(self, reals: Tensor) -> Losses:
        with torch.no_grad():
            fakes, _, _ = self._generate("gan discriminator", self.settings.batch_size)
        # One pass for both: the groups of the minibatch std lie within either half.
        real_scores, fake_scores = self.discriminator(torch.cat([reals, fakes])).chunk(2)
        loss = losses.logistic_discriminator(real_scores, fake_scores)
        descend(self.d_optimizer, loss, self.worker)
        gap = losses.score_gap(real_scores.detach(), fake_scores.detach())
        return {"d_loss": loss.detach(), "score_gap": gap}

    def _r1_step(self, reals: Tensor) -> Losses:
        penalty = losses.r1_penalty(self.discriminator, reals)
        weight = self.settings.r1_gamma / 2 * self.settings.r1_interval
        descend(self.d_optimizer, weight * penalty, self.worker)
        return {"r1": penalty.detach()}

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

    def _generate(self, purpose: str, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """This worker's share of `size` images; their styles (n, 2L, Z), and first w (n, Z).

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
        styles, first = self.generator.mixed_styles(
            self.on_device(pairs[:, part]), self.on_device(cutoff)
        )
        return self.generator.synthesis(styles, noise), styles, first


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
