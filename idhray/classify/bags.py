"""Bags of patients: the images that a training by patient sees, with added images among them.

A bag is one patient with the patient's images. Added images never become patients: each class gets
the n / 2 added images of its label, spread evenly over its bags.

Sampled bags (attention pooling) have S slots in each step. A slot has a fixed uniform number u, and
shows an added image if u < (n / 2) / (N + n / 2), N being the real images of the class; else it
shows the patient's image that it shows without added images. So all arms of one n replace the same
slots, and a larger n replaces these and others. The added slots of a class are numbered
j = 0, 1, 2, ... over the training; slot j shows image j mod (n / 2) of the order of pass
j // (n / 2), which is the order of the list first, and a permutation later. Everything is drawn by
fold, repeat, epoch, patient and slot.

Whole bags (mean pooling) hold all images. Added image i of a class is dealt to patient i mod P of
an order of the P patients that fold and repeat decide, so a larger n adds images and replaces none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from idhray.chance import generator

BagImages = NDArray[np.intp]


@dataclass(frozen=True)
class Bags:
    """Training images of one arm, grouped by patient."""

    patients: NDArray[np.str_]  # (N,), patient of each real image
    labels: NDArray[np.int8]  # (N,), wildtype 0, mutant 1
    added_labels: NDArray[np.int8]  # (n,), labels that the classifier is told
    class_images: tuple[int, int]
    """Real images of each class in the whole training set, of which an arm may use a part."""
    seed: int
    """Seed of fold and repeat; all arms share it."""

    @cached_property
    def names(self) -> list[str]:
        """Patients, sorted."""
        return [str(name) for name in np.unique(self.patients)]

    @cached_property
    def rows(self) -> dict[str, BagImages]:
        """Patient -> numbers of the real images."""
        return {name: np.flatnonzero(self.patients == name) for name in self.names}

    @cached_property
    def bag_labels(self) -> NDArray[np.int8]:
        """Label of each patient, in the order of `names`."""
        return np.array([self.labels[self.rows[name][0]] for name in self.names], np.int8)

    @cached_property
    def added(self) -> tuple[BagImages, BagImages]:
        """BagImages of the added images of each class, in the order of their list."""
        return np.flatnonzero(self.added_labels == 0), np.flatnonzero(self.added_labels == 1)

    def added_share(self, label: int) -> float:
        """Expected share of the slots of a class that show an added image."""
        count = len(self.added[label])
        return count / (self.class_images[label] + count)

    def dealt(self) -> dict[str, BagImages]:
        """Patient -> numbers of the added images of its whole bag."""
        bags: dict[str, BagImages] = {}
        for label in (0, 1):
            names = [n for n, y in zip(self.names, self.bag_labels, strict=True) if y == label]
            order = generator(self.seed, "bags", "dealt", label).permutation(len(names))
            for place, number in enumerate(order):
                bags[names[number]] = self.added[label][place :: len(names)]
        return bags


@dataclass(frozen=True)
class SampledBags:
    """Bags of one step: B patients with S slots each."""

    labels: NDArray[np.int8]  # (B,)
    images: BagImages  # (B, S), number among the real or the added images
    added: NDArray[np.bool_]  # (B, S), True where the slot shows an added image


def sampled_bags(
    bags: Bags, *, bags_per_epoch: int, bags_per_step: int, slots: int
) -> Iterator[list[SampledBags]]:
    """Steps of one epoch after the other, without end.

    Args:
        bags: Training images.
        bags_per_epoch: Bags of an epoch. Fewer patients are shown again from the first.
        bags_per_step: Bags B of a step; the last step of an epoch may have fewer.
        slots: Slots S of a bag.
    """
    shown = [0, 0]
    epoch = 0
    while True:
        rng = generator(bags.seed, "bags", "order", epoch)
        order = np.resize(rng.permutation(len(bags.names)), bags_per_epoch)
        epoch_bags = [
            _sampled(bags, int(number), (epoch, place), slots, shown)
            for place, number in enumerate(order)
        ]
        steps = []
        for start in range(0, bags_per_epoch, bags_per_step):
            chosen = slice(start, start + bags_per_step)
            images, added = (np.stack(each) for each in zip(*epoch_bags[chosen], strict=True))
            steps.append(SampledBags(bags.bag_labels[order[chosen]], images, added))
        yield steps
        epoch += 1


def _sampled(
    bags: Bags, number: int, bag: tuple[int, int], slots: int, shown: list[int]
) -> tuple[BagImages, NDArray[np.bool_]]:
    """Images and added slots of one bag, (S,) each; `shown` counts the added slots of a class.

    Args:
        bags: Training images.
        number: Number of the patient.
        bag: Epoch, and place of the bag in it.
        slots: Slots of the bag.
        shown: Added slots of each class so far; those of this bag are added.
    """
    name, label = bags.names[number], int(bags.bag_labels[number])
    rng = generator(bags.seed, "bags", "slots", *bag, name)
    images = np.resize(rng.permutation(bags.rows[name]), slots)
    added = rng.random(slots) < bags.added_share(label)
    numbers = shown[label] + np.arange(added.sum())
    images[added] = _added_images(bags, label, numbers)
    shown[label] += len(numbers)
    return images, added


def _added_images(bags: Bags, label: int, numbers: BagImages) -> BagImages:
    """Added image of each of some consecutive added slots of a class."""
    listed = bags.added[label]
    images = np.empty_like(numbers)
    for number in np.unique(numbers // max(len(listed), 1)):
        in_pass = numbers // len(listed) == number
        order = listed
        if number:
            rng = generator(bags.seed, "bags", "added", label, int(number), len(listed))
            order = rng.permutation(listed)
        images[in_pass] = order[numbers[in_pass] % len(listed)]
    return images


def bag_means(
    bags: Bags,
    real: NDArray[np.float32],
    added: NDArray[np.float32],
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Mean features of whole bags, (P, D), in the order of `bags.names`.

    Args:
        bags: Training images.
        real: (N, D) features of the real images.
        added: (n, D) features of the added images.
        weights: (N,) weights of the real images. Default: 1.
    """
    dealt = bags.dealt()
    means = np.empty((len(bags.names), real.shape[1]), np.float32)
    for place, name in enumerate(bags.names):
        rows, others = bags.rows[name], dealt[name]
        of_real = np.ones(len(rows)) if weights is None else weights[rows]
        features = np.concatenate([real[rows], added[others]])
        means[place] = np.average(
            features, axis=0, weights=np.concatenate([of_real, np.ones(len(others))])
        )
    return means
