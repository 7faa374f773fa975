"""Pixels and labels of each training step, from the schedule of its slots."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.chance import generator
from idhray.classify.augmentation import augmented, rotated
from idhray.classify.backbones import network_input
from idhray.classify.image_set import ImageRows
from idhray.classify.settings import ClassifierSettings
from idhray.classify.slots import Schedule, StepSlots
from idhray.distributed import Worker
from idhray.image_ranks import equal_draws, equally_large


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
    seed: int,
    worker: Worker,
    schedule: Schedule | None = None,
) -> Iterator[Batch]:
    """Worker's share of each global batch.

    Args:
        real: Real images. Fewer than the schedule numbers are shown again from the first.
        added: Added images, if the schedule has any.
        slots: Slots of the steps.
        settings: Settings of the training.
        seed: Seed of the online augmentation.
        worker: Rank of this worker and the number of workers.
        schedule: Schedule of the slots; needed if the settings weigh patients equally.
    """
    places = _EqualPatients(real, schedule) if settings.patient_weights == "equal" else None
    share = range(settings.batch_size)[worker.share(settings.batch_size)]
    for step in slots:
        pixels, labels = [], []
        for slot in share:
            source = added if added is not None and step.added[slot] else real
            place = int(step.images[slot]) % len(source)
            if source is real and places is not None:
                place = places.image(step.step, int(step.images[slot]))
            pixels.append(_shown(source.pixels(place), step, slot, settings, seed))
            labels.append(int(source.labels[place]))
        yield Batch(step.step, network_input(np.stack(pixels)), torch.tensor(labels))


class _EqualPatients:
    """Images that the numbers of real images stand for, so that patients have equal shares."""

    def __init__(self, real: ImageRows, schedule: Schedule | None) -> None:
        assert schedule is not None
        self._schedule, self._owners = schedule, real.patients
        self._as_listed = equally_large(self._owners)
        self._pass = -1
        self._images = np.arange(0)

    def image(self, step: int, number: int) -> int:
        """Image that a step shows for a number of its schedule; each pass draws anew."""
        if self._as_listed:
            return number % len(self._owners)
        if self._pass != (number_of_pass := step // self._schedule.steps_per_pass):
            random = generator(self._schedule.seed, "classifier", "patients", number_of_pass)
            self._images = equal_draws(self._owners, random, self._schedule.n_real)
            self._pass = number_of_pass
        return int(self._images[number])


def _shown(
    image: NDArray[np.uint8], step: StepSlots, slot: int, settings: ClassifierSettings, seed: int
) -> NDArray[np.uint8]:
    """Image as a slot shows it: turned and augmented as the settings say."""
    if settings.dihedral:
        image = rotated(image, int(step.turns[slot]))
    if settings.online == "classical":
        rng = generator(seed, "classifier", "online", step.step, slot)
        image = augmented(image, rng, slices=settings.channels == "two-channel")
    return image
