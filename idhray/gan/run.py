"""A GAN in training, of either architecture: what it was asked for, and how far it is.

A step is given by the architecture. What a step draws depends on seed and images shown alone.
Every worker holds all images and takes its share of each global batch; gradients are averaged
after each backward pass.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from idhray.chance import seed_for
from idhray.distributed import Worker
from idhray.gan.augment.adaptive import AdaptiveProbability
from idhray.gan.augment.augment import draw
from idhray.gan.augment.draws import AugmentDraws
from idhray.gan.config import GanSettings
from idhray.gan.data import Images, order, turned, unit
from idhray.gan.engine import Engine

_SYMMETRIES = {"none": 1, "mirror": 2, "dihedral": 8}

Losses = dict[str, Tensor]
"""What a step measured, by name, each ()."""


@dataclass(kw_only=True)
class Run(ABC):
    """A GAN in training."""

    settings: GanSettings
    engine: Engine = field(default_factory=Engine)
    seed: int
    idh: str
    patients: tuple[str, ...]
    """Whose images shaped the weights: those of `images`, and of the run that it started from."""
    images: Images
    worker: Worker
    device: torch.device
    generator: nn.Module
    discriminator: nn.Module
    average: nn.Module
    """The generator whose images are used: a running mean (EMA) of the trained one."""
    images_shown: int = 0
    level: int = -1
    """Images are 4 * 2^level px; -1 before the first step."""
    alpha: float = 1.0
    """How far that level is faded in."""
    initialized_from: str | None = None
    """Hash of the weights that the networks started from, if not from chance."""
    freeze_layers: int | None = None
    """Blocks of the discriminator that keep those weights."""
    reals: Tensor = field(default_factory=lambda: torch.empty(0))
    """All images at that level, (N, C, S, S) uint8 on the device."""

    @staticmethod
    @abstractmethod
    def networks(settings: Any) -> tuple[nn.Module, nn.Module]:
        """A new generator and a new discriminator."""

    @staticmethod
    @abstractmethod
    def check_shares(settings: Any, worker: Worker) -> None:
        """Refuse batches that do not divide over the workers (ConfigError)."""

    @abstractmethod
    def step(self) -> Losses:
        """Train on one batch; on every worker the same names come back, for its own share."""

    def training_state(self) -> dict[str, Any]:
        """Tensors and numbers that training goes on with, beside networks and images shown."""
        return {"augment": self.adaptive.state_dict()} if self.adaptive else {}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on with what `training_state` gave."""
        if self.adaptive:
            self.adaptive.load_state_dict(state["augment"])

    @functools.cached_property
    def adaptive(self) -> AdaptiveProbability | None:
        """Steers the probability of augmentation; None without adaptive augmentation."""
        if self.settings.augment.mode != "ada":
            return None
        return AdaptiveProbability(
            self.settings.augment,
            transferring=self.initialized_from is not None,
            device=self.device,
        )

    @functools.cached_property
    def p(self) -> Tensor:
        """(): the probability of augmentation, on the device."""
        return self.adaptive.p if self.adaptive else torch.zeros((), device=self.device)

    @property
    def dtype(self) -> torch.dtype:
        """Of the feature maps in the main phases."""
        return self.engine.dtype(self.device)

    def _parts(self, size: int) -> list[tuple[slice, float]]:
        """This worker's share of `size` images in parts, and the part of it that each is."""
        own = size // self.worker.size
        return [(part, (part.stop - part.start) / own) for part in self.engine.parts(own)]

    def _draws(self, purpose: str, size: int) -> AugmentDraws | None:
        """What augmentation draws for this worker's share of `size` images; None without any."""
        if self.settings.augment.mode == "none":
            return None
        chance = self.chance(f"{purpose} augmentation")
        drawn = draw(size, self.settings.channels, self.settings.augment, chance)
        return drawn.share(self.worker.share(size)).to(self.device)

    def reals_of(self, size: int, symmetries: Tensor) -> Tensor:
        """This worker's share of the next `size` real images, float32 -1..1.

        Args:
            symmetries: For each image of the global batch, as `turned` takes them.
        """
        part = self.worker.share(size)
        shown = torch.from_numpy(order(self.seed, len(self.images), self.images_shown, size)[part])
        reals = unit(self.reals[self.on_device(shown)])
        if self.settings.symmetry == "none":
            return reals
        return turned(reals, self.on_device(symmetries[part]))

    def on_device(self, tensor: Tensor) -> Tensor:
        """The tensor where the networks are, without waiting for what they are at."""
        return tensor.to(self.device, non_blocking=True)

    def symmetries(self, size: int, chance: torch.Generator) -> Tensor:
        """(size,): in which of the symmetries that the settings allow each image is shown."""
        return torch.randint(_SYMMETRIES[self.settings.symmetry], (size,), generator=chance)

    def chance(self, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
        """Random numbers of this step."""
        seed = seed_for(self.seed, purpose, self.images_shown)
        return torch.Generator(device).manual_seed(seed)


def share(draws: AugmentDraws | None, own: slice) -> AugmentDraws | None:
    """The draws of some of the images."""
    return None if draws is None else draws.share(own)
