"""How varied a set of images is, beside as many real ones: a collapsed generator repeats itself.

All in a space of features. Letters: N images, F features.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from idhray.chance import generator
from idhray.errors import TableError
from idhray.fidelity.arrays import Indices, PatientCodes
from idhray.fidelity.distances import nearest

Agree = Callable[[Indices, Indices], NDArray[np.bool_]]
"""Whether the pixels of images at these places agree with those at the others, pair by pair."""


@dataclass(frozen=True)
class Diversity:
    """Of one set of images."""

    mean_distance: float
    vendi: float
    """As many images, all different from one another, are as diverse."""
    near_duplicates: float
    """Share of images whose nearest other one is nearer than the limit of a copy and, where pixels
    were looked at, agrees with them."""


@dataclass(frozen=True)
class DiversityTest:
    """Generated against real images, equally many; and real ones of other patients, likewise."""

    count: int
    generated: Diversity
    real: Diversity
    near_duplicates_of_patients: float
    """Of as many real images of as few patients as give them: the most that is natural."""
    real_halves: Mapping[str, float] | None
    """`mean_distance` and `vendi` of the less diverse half of the patients over the other's, at
    equally many images; the least of some splits. None with fewer than 4 patients."""

    @property
    def mean_distance_ratio(self) -> float:
        """Generated over real."""
        return _ratio(self.generated.mean_distance, self.real.mean_distance)

    @property
    def vendi_ratio(self) -> float:
        """Generated over real."""
        return _ratio(self.generated.vendi, self.real.vendi)


def mean_pairwise_distance(features: Tensor) -> float:
    """Mean Euclidean distance over all pairs of (N, F).

    Raises:
        TableError: there are fewer than two.
    """
    if len(features) < 2:
        raise TableError(f"diversity needs two images or more, got {len(features)}")
    return float(torch.pdist(features).mean())


def vendi_score(features: Tensor, bandwidth: float) -> float:
    """Exponential of the entropy of the eigenvalues of K / N: the effective number of images, 1..N.

    Args:
        features: (N, F).
        bandwidth: s of the Gaussian kernel K = exp(-d^2 / (2 s^2)), in units of the features.

    Source: Friedman, Dieng 2023 (arXiv:2210.02410); the kernel is ours.
    """
    away = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    kernel = torch.exp(-(away**2) / (2 * max(bandwidth, 1e-12) ** 2))
    values = torch.linalg.eigvalsh(kernel / len(features)).clamp_min(0)
    return float(torch.exp(-torch.special.xlogy(values, values).sum()))


def near_duplicate_share(
    features: Tensor, limit: float, places: Tensor | None = None, agree: Agree | None = None
) -> float:
    """Share of (N, F) whose nearest other one is nearer than `limit`, or equal.

    Features of blurred images lie near each other though the images differ: of H&E patches of 107
    tiles none had a near-duplicate, blurred by 2 px at 64 px every other had, and no pair's pixels
    agreed. Of a generator that repeated itself, all did.

    Args:
        features: (N, F).
        limit: Distance.
        places: (N,), what `agree` knows the images by; from 0 if not given.
        agree: Whether pixels agree; only pairs that do are near-duplicates, or equal ones.
    """
    if len(features) < 2:
        raise TableError(f"diversity needs two images or more, got {len(features)}")
    away, other = (found[:, 1] for found in nearest(features, features, 2))
    near, equal = away < limit, away == 0
    if agree is not None and len(asked := near.nonzero().flatten()):
        names = torch.arange(len(features)) if places is None else places
        # Of equal images the nearest "other" one may be the image itself.
        near[asked] = torch.from_numpy(agree(names[asked].numpy(), names[other[asked]].numpy()))
    return float((near | equal).double().mean())


def diversity_test(
    generated: Tensor,
    real: Tensor,
    patients: PatientCodes,
    limit: float,
    *,
    most: int = 1000,
    splits: int = 5,
    seed: int = 0,
    agree: tuple[Agree, Agree] | None = None,
) -> DiversityTest:
    """The diversity of generated and of real images, equally many and drawn at random.

    Args:
        generated: (N, F).
        real: (M, F).
        patients: (M,), of the real images.
        limit: Distance below which two images are near-duplicates.
        most: Images of each that are looked at, at most.
        splits: Halvings of the patients that say how far real sets differ.
        seed: Of all that is drawn.
        agree: Of the generated and of the real images: whether the pixels of pairs agree.

    Raises:
        TableError: fewer than two generated or real images.
    """
    count = min(len(generated), len(real), most)
    chance = generator(seed, "diversity")
    some, others = (_drawn(chance, len(part), count) for part in (generated, real))
    whole = _whole_patients(chance, patients, count)
    if count < 2:
        raise TableError(f"diversity needs two images or more of both, got {count}")
    bandwidth = _bandwidth(real[others])
    mine, theirs = agree or (None, None)

    def of(features: Tensor, places: Tensor, pixels: Agree | None) -> Diversity:
        return Diversity(
            mean_distance=mean_pairwise_distance(features[places]),
            vendi=vendi_score(features[places], bandwidth),
            near_duplicates=near_duplicate_share(features[places], limit, places, pixels),
        )

    return DiversityTest(
        count=count,
        generated=of(generated, some, mine),
        real=of(real, others, theirs),
        near_duplicates_of_patients=near_duplicate_share(real[whole], limit, whole, theirs),
        real_halves=_halves(chance, real, patients, count, splits),
    )


def _drawn(chance: np.random.Generator, available: int, count: int) -> Tensor:
    return torch.tensor(np.sort(chance.permutation(available)[:count]))


def _whole_patients(chance: np.random.Generator, patients: PatientCodes, count: int) -> Tensor:
    """Places of `count` images: all of one drawn patient, then all of the next."""
    turn = chance.permutation(patients.max() + 1)[patients]
    return torch.tensor(np.argsort(turn, kind="stable")[:count])


def _bandwidth(features: Tensor) -> float:
    """The median distance of real images."""
    return float(torch.pdist(features).median())


def _halves(
    chance: np.random.Generator, real: Tensor, patients: PatientCodes, most: int, splits: int
) -> dict[str, float] | None:
    names = np.unique(patients)
    if len(names) < 4:
        return None
    found = []
    for _ in range(splits):
        first = np.isin(patients, chance.permutation(names)[: len(names) // 2])
        count = min(first.sum(), (~first).sum(), most)
        if count < 2:
            return None
        halves = [real[torch.tensor(half)] for half in (first, ~first)]
        a, b = (half[_drawn(chance, len(half), count)] for half in halves)
        bandwidth = _bandwidth(b)
        found.append(
            (
                _ratio(*sorted([mean_pairwise_distance(a), mean_pairwise_distance(b)])),
                _ratio(*sorted([vendi_score(a, bandwidth), vendi_score(b, bandwidth)])),
            )
        )
    distance, vendi = np.min(found, axis=0)
    return {"mean_distance": float(distance), "vendi": float(vendi)}


def _ratio(a: float, b: float) -> float:
    """a / b; 1 where b is 0: real images that are all alike have no diversity to lose."""
    return a / b if b > 0 else 1.0
