"""Schedule of a training: the image that each slot of each step shows.

A step is one global batch of B slots. Steps are numbered from 0 over the whole training, and slots
from 0 to B - 1. A pass is floor(N / B) steps, N being the number of real images. Each pass has a
permutation of the real images, and a fixed uniform number u and a turn for each of its slots.

A training with n added images shows an added image in the slots with u < n / (N + n), and in all
others the image that a training without added images shows there. So all trainings with one n
replace the same slots, and a larger n replaces these and others. The added slots of the training
are numbered j = 0, 1, 2, ...; slot j shows image j mod n of the order of pass j // n over the added
images, which is the order of their list first, and a permutation later.

Everything is a function of seed and step, so a resumed training continues the same schedule.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idhray.chance import generator


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Numbers that decide the images of every step."""

    n_real: int
    """Real images N, by which passes, steps and slots are numbered."""
    n_added: int = 0
    """Added images n."""
    batch_size: int
    """Slots B of a step."""
    seed: int
    """Seed of fold and repeat."""

    @property
    def steps_per_pass(self) -> int:
        """Steps of a pass over the real images; the incomplete last batch is left out."""
        return self.n_real // self.batch_size

    @property
    def added_share(self) -> float:
        """Expected share of the slots that show an added image."""
        return self.n_added / (self.n_real + self.n_added)


@dataclass(frozen=True)
class StepSlots:
    """Slots of one step, arrays of (batch_size,)."""

    step: int
    added: NDArray[np.bool_]  # True where the slot shows an added image
    images: NDArray[np.intp]  # number in the list of added or of real images
    turns: NDArray[np.int8]  # 0..7, for `rotated`


def slots_from(schedule: Schedule, first_step: int = 0) -> Iterator[StepSlots]:
    """Slots of every step from `first_step` on, without end."""
    first_pass, skipped = divmod(first_step, schedule.steps_per_pass)
    n_shown = sum(int(_added_slots(schedule, number).sum()) for number in range(first_pass))
    for number in itertools.count(first_pass):
        added, images, turns = _pass_slots(schedule, number, n_shown)
        for row in range(skipped, schedule.steps_per_pass):
            step = number * schedule.steps_per_pass + row
            yield StepSlots(step, added[row], images[row], turns[row])
        n_shown, skipped = n_shown + int(added.sum()), 0


def _pass_slots(
    schedule: Schedule, number: int, n_shown: int
) -> tuple[NDArray[np.bool_], NDArray[np.intp], NDArray[np.int8]]:
    """Added slots, images and turns of one pass, (steps_per_pass, batch_size) each.

    Args:
        schedule: Schedule of the training.
        number: Number of the pass.
        n_shown: Added slots in the passes before.
    """
    added = _added_slots(schedule, number)
    order = generator(schedule.seed, "classifier", "pass", number).permutation(schedule.n_real)
    images = order[: added.size].reshape(added.shape)
    images[added] = _added_images(schedule, n_shown + np.arange(added.sum()))
    turns = generator(schedule.seed, "classifier", "turns", number).integers(
        8, size=added.shape, dtype=np.int8
    )
    return added, images, turns


def _added_slots(schedule: Schedule, number: int) -> NDArray[np.bool_]:
    """Slots of one pass that show an added image, (steps_per_pass, batch_size)."""
    shape = (schedule.steps_per_pass, schedule.batch_size)
    uniform = generator(schedule.seed, "classifier", "slots", number).random(shape)
    return np.asarray(uniform < schedule.added_share)


def _added_images(schedule: Schedule, slots: NDArray[np.intp]) -> NDArray[np.intp]:
    """Number of the added image of each added slot, from the numbers of consecutive slots."""
    images = np.empty_like(slots)
    for number in np.unique(slots // schedule.n_added) if len(slots) else ():
        in_pass = slots // schedule.n_added == number
        images[in_pass] = _added_order(schedule, int(number))[slots[in_pass] % schedule.n_added]
    return images


def _added_order(schedule: Schedule, number: int) -> NDArray[np.intp]:
    """Order of the added images in one pass over them; the first pass keeps their list's order."""
    if number == 0:
        return np.arange(schedule.n_added)
    rng = generator(schedule.seed, "classifier", "added", number, schedule.n_added)
    return rng.permutation(schedule.n_added)


def added_shown(schedule: Schedule, steps: int) -> int:
    """Number of slots that show an added image in the first steps of a training."""
    passes, left = divmod(steps, schedule.steps_per_pass)
    whole = sum(int(_added_slots(schedule, number).sum()) for number in range(passes))
    return whole + int(_added_slots(schedule, passes)[:left].sum())
