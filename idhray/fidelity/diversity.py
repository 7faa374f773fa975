"""Diversity of generated images beside as many real ones; a collapsed generator repeats itself.

All measures work on features. Letters: N images, F features.
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

PixelsAgree = Callable[[Indices, Indices], NDArray[np.bool_]]
"""Test, pair by pair, that the pixels of the images at two lists of indices agree."""

MAX_IMAGES = 1000
"""Images of each kind that are compared, at most."""
HALVINGS = 5
"""Random halvings of the patients that show how much real sets differ."""


@dataclass(frozen=True)
class Diversity:
    """Diversity of one set of images."""

    mean_distance: float
    vendi: float
    """Vendi score: the number of completely different images that would be as diverse."""
    near_duplicates: float
    """Share of images whose nearest other image is closer than the limit of a copy and, if pixels
    were compared, agrees with them."""


@dataclass(frozen=True)
class DiversityTest:
    """Diversity of generated and of equally many real images, and of real images alone."""

    count: int
    generated: Diversity
    real: Diversity
    near_duplicates_of_patients: float
    """Share among as many real images of as few patients as possible: the natural maximum."""
    real_halves: Mapping[str, float] | None
    """`mean_distance` and `vendi` of the less diverse half of the patients divided by those of the
    other half, at equally many images; the least of several halvings. None below 4 patients."""

    @property
    def mean_distance_ratio(self) -> float:
        """Mean distance of generated over that of real images."""
        return _ratio(self.generated.mean_distance, self.real.mean_distance)

    @property
    def vendi_ratio(self) -> float:
        """Vendi score of generated over that of real images."""
        return _ratio(self.generated.vendi, self.real.vendi)


def mean_pairwise_distance(features: Tensor) -> float:
    """Mean Euclidean distance over all pairs of (N, F).

    Raises:
        TableError: There are fewer than two images.
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
    distances = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    kernel = torch.exp(-(distances**2) / (2 * max(bandwidth, 1e-12) ** 2))
    eigenvalues = torch.linalg.eigvalsh(kernel / len(features)).clamp_min(0)
    return float(torch.exp(-torch.special.xlogy(eigenvalues, eigenvalues).sum()))


def near_duplicate_share(
    features: Tensor,
    limit: float,
    indices: Tensor | None = None,
    pixels_agree: PixelsAgree | None = None,
) -> float:
    """Share of (N, F) whose nearest other image is closer than `limit`, or equal.

    Blurred images have similar features although they differ. Of H&E patches of 107 tiles none had
    a near-duplicate by features; blurred by 2 px at 64 px every second one had, but no pair's
    pixels agreed. Of a generator that repeated itself, all pairs agreed.

    Args:
        features: (N, F).
        limit: Distance.
        indices: (N,), the numbers by which `pixels_agree` knows the images; 0 to N - 1 by default.
        pixels_agree: Pixel test. Only pairs that pass it, or have equal features, count.
    """
    if len(features) < 2:
        raise TableError(f"diversity needs two images or more, got {len(features)}")
    distance, neighbor = (ranks[:, 1] for ranks in nearest(features, features, 2))
    near, equal = distance < limit, distance == 0
    if pixels_agree is not None and len(candidates := near.nonzero().flatten()):
        numbers = torch.arange(len(features)) if indices is None else indices
        # Among equal images, the second nearest may be the image itself.
        agree = pixels_agree(numbers[candidates].numpy(), numbers[neighbor[candidates]].numpy())
        near[candidates] = torch.from_numpy(agree)
    return float((near | equal).double().mean())


def diversity_test(
    generated: Tensor,
    real: Tensor,
    patients: PatientCodes,
    limit: float,
    *,
    seed: int = 0,
    pixels_agree: tuple[PixelsAgree, PixelsAgree] | None = None,
) -> DiversityTest:
    """Diversity of generated and of real images, equally many of each, drawn at random.

    Args:
        generated: (N, F).
        real: (M, F).
        patients: (M,), the patient of each real image.
        limit: Distance below which two images are near-duplicates.
        seed: Seed of all random draws.
        pixels_agree: Pixel tests of the generated and of the real images.

    Raises:
        TableError: There are fewer than two generated or real images.
    """
    count = min(len(generated), len(real), MAX_IMAGES)
    chance = generator(seed, "diversity")
    generated_sample, real_sample = (_drawn(chance, len(x), count) for x in (generated, real))
    few_patients = _whole_patients(chance, patients, count)
    if count < 2:
        raise TableError(f"diversity needs two images or more of both, got {count}")
    bandwidth = _bandwidth(real[real_sample])
    generated_agree, real_agree = pixels_agree or (None, None)

    def diversity(features: Tensor, sample: Tensor, agree: PixelsAgree | None) -> Diversity:
        return Diversity(
            mean_distance=mean_pairwise_distance(features[sample]),
            vendi=vendi_score(features[sample], bandwidth),
            near_duplicates=near_duplicate_share(features[sample], limit, sample, agree),
        )

    return DiversityTest(
        count=count,
        generated=diversity(generated, generated_sample, generated_agree),
        real=diversity(real, real_sample, real_agree),
        near_duplicates_of_patients=near_duplicate_share(
            real[few_patients], limit, few_patients, real_agree
        ),
        real_halves=_real_halves(chance, real, patients, count),
    )


def _drawn(chance: np.random.Generator, available: int, count: int) -> Tensor:
    return torch.tensor(np.sort(chance.permutation(available)[:count]))


def _whole_patients(chance: np.random.Generator, patients: PatientCodes, count: int) -> Tensor:
    """Indices of `count` images: all of one drawn patient, then all of the next."""
    turn = chance.permutation(patients.max() + 1)[patients]
    return torch.tensor(np.argsort(turn, kind="stable")[:count])


def _bandwidth(features: Tensor) -> float:
    """Median distance between real images."""
    return float(torch.pdist(features).median())


def _real_halves(
    chance: np.random.Generator, real: Tensor, patients: PatientCodes, max_images: int
) -> dict[str, float] | None:
    codes = np.unique(patients)
    if len(codes) < 4:
        return None
    ratios = []
    for _ in range(HALVINGS):
        first = np.isin(patients, chance.permutation(codes)[: len(codes) // 2])
        count = min(first.sum(), (~first).sum(), max_images)
        if count < 2:
            return None
        halves = [real[torch.tensor(half)] for half in (first, ~first)]
        a, b = (half[_drawn(chance, len(half), count)] for half in halves)
        bandwidth = _bandwidth(b)
        ratios.append(
            (
                _ratio(*sorted([mean_pairwise_distance(a), mean_pairwise_distance(b)])),
                _ratio(*sorted([vendi_score(a, bandwidth), vendi_score(b, bandwidth)])),
            )
        )
    distance, vendi = np.min(ratios, axis=0)
    return {"mean_distance": float(distance), "vendi": float(vendi)}


def _ratio(a: float, b: float) -> float:
    """a / b, or 1 if b is 0: real images that are all alike have no diversity to lose."""
    return a / b if b > 0 else 1.0
