"""Whether generated images lie nearer to the training images than real images of others do.

All in a space of features. Letters: N generated, M training and L held-out images, F features.
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

Array = NDArray[np.float64]


def authenticity(generated: Tensor, train: Tensor, patients: PatientCodes | None = None) -> float:
    """Share of generated images farther from their nearest training image than its own neighbor.

    A generator that draws from the training images' distribution has some 0.5, a copying one 0.

    Args:
        generated: (N, F).
        train: (M, F).
        patients: (M,); if given, a training image's neighbor is one of another patient. Else it
            is mostly the next slice of the same, and all but exact copies are authentic.

    Raises:
        TableError: no two training images, or patients, to compare.

    Source: Alaa et al. 2022 (arXiv:2102.08921), "authenticity".
    """
    away, place = (found[:, 0] for found in nearest(generated, train))
    asked = place.unique()
    own = torch.full((len(train),), torch.nan, dtype=train.dtype)
    own[asked] = _to_neighbor(train, asked, patients)
    return float((away > own[place]).double().mean())


def _to_neighbor(train: Tensor, asked: Tensor, patients: PatientCodes | None) -> Tensor:
    """Distance of the asked training images to the nearest other one."""
    if patients is None:
        if len(train) < 2:
            raise TableError("authenticity needs two training images or more, got 1")
        return nearest(train[asked], train, 2)[0][:, 1]
    found = torch.empty(len(asked), dtype=train.dtype)
    codes = torch.tensor(patients)
    for patient in codes[asked].unique():
        own = codes[asked] == patient
        if not len(others := train[codes != patient]):
            raise TableError("authenticity between patients needs two of them, got 1")
        found[own] = nearest(train[asked[own]], others)[0][:, 0]
    return found


@dataclass(frozen=True)
class CopyTest:
    """The C_T test: far below 0, generated images lie nearer to training images than real ones."""

    c_t: float
    """Mean of the cells' z, weighted by their held-out images."""
    p: float
    """One-sided, as if all images were independent: slices of one patient are not."""
    p_patients: float
    """One-sided, from the spread over resampled held-out patients; never below `p`."""
    cells: int
    """Cells that had enough images of both."""


