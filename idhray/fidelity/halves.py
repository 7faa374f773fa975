"""Which images are compared: the real ones of half of the patients, and as many others.

Slices of one patient are alike, so real images compared with real images of the same patients
would look better than any generator could. The floor is therefore what real images of OTHER
patients reach against the same reference, at the same number of images: FID, recall and coverage
depend on it.

The floor is no lower bound. Both of its sides are of few patients, so they differ twice by the
patients that happen to be in a half, generated images only once: with FID and KID, which grow as a
square, a generator that knows the whole population comes down to about half of the floor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idhray.chance import generator
from idhray.errors import TableError
from idhray.fidelity.arrays import Indices
from idhray.fidelity.settings import FidelitySettings


@dataclass(frozen=True)
class Draw:
    """Places of the images of one comparison, n of each kind, ascending."""

    number: int
    reference: Indices
    """Real images of one half of the patients."""
    floor: Indices | None
    """Real images of the other half; none where there is one patient."""
    generated: Indices


def draws_of(
    patients: Sequence[str], n_generated: int, settings: FidelitySettings
) -> tuple[Draw, ...]:
    """The comparisons, all of one size n: what the smallest half, and the generator, can give.

    The same patients and settings give the same halves, in whatever order the images come.

    Args:
        patients: One a real image.
        n_generated: Generated images that there are.
        settings: Draws, seed and the largest n.

    Raises:
        TableError: n would be below 2.
    """
    names = np.asarray(patients, dtype=str)
    halves = [_halves(names, settings.seed, number) for number in range(settings.draws)]
    sides = [len(side) for pair in halves for side in pair if side is not None]
    n = min(n_generated, settings.max_images, *sides)
    if n < 2:
        raise TableError(
            f"fidelity needs 2 or more images on either side, got {n_generated} generated and "
            f"{len(names)} real of {len(set(patients))} patients"
        )
    found = []
    for number, (reference, floor) in enumerate(halves):
        chance = generator(settings.seed, "fidelity", "images", number)
        found.append(
            Draw(
                number,
                _some(reference, n, chance),
                None if floor is None else _some(floor, n, chance),
                _some(np.arange(n_generated), n, chance),
            )
        )
    return tuple(found)


def _halves(names: NDArray[np.str_], seed: int, number: int) -> tuple[Indices, Indices | None]:
    order = generator(seed, "fidelity", "halves", number).permutation(np.unique(names))
    if len(order) < 2:
        return np.arange(len(names)), None
    mine = np.isin(names, order[::2])
    return np.flatnonzero(mine), np.flatnonzero(~mine)


def _some(places: Indices, n: int, chance: np.random.Generator) -> Indices:
    return np.sort(chance.choice(places, n, replace=False))
