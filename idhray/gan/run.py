"""A generator in training, of any architecture: its inputs, its networks and its progress.

The architecture defines the training step. The random numbers of a step depend on the seed and the
images shown alone. Every worker holds all images and takes its share of each global batch;
gradients are averaged after each backward pass.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from idhray.chance import seed_for
from idhray.distributed import Worker
from idhray.gan.config import CLASS_COUNT, GanSettings
from idhray.gan.data import TrainingImages, balanced_order, order, to_unit_range, with_symmetry
from idhray.gan.engine import Engine

_SYMMETRIES = {"none": 1, "mirror": 2, "dihedral": 8}

Losses = dict[str, Tensor]
"""Values that a step measured, by name, each ()."""


@dataclass(kw_only=True)
class Run(ABC):
    """A generator in training.

    A subclass sets `level` and `reals` in `__post_init__`. Its `step` draws random numbers for the
    global batch, so that any number of workers trains the same; computes the share of this worker
    in `_parts`, so that `micro_batch` is respected; adds the batch size to `images_shown`; and
    updates `average`. A short example is `tests/gan/toy.py`.
    """

    settings: GanSettings
    engine: Engine = field(default_factory=Engine)
    seed: int
    idh: str
    patients: tuple[str, ...]
    """Patients whose images shaped the weights: those of `images`, and those of the run that this
    one started from."""
    images: TrainingImages
    owners: tuple[int, ...] | None = None
    """Number of the patient of each image, if the settings weigh patients equally."""
    classes: tuple[int, ...] | None = None
    """Class of each image for a conditional generator, 0 or 1; None for one class."""
    worker: Worker
    device: torch.device
    generator: nn.Module
    average: nn.Module
    """Generator whose images are used: a running mean (EMA) of the trained one."""
    images_shown: int = 0
    level: int = -1
    """Images are 4 * 2^level px; -1 before the first step."""
    alpha: float = 1.0
    """Weight of that level against the one below."""
    initialized_from: str | None = None
    """Hash of the weights that the networks started from; None for random weights."""
    freeze_layers: int | None = None
    """Blocks of the discriminator that keep those weights."""
    reals: Tensor = field(default_factory=lambda: torch.empty(0))
    """All images at that level, (N, C, S, S) uint8 on the device."""

    @staticmethod
    @abstractmethod
    def new_networks(settings: Any) -> dict[str, nn.Module]:
        """New networks by the name of their field, `generator` first."""

    @staticmethod
    @abstractmethod
    def check_shares(settings: Any, worker: Worker) -> None:
        """Refuse batches that do not divide over the workers (ConfigError)."""

    @abstractmethod
    def step(self) -> Losses:
        """Train on one batch. Every worker returns the same names, each for its own share."""

    @abstractmethod
    def optimizers(self) -> Sequence[Optimizer]:
        """Optimizers of the next step."""

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Networks by the name that their weights have in a checkpoint."""
        return {"generator_ema": self.average, "generator": self.generator}

    @abstractmethod
    def training_state(self) -> dict[str, Any]:
        """Tensors and numbers that training continues with, besides networks and images shown."""

    @abstractmethod
    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Continue with the values of `training_state`."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the feature maps in the main phases."""
        return self.engine.dtype(self.device)

    def _parts(self, size: int) -> list[tuple[slice, float]]:
        """Parts of this worker's share of `size` images, each with its fraction of the share."""
        share_size = size // self.worker.size
        return [
            (part, (part.stop - part.start) / share_size) for part in self.engine.parts(share_size)
        ]

    def reals_of(self, size: int, symmetries: Tensor) -> Tensor:
        """This worker's share of the next `size` real images, float32 -1..1.

        Args:
            symmetries: One for each image of the global batch, as `with_symmetry` takes them.
        """
        part = self.worker.share(size)
        if self.classes is None:
            indices = order(self.seed, len(self.images), self.images_shown, size, self.owners)
        else:
            indices = balanced_order(self.seed, self.classes, self.images_shown, size, self.owners)
        indices = indices[part]
        reals = to_unit_range(self.reals[self.on_device(torch.from_numpy(indices))])
        if self.settings.symmetry == "none":
            return reals
        return with_symmetry(reals, self.on_device(symmetries[part]))

    def labels_of(self, size: int) -> Tensor | None:
        """(n,) int64 classes of this worker's share of `size` images, which take turns.

        Images of a batch have the class of the real images in the same places. None for a
        generator of one class.
        """
        if self.classes is None:
            return None
        return self.on_device(torch.arange(size)[self.worker.share(size)] % CLASS_COUNT)

    def on_device(self, tensor: Tensor) -> Tensor:
        """The tensor on the device of the networks, without waiting for the device."""
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()  # from other memory a copy waits for the device
        return tensor.to(self.device, non_blocking=True)

    def symmetries(self, size: int, chance: torch.Generator) -> Tensor:
        """(size,) random symmetries, of those that the settings allow, in which to show images."""
        return torch.randint(_SYMMETRIES[self.settings.symmetry], (size,), generator=chance)

    def chance(self, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
        """Random numbers of this step."""
        seed = seed_for(self.seed, purpose, self.images_shown)
        return torch.Generator(device).manual_seed(seed)
