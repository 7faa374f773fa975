"""Ranks of a patient's images, and even shares of them.

The images of a PATCHES table have ranks from 1 within each patient. Those of the first ranks,
however many are taken, are spread evenly over the patient's slides and tiles.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from idhray.chance import seed_for

K = TypeVar("K")

TIES_SEED = 0
"""Seed of the patients that give one image more if a number does not divide evenly. GANs and the
experiment use the same one, so that both train on the same images."""


def equally_large(owners: NDArray[Any]) -> bool:
    """True if the numbers of images of all patients differ by at most one."""
    _, counts = np.unique(owners, return_counts=True)
    return bool(counts.max() - counts.min() <= 1)


def equal_draws(
    owners: NDArray[Any], random: np.random.Generator, total: int | None = None
) -> NDArray[np.int64]:
    """Numbers of images in random order, in which every patient has the same share.

    A patient with more images than its share shows a random part of them, one with fewer shows each
    several times. If all patients have equally many, it is a permutation of all images.

    Args:
        owners: (N,) patient of each image, as a number or name.
        random: Source of the draw.
        total: Number of draws, N if not given.

    Returns:
        (total,) int64.
    """
    total = len(owners) if total is None else total
    if total == len(owners) and equally_large(owners):
        return random.permutation(total)
    names, patients = np.unique(owners, return_inverse=True)
    shares = np.full(len(names), total // len(names))
    shares[random.permutation(len(names))[: total % len(names)]] += 1
    drawn = [
        np.resize(random.permutation(np.flatnonzero(patients == number)), share)
        for number, share in enumerate(shares)
    ]
    return np.concatenate(drawn)[random.permutation(total)]


def fair_shares(total: int, capacity: Mapping[K, int], order: Callable[[K], int]) -> dict[K, int]:
    """Shares of `total` by key, as even as the capacities allow.

    The shares of a larger total are nowhere smaller.

    Args:
        total: Number to distribute; if the capacities sum to less, every key gets its capacity.
        capacity: Largest share of each key.
        order: Sort key that decides which keys get one more if `total` does not divide evenly; its
            values must differ.
    """
    shares: dict[K, int] = {}
    left, waiting = total, sorted(capacity, key=order)
    while waiting:
        even = left // len(waiting)
        full = [key for key in waiting if capacity[key] <= even]
        if not full:
            extra = left % len(waiting)
            return shares | {key: even + (i < extra) for i, key in enumerate(waiting)}
        shares |= {key: capacity[key] for key in full}
        left -= sum(capacity[key] for key in full)
        waiting = [key for key in waiting if key not in shares]
    return shares


def image_ranks(patients: Sequence[str], ranks: Sequence[int | None]) -> NDArray[np.int64]:
    """Rank of each image within its patient, from 1 without gaps, (images,) int64.

    Patches that had too little tissue leave gaps in the column `rank`; the order stays. If an image
    of a patient has no rank (tables of earlier versions and imported images), the patient's images
    rank in the order of the table.

    Args:
        patients: Patient of each image, in the order of the table.
        ranks: Column `rank` of the table; None where it is null.
    """
    unranked = {name for name, rank in zip(patients, ranks, strict=True) if rank is None}
    keys = [0 if name in unranked else rank for name, rank in zip(patients, ranks, strict=True)]
    positions = sorted(range(len(patients)), key=lambda k: (keys[k], k))
    counts: Counter[str] = Counter()
    result = np.zeros(len(patients), dtype=np.int64)
    for position in positions:
        counts[patients[position]] += 1
        result[position] = counts[patients[position]]
    return result


def balanced_order(
    patients: Sequence[str], ranks: NDArray[np.int64], seed: int
) -> NDArray[np.intp]:
    """Positions of all images: rank 1 of every patient, then rank 2, and so on.

    Any first part of a class holds the images that `first_images` chooses from that class.

    Args:
        patients: Patient of each image.
        ranks: Ranks that `image_ranks` returned for these images.
        seed: Seed of the order of patients within a rank.
    """
    names, patient_of_image = np.unique(np.asarray(patients), return_inverse=True)
    keys = np.array([seed_for(seed, "images", str(name)) for name in names], dtype=np.int64)
    return np.asarray(np.lexsort((keys[patient_of_image], ranks)))


def first_images(
    patients: Sequence[str], ranks: NDArray[np.int64], total: int, seed: int
) -> NDArray[np.int64]:
    """Positions of `total` images, shared evenly over patients, of each patient the first by rank.

    All images if there are fewer. The images of a smaller total are among those of a larger one.

    Args:
        patients: Patient of each image.
        ranks: Ranks that `image_ranks` returned for these images.
        total: Number of images.
        seed: Seed that decides which patients give one more if `total` does not divide evenly.
    """
    shares = fair_shares(total, Counter(patients), lambda name: seed_for(seed, "images", name))
    limits = np.array([shares[name] for name in patients], dtype=np.int64)
    return np.flatnonzero(np.asarray(ranks) <= limits)
