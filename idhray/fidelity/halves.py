"""Choice of the compared images: real ones of half of the patients, and equally many others.

Slices of one patient are alike, so real images compared with real images of the same patients
would score better than any generator could. The floor is therefore the score of real images of
OTHER patients against the same reference, at the same number of images, on which FID, recall and
coverage depend.

The floor is no lower bound. Both of its sides are samples of few patients, so chance in the choice
of patients enters twice, for generated images only once. FID and KID grow as a square, so a
generator that knows the whole population reaches about half of the floor.
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
    """Indices of the images of one comparison, n of each kind, ascending."""

    number: int
    reference: Indices
    """Real images of one half of the patients."""
    floor: Indices | None
    """Real images of the other half; None with one patient."""
    generated: Indices


def draws_of(
    patients: Sequence[str], n_generated: int, settings: FidelitySettings
) -> tuple[Draw, ...]:
    """Comparisons of one size n: the smallest half or the number of generated images, if less.

    The same patients and settings give the same halves, whatever the order of the images.

    Args:
        patients: Patient of each real image.
        n_generated: Number of generated images.
        settings: Draws, seed and the largest n.

    Raises:
        TableError: n would be below 2.
    """
    patient_names = np.asarray(patients, dtype=str)
    halves = [
        _patient_halves(patient_names, settings.seed, number) for number in range(settings.draws)
    ]
    half_sizes = [len(half) for pair in halves for half in pair if half is not None]
    n = min(n_generated, settings.max_images, *half_sizes)
    if n < 2:
        raise TableError(
            f"fidelity needs 2 or more images on either side, got {n_generated} generated and "
            f"{len(patient_names)} real of {len(set(patients))} patients"
        )
    draws = []
    for number, (reference, floor) in enumerate(halves):
        chance = generator(settings.seed, "fidelity", "images", number)
        draws.append(
            Draw(
                number,
                _sample(reference, n, chance),
                None if floor is None else _sample(floor, n, chance),
                _sample(np.arange(n_generated), n, chance),
            )
        )
    return tuple(draws)


def _patient_halves(
    patient_names: NDArray[np.str_], seed: int, number: int
) -> tuple[Indices, Indices | None]:
    order = generator(seed, "fidelity", "halves", number).permutation(np.unique(patient_names))
    if len(order) < 2:
        return np.arange(len(patient_names)), None
    in_reference = np.isin(patient_names, order[::2])
    return np.flatnonzero(in_reference), np.flatnonzero(~in_reference)


def _sample(candidates: Indices, n: int, chance: np.random.Generator) -> Indices:
    return np.sort(chance.choice(candidates, n, replace=False))
