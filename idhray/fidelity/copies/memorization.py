"""Tests for memorization: generated images nearer to training images than held-out real ones are.

All tests work on features. Letters: N generated, M training and L held-out images, F features.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from sklearn.cluster import KMeans
from torch import Tensor

from idhray.chance import generator, seed_for
from idhray.errors import TableError
from idhray.fidelity.arrays import Indices, PatientCodes
from idhray.fidelity.distances import nearest

Distances = NDArray[np.float64]

MIN_CELL_IMAGES = 10
"""Generated and held-out images that a cell of the C_T test needs."""
PATIENT_RESAMPLES = 200
"""Draws of held-out patients behind `CopyTest.p_patients`."""
RATIO_DRAWS = 20
"""Random equal shares of patients and images over which the distance ratio is averaged."""


def authenticity(generated: Tensor, train: Tensor, patients: PatientCodes | None = None) -> float:
    """Share of generated images farther from their nearest training image than its neighbor is.

    A generator that draws from the distribution of the training images reaches about 0.5, a copying
    one 0.

    Args:
        generated: (N, F).
        train: (M, F).
        patients: (M,). If given, the neighbor of a training image is one of another patient.
            Otherwise it is mostly the next slice of the same patient, so all but exact copies are
            authentic.

    Raises:
        TableError: There is only one training image, or only one patient.

    Source: Alaa et al. 2022 (arXiv:2102.08921), "authenticity".
    """
    distance, neighbor = (columns[:, 0] for columns in nearest(generated, train))
    neighbors = neighbor.unique()
    spacing = torch.full((len(train),), torch.nan, dtype=train.dtype)
    spacing[neighbors] = _to_neighbor(train, neighbors, patients)
    return float((distance > spacing[neighbor]).double().mean())


def _to_neighbor(train: Tensor, chosen: Tensor, patients: PatientCodes | None) -> Tensor:
    """Distance from each chosen training image to its nearest other one."""
    if patients is None:
        if len(train) < 2:
            raise TableError("authenticity needs two training images or more, got 1")
        return nearest(train[chosen], train, 2)[0][:, 1]
    distances = torch.empty(len(chosen), dtype=train.dtype)
    codes = torch.tensor(patients)
    for patient in codes[chosen].unique():
        of_patient = codes[chosen] == patient
        if not len(other_patients := train[codes != patient]):
            raise TableError("authenticity between patients needs two patients or more, got 1")
        distances[of_patient] = nearest(train[chosen[of_patient]], other_patients)[0][:, 0]
    return distances


@dataclass(frozen=True)
class CopyTest:
    """C_T test: far below 0, generated images lie nearer to training images than real ones do."""

    c_t: float
    """Mean of the cells' z, weighted by their held-out images."""
    p: float
    """One-sided P, as if all images were independent, which slices of one patient are not."""
    p_patients: float
    """One-sided P, from the spread over resampled held-out patients; never below `p`."""
    cells: int
    """Cells that had enough generated and held-out images."""


