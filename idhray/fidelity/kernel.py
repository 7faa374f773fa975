"""Kernel distance (KID) between two samples: unbiased, so comparable between sample sizes.

Shapes: N and M images, F features, S subsets.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from idhray.fidelity.distances import BLOCK


@dataclass(frozen=True)
class KernelDistance:
    """Squared maximum mean discrepancy; by chance below 0 if the samples are alike."""

    value: float
    """Distance of all images."""
    subset_mean: float
    subset_sd: float
    """Standard deviation over subsets, by S - 1. Not a standard error: the subsets overlap."""
    subset_size: int


def kernel_distance(
    x: Tensor, y: Tensor, *, subsets: int, subset_size: int, chance: np.random.Generator
) -> KernelDistance:
    """KID with the kernel (x'y / F + 1)^3, of all images and of random subsets of either sample.

    Subsets are sums over parts of one kernel matrix, so many subsets cost as much as one.

    Args:
        x: (N, F) float64, N of 2 or more.
        y: (M, F) float64, M of 2 or more.
        subsets: S, 2 or more.
        subset_size: Images per subset, cut to half of the smaller sample, but at least 2.
        chance: Generator that draws the subsets, without replacement within a subset.

    Source: Binkowski et al. 2018 (arXiv:1801.01401), section 4 and equation 4.
    """
    smaller = min(len(x), len(y))
    size = min(subset_size, max(smaller // 2, 2))
    chosen_x, chosen_y = (_chosen(len(part), subsets, size, chance).to(part) for part in (x, y))
    within_x, within_y = _mean_within(x, chosen_x), _mean_within(y, chosen_y)
    counts = chosen_x.sum(1) * chosen_y.sum(1)
    distances = within_x + within_y - 2 * _sums(x, y, chosen_x, chosen_y) / counts
    of_subsets = distances[1:]
    return KernelDistance(
        value=float(distances[0]),
        subset_mean=float(of_subsets.mean()),
        subset_sd=float(of_subsets.std()),
        subset_size=size,
    )


def _chosen(n: int, subsets: int, size: int, chance: np.random.Generator) -> Tensor:
    """(1 + S, n) of 0 and 1: membership in the whole and in each subset."""
    chosen = torch.zeros(subsets + 1, n)
    chosen[0] = 1
    for row in chosen[1:]:
        row[torch.from_numpy(chance.choice(n, size, replace=False))] = 1
    return chosen


def _mean_within(x: Tensor, chosen: Tensor) -> Tensor:
    """(1 + S,): mean of the kernel between two different images of one sample."""
    self_sums = chosen @ _kernel(x.square().sum(dim=1), x.shape[1])
    n = chosen.sum(1)
    return (_sums(x, x, chosen, chosen) - self_sums) / (n * (n - 1))


def _sums(x: Tensor, y: Tensor, chosen_x: Tensor, chosen_y: Tensor) -> Tensor:
    """(1 + S,): sums of the kernel over all pairs of each chosen part, in blocks of rows."""
    total = chosen_x.new_zeros(len(chosen_x))
    for rows, of_rows in zip(x.split(BLOCK), chosen_x.split(BLOCK, dim=1), strict=True):
        kernel = _kernel(rows @ y.T, x.shape[1])
        total += (of_rows.T * (kernel @ chosen_y.T)).sum(dim=0)
    return total


def _kernel(products: Tensor, features: int) -> Tensor:
    return (products / features + 1) ** 3
