"""A GAN in training, of either architecture: what it was asked for, and how far it is.

A step is given by the architecture. What a step draws depends on seed and images shown alone.
Every worker holds all images and takes its share of each global batch; gradients are averaged
after each backward pass.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from idhray.chance import seed_for
from idhray.distributed import Worker
from idhray.gan.config import GanSettings
from idhray.gan.data import Images, order, turned, unit

_SYMMETRIES = {"none": 1, "mirror": 2, "dihedral": 8}

Losses = dict[str, Tensor]
"""What a step measured, by name, each ()."""


@dataclass(kw_only=True)
class Run(ABC):
    """A GAN in training."""

    settings: GanSettings
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
    initialised_from: str | None = None
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

    @abstractmethod
    def training_state(self) -> dict[str, Any]:
        """Tensors and numbers that training goes on with, beside networks and images shown."""

    @abstractmethod
    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on with what `training_state` gave."""

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


def descend(optimizer: Optimizer | None, loss: Tensor, worker: Worker) -> None:
    """One step of one network, by the mean of all workers' gradients."""
    assert optimizer is not None
    parameters = optimizer.param_groups[0]["params"]
    optimizer.zero_grad()
    loss.backward(inputs=parameters)  # the other network, if the loss passed it, gets no gradients
    for parameter in parameters:
        if parameter.grad is None:  # a bias that moves no slope, say; Adam is to count the step
            parameter.grad = torch.zeros_like(parameter)
    worker.average(p.grad for p in parameters)
    optimizer.step()