def c_t_test(
    generated: Tensor,
    held_out: Tensor,
    train: Tensor,
    patients: PatientCodes,
    *,
    cells: int = 5,
    seed: int = 0,
) -> CopyTest | None:
    """Three-sample test for data copying; None if no cell has enough images.

    The space is divided into k-means cells of the training images. In each cell, the Mann-Whitney U
    compares distances to the cell's training images, of generated with those of held-out images. It
    gives a z, below 0 if generated images are nearer.

    Args:
        generated: (N, F).
        held_out: (L, F), images of patients that the generator never saw.
        train: (M, F).
        patients: (L,), the patient of each held-out image.
        cells: k, reduced if there are few images.
        seed: Seed of the cells and of the draws of patients.

    Source: Meehan, Chaudhuri, Dasgupta 2020 (arXiv:2004.05675). The P over patients is ours.
    """
    k = max(1, min(cells, len(train), *(len(x) // MIN_CELL_IMAGES for x in (held_out, generated))))
    clusters = KMeans(k, n_init=4, random_state=seed_for(seed, "cells") % 2**32).fit(train.numpy())
    held_out_near, held_out_cell = _distances(held_out, train, clusters)
    generated_near, generated_cell = _distances(generated, train, clusters)

    def statistic(drawn: Indices) -> tuple[float, float, int]:
        drawn_distances = held_out_near[drawn], held_out_cell[drawn]
        return _c_t((generated_near, generated_cell), drawn_distances, k)

    c_t, spread, cells_used = statistic(np.arange(len(held_out)))
    if not cells_used:
        return None
    resampled = [statistic(drawn)[0] for drawn in _patient_draws(patients, seed)]
    finite = [value for value in resampled if np.isfinite(value)]
    total_spread = max(spread, float(np.std(finite)) if finite else 0.0)
    return CopyTest(
        c_t=c_t,
        p=float(norm.cdf(c_t / spread)),
        p_patients=float(norm.cdf(c_t / total_spread)),
        cells=cells_used,
    )


def _distances(images: Tensor, train: Tensor, clusters: KMeans) -> tuple[Distances, Indices]:
    """Distance to the nearest training image of the same cell, and the number of that cell."""
    cell = clusters.predict(images.numpy()).astype(np.int64)
    near = np.empty(len(images))
    for number in np.unique(cell):
        cell_train = train[torch.tensor(clusters.labels_ == number)]
        cell_images = images[torch.tensor(cell == number)]
        near[cell == number] = nearest(cell_images, cell_train)[0][:, 0].numpy()
    return near, cell


def _c_t(
    q: tuple[Distances, Indices], p: tuple[Distances, Indices], k: int
) -> tuple[float, float, int]:
    """C_T, its standard deviation if images were independent, and the number of used cells.

    Args:
        q: Distances and cells of the generated images.
        p: Distances and cells of the held-out images.
        k: Number of cells.
    """
    pairs = [(q[0][q[1] == c], p[0][p[1] == c]) for c in range(k)]
    pairs = [pair for pair in pairs if min(map(len, pair)) >= MIN_CELL_IMAGES]
    if not pairs:
        return np.nan, np.nan, 0
    weights = np.array([len(p) for _, p in pairs], float)
    weights /= weights.sum()
    z = np.array([mann_whitney_z(q, p) for q, p in pairs])
    return float(weights @ z), float(np.sqrt((weights**2).sum())), len(pairs)


def mann_whitney_z(a: Distances, b: Distances) -> float:
    """z of the Mann-Whitney U of two samples: below 0 if the values of `a` are smaller."""
    n, m = len(a), len(b)
    u = rankdata(np.concatenate([a, b]))[:n].sum() - n * (n + 1) / 2
    return float((u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))


def _patient_draws(patients: PatientCodes, seed: int) -> list[Indices]:
    """Images of as many patients, drawn with replacement, `PATIENT_RESAMPLES` times."""
    rows = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    chance = generator(seed, "held-out patients")
    draws = chance.integers(0, len(rows), (PATIENT_RESAMPLES, len(rows)))
    return [np.concatenate([rows[k] for k in draw]) for draw in draws]


@dataclass(frozen=True)
class DistanceRatio:
    """Median nearest distance to training images over that to held-out images; below 1: copying."""

    generated: float
    real: float | None
    """Ratio of one half of the held-out patients, with the other half as held-out images."""


def distance_ratio(
    generated: Tensor,
    train: Tensor,
    held_out: Tensor,
    train_patients: PatientCodes,
    held_out_patients: PatientCodes,
    *,
    seed: int = 0,
) -> DistanceRatio:
    """Compare distances to equally many patients and images of both; geometric mean over draws.

    Shapes: (N, F), (M, F), (L, F), (M,), (L,). `real` is None with one held-out patient.
    """
    chance = generator(seed, "distance ratio")
    held_out_codes = np.unique(held_out_patients)
    log_ratios, control_log_ratios = [], []
    for _ in range(RATIO_DRAWS):
        a, b = _equal_share(chance, train_patients, held_out_patients)
        log_ratios.append(_log_ratio(generated, train[a], held_out[b]))
        if len(held_out_codes) > 1:
            half = chance.permutation(held_out_codes)[: len(held_out_codes) // 2]
            is_query = np.isin(held_out_patients, half)
            a, b = _equal_share(chance, train_patients, held_out_patients[~is_query])
            queries = held_out[torch.tensor(is_query)]
            references = held_out[torch.tensor(~is_query)]
            control_log_ratios.append(_log_ratio(queries, train[a], references[b]))
    return DistanceRatio(
        generated=float(np.exp(np.mean(log_ratios))),
        real=float(np.exp(np.mean(control_log_ratios))) if control_log_ratios else None,
    )


def _equal_share(
    chance: np.random.Generator, a: PatientCodes, b: PatientCodes
) -> tuple[Tensor, Tensor]:
    """Indices of equally many images of equally many patients of both."""
    patients = min(len(np.unique(a)), len(np.unique(b)))
    indices = [
        np.isin(codes, chance.permutation(np.unique(codes))[:patients]).nonzero()[0]
        for codes in (a, b)
    ]
    count = min(map(len, indices))
    first, second = (torch.tensor(np.sort(chance.permutation(part)[:count])) for part in indices)
    return first, second


def _log_ratio(queries: Tensor, train: Tensor, held_out: Tensor) -> float:
    tiny = 1e-12  # exact copies lie at 0
    to_train, to_held_out = (
        nearest(queries, references)[0].median().clamp_min(tiny) for references in (train, held_out)
    )
    return float((to_train / to_held_out).log())