def c_t_test(
    generated: Tensor,
    held_out: Tensor,
    train: Tensor,
    patients: PatientCodes,
    *,
    cells: int = 5,
    min_images: int = 10,
    resamples: int = 200,
    seed: int = 0,
) -> CopyTest | None:
    """The three-sample test for data copying; None where no cell has enough images.

    The space is cut into k-means cells of the training images. In each, the Mann-Whitney U of the
    generated images' distances to the cell's training images against the held-out images' gives
    a z, below 0 where generated ones are nearer.

    Args:
        generated: (N, F).
        held_out: (L, F), images of patients that the generator never saw.
        train: (M, F).
        patients: (L,), of the held-out images.
        cells: k; fewer where there are few images.
        min_images: A cell counts if it has as many generated and as many held-out images.
        resamples: Draws of held-out patients.
        seed: Of cells and draws.

    Source: Meehan, Chaudhuri, Dasgupta 2020 (arXiv:2004.05675). The P over
    patients is ours.
    """
    k = max(1, min(cells, len(train), len(held_out) // min_images, len(generated) // min_images))
    means = KMeans(k, n_init=4, random_state=seed_for(seed, "cells") % 2**32).fit(train.numpy())
    near_p, cell_p = _distances(held_out, train, means)
    near_q, cell_q = _distances(generated, train, means)

    def statistic(drawn: Indices) -> tuple[float, float, int]:
        return _c_t((near_q, cell_q), (near_p[drawn], cell_p[drawn]), k, min_images)

    c_t, spread, used = statistic(np.arange(len(held_out)))
    if not used:
        return None
    resampled = [statistic(drawn)[0] for drawn in _patient_draws(patients, resamples, seed)]
    told = [value for value in resampled if np.isfinite(value)]
    wide = max(spread, float(np.std(told)) if told else 0.0)
    return CopyTest(
        c_t=c_t,
        p=float(norm.cdf(c_t / spread)),
        p_patients=float(norm.cdf(c_t / wide)),
        cells=used,
    )


def _distances(images: Tensor, train: Tensor, means: KMeans) -> tuple[Array, Indices]:
    """Distance to the nearest training image of the same cell, and which cell that is."""
    cell = means.predict(images.numpy()).astype(np.int64)
    near = np.empty(len(images))
    for k in np.unique(cell):
        there = train[torch.tensor(means.labels_ == k)]
        near[cell == k] = nearest(images[torch.tensor(cell == k)], there)[0][:, 0].numpy()
    return near, cell


def _c_t(
    q: tuple[Array, Indices], p: tuple[Array, Indices], k: int, min_images: int
) -> tuple[float, float, int]:
    """C_T of distances and cells, its standard deviation if images were independent, cells used."""
    pairs = [(q[0][q[1] == c], p[0][p[1] == c]) for c in range(k)]
    pairs = [pair for pair in pairs if min(map(len, pair)) >= min_images]
    if not pairs:
        return np.nan, np.nan, 0
    weights = np.array([len(p) for _, p in pairs], float)
    weights /= weights.sum()
    z = np.array([mann_whitney_z(q, p) for q, p in pairs])
    return float(weights @ z), float(np.sqrt((weights**2).sum())), len(pairs)


def mann_whitney_z(a: Array, b: Array) -> float:
    """z of the Mann-Whitney U of two samples: below 0 where those of `a` are smaller."""
    n, m = len(a), len(b)
    u = rankdata(np.concatenate([a, b]))[:n].sum() - n * (n + 1) / 2
    return float((u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))


def _patient_draws(patients: PatientCodes, count: int, seed: int) -> list[Indices]:
    """Images of as many patients, drawn with replacement, `count` times."""
    rows = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    chance = generator(seed, "held-out patients")
    draws = chance.integers(0, len(rows), (count, len(rows)))
    return [np.concatenate([rows[k] for k in draw]) for draw in draws]


@dataclass(frozen=True)
class DistanceRatio:
    """Median nearest distance to training images over that to held-out ones; below 1: copying."""

    generated: float
    real: float | None
    """The same of one half of the held-out patients, the other half standing for held-out."""


def distance_ratio(
    generated: Tensor,
    train: Tensor,
    held_out: Tensor,
    train_patients: PatientCodes,
    held_out_patients: PatientCodes,
    *,
    draws: int = 20,
    seed: int = 0,
) -> DistanceRatio:
    """Compare distances to equally many patients and images of both, the mean log of some draws.

    Shapes: (N, F), (M, F), (L, F), (M,), (L,). `real` is None with one held-out patient.
    """
    chance = generator(seed, "distance ratio")
    theirs, names = held_out_patients, np.unique(held_out_patients)
    found, control = [], []
    for _ in range(draws):
        a, b = _equal_share(chance, train_patients, theirs)
        found.append(_log_ratio(generated, train[a], held_out[b]))
        if len(names) > 1:
            half = chance.permutation(names)[: len(names) // 2]
            queries, rest = np.isin(theirs, half), np.flatnonzero(~np.isin(theirs, half))
            a, b = _equal_share(chance, train_patients, theirs[rest])
            control.append(
                _log_ratio(
                    held_out[torch.tensor(queries)], train[a], held_out[torch.tensor(rest)][b]
                )
            )
    return DistanceRatio(
        generated=float(np.exp(np.mean(found))),
        real=float(np.exp(np.mean(control))) if control else None,
    )


def _equal_share(
    chance: np.random.Generator, a: PatientCodes, b: PatientCodes
) -> tuple[Tensor, Tensor]:
    """Places of equally many images of equally many patients of both."""
    patients = min(len(np.unique(a)), len(np.unique(b)))
    rows = [np.isin(x, chance.permutation(np.unique(x))[:patients]).nonzero()[0] for x in (a, b)]
    count = min(map(len, rows))
    first, second = (torch.tensor(np.sort(chance.permutation(row)[:count])) for row in rows)
    return first, second


def _log_ratio(queries: Tensor, train: Tensor, held_out: Tensor) -> float:
    tiny = 1e-12  # exact copies lie at 0
    near = [nearest(queries, part)[0].median().clamp_min(tiny) for part in (train, held_out)]
    return float((near[0] / near[1]).log())
