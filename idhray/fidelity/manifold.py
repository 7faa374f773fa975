"""Precision, recall, density, coverage: who lies within the balls around whom.

A sample's manifold is the union of balls, each around one image and as wide as the distance to
its k-th nearest neighbor in the sample.

Shapes: N generated, M real images, F features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from idhray.errors import TableError
from idhray.fidelity.distances import BLOCK

COINCIDENT_FRACTION = 1e-12
"""Squared distances up to this fraction of the squared lengths count as 0: float32 features cannot
tell such points apart."""


@dataclass(frozen=True)
class Manifold:
    """Shares, 0..1, but for density, which may be above 1."""

    precision: float
    """Generated images within the manifold of the real ones."""
    recall: float
    """Real images within the manifold of the generated ones."""
    density: float
    """Real balls around a generated image, over k: precision that one outlier cannot raise."""
    coverage: float
    """Real images with a generated one in their ball."""


def manifold_scores(generated: Tensor, real: Tensor, k: int) -> Manifold:
    """The four shares; balls hold their edge.

    Args:
        generated: (N, F) float64.
        real: (M, F) float64.
        k: Below N and M.

    Raises:
        TableError: a sample is not larger than k.

    Source: Kynkaanniemi et al. 2019 (arXiv:1904.06991), equations 1 and 2; Naeem et al. 2020
    (arXiv:2002.09797), equations 5 and 6 and section 3.
    """
    if not 1 <= k < min(len(generated), len(real)):
        raise TableError(
            f"{k} neighbors need {k + 1} or more images on either side, got {len(generated)} "
            f"generated and {len(real)} real"
        )
    real_radius, generated_radius = radii(real, k), radii(generated, k)
    balls = torch.zeros(len(generated), device=real.device)  # real ones around each generated
    recalled = coverage = 0
    for block, radius in zip(real.split(BLOCK), real_radius.split(BLOCK), strict=True):
        away = squared_distances(block, generated)
        inside = away <= radius[:, None]
        balls += inside.sum(dim=0)
        coverage += int(inside.any(dim=1).sum())
        recalled += int((away <= generated_radius).any(dim=1).sum())
    return Manifold(
        precision=float((balls > 0).double().mean()),
        recall=recalled / len(real),
        density=float(balls.double().mean()) / k,
        coverage=coverage / len(real),
    )


def radii(x: Tensor, k: int) -> Tensor:
    """(N,): the squared distance of each image to its k-th nearest other one."""
    found = []
    for start in range(0, len(x), BLOCK):
        away = squared_distances(x[start : start + BLOCK], x)
        away.diagonal(offset=start).fill_(torch.inf)
        found.append(away.kthvalue(k, dim=1).values)
    return torch.cat(found)


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(N, M), by the expansion of the square, which in float64 is 10 times as fast as differences.

    It is off by some 1e-16 of the squared lengths, so that a copy is not exactly at 0; what is
    that near counts as 0. Which copy is nearest is the business of `distances.nearest`.
    """
    lengths = x.square().sum(1)[:, None] + y.square().sum(1)
    away = torch.addmm(lengths, x, y.T, alpha=-2)
    return torch.where(away <= COINCIDENT_FRACTION * lengths, 0.0, away)
