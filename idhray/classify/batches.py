"""Pixels and labels of each training step, from the schedule of its slots."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.classify.backbones import network_input
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import ClassifierSettings
from idhray.classify.slots import StepSlots
from idhray.distributed import Worker


@dataclass(frozen=True)
class Batch:
    """A worker's share of one global batch."""

    step: int
    pixels: Tensor  # (N, C, H, W) uint8
    labels: Tensor  # (N,) int64


def batches(
    real: ImageRows,
    added: ImageRows | None,
    slots: Iterable[StepSlots],
    settings: ClassifierSettings,
    *,
    worker: Worker,
) -> Iterator[Batch]:
    """Worker's share of each global batch.

    Args:
        real: Real images. Fewer than the schedule numbers are shown again from the first.
        added: Added images, if the schedule has any.
        slots: Slots of the steps.
        settings: Settings of the training.
        worker: Rank of this worker and the number of workers.
    """
    share = worker.share(settings.batch_size)
    for step in slots:
        pixels, labels = [], []
        for is_added, number, turn in zip(
            step.added[share], step.images[share], step.turns[share], strict=True
        ):
            source = added if is_added and added is not None else real
            place = int(number) % len(source)
            image = source.pixels(place)
            pixels.append(rotated(image, int(turn)) if settings.dihedral else image)
            labels.append(int(source.labels[place]))
        yield Batch(step.step, network_input(np.stack(pixels)), torch.tensor(labels))


def rotated(image: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Image rotated by `turn % 4` quarter turns, and mirrored if `turn` is 4 to 7."""
    image = np.rot90(image, turn % 4)
    return image[:, ::-1] if turn >= 4 else image
