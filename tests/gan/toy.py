"""A third architecture for tests: a linear decoder, trained by mean squared error."""

import dataclasses

import torch
from torch import nn
from torch.nn import functional as F

from idhray.errors import ConfigError
from idhray.gan.architectures import Architecture
from idhray.gan.data import level_images
from idhray.gan.engine import descend
from idhray.gan.run import Run
from idhray.gan.trainer import new_run
from tests.gan.made_up import noise_images


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToySettings:
    """Settings of a decoder without a discriminator."""

    resolution_px: int = 8
    channels: int = 3
    latent_size: int = 6
    symmetry: str = "mirror"
    patient_weights: str = "images"
    total_kimg: float = 0.2
    checkpoint_kimg: float = 0.04
    sample_kimg: float = 0.1
    batch_size: int = 8
    learning_rate: float = 0.05


class ToyGenerator(nn.Module):
    """Latents -> images, linear."""

    def __init__(self, settings):
        super().__init__()
        side = settings.resolution_px
        self.shape = (settings.channels, side, side)
        self.linear = nn.Linear(settings.latent_size, settings.channels * side * side)

    def forward(self, latents):
        return self.linear(latents).unflatten(1, self.shape)


@dataclasses.dataclass(kw_only=True)
class ToyRun(Run):
    """Draws every image to the mean of its batch; only a generator is trained."""

    def __post_init__(self):
        self.level = self.settings.resolution_px.bit_length() - 3
        self.reals = level_images(self.images, self.level, self.device)
        self.adam = torch.optim.Adam(self.generator.parameters(), lr=self.settings.learning_rate)

    @staticmethod
    def new_networks(settings):
        return {"generator": ToyGenerator(settings)}

    @staticmethod
    def check_shares(settings, worker):
        if settings.batch_size % worker.size:
            raise ConfigError(f"batch_size {settings.batch_size} does not divide")

    def optimizers(self):
        return (self.adam,)

    def step(self):
        size, chance = self.settings.batch_size, self.chance("toy")
        reals = self.reals_of(size, self.symmetries(size, chance))
        latents = torch.randn(size, self.settings.latent_size, generator=chance)
        loss = F.mse_loss(self.generator(latents), reals.mean(0, keepdim=True).expand_as(reals))
        total = descend(self.adam, iter([loss]), self.worker)
        for mine, theirs in zip(
            self.average.parameters(), self.generator.parameters(), strict=True
        ):
            mine.data.lerp_(theirs.data, 0.5)
        self.images_shown += size
        return {"mse": total}

    def training_state(self):
        return {"adam": self.adam.state_dict()}

    def load_training_state(self, state):
        self.adam.load_state_dict(state["adam"])


TOY = Architecture(
    title="toy",
    settings=ToySettings,
    run=ToyRun,
    batch_size=lambda settings, images_shown: settings.batch_size,
    losses=("mse",),
    generator=ToyGenerator,
    images=lambda generator, latents, noise, growth, dtype: generator(latents),
)
"""The one entry that makes it known."""


def toy_run():
    """A new run of the third architecture."""
    images = noise_images()
    return new_run(images, ToySettings(), seed=1, idh="mutant", patients=("a", "b"))


def weights(run):
    """All weights in one row."""
    return torch.cat([v.flatten() for n in run.networks.values() for v in n.state_dict().values()])
