"""Precision, recall, density and coverage: shares of images in balls around the other sample.

A sample's manifold is the union of balls, one around each image. The radius of a ball is the
distance to the image's k-th nearest neighbor in the sample.

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
    """Shares from 0 to 1; only density may exceed 1."""

    precision: float
    """Share of generated images within the manifold of the real ones."""
    recall: float
    """Share of real images within the manifold of the generated ones."""
    density: float
    """Mean number of real balls around a generated image, divided by k: a precision that one
    outlier cannot raise."""
    coverage: float
    """Share of real images with a generated image in their ball."""


def manifold_scores(generated: Tensor, real: Tensor, k: int) -> Manifold:
    """The four shares; balls include their boundary.

    Args:
        generated: (N, F) float64.
        real: (M, F) float64.
        k: Neighbor that sets the radius, below N and M.

    Raises:
        TableError: A sample is not larger than k.

    Source: Kynkaanniemi et al. 2019 (arXiv:1904.06991), equations 1 and 2; Naeem et al. 2020
    (arXiv:2002.09797), equations 5 and 6 and section 3.
    """
    if not 1 <= k < min(len(generated), len(real)):
        raise TableError(
            f"{k} neighbors need {k + 1} or more images on either side, got {len(generated)} "
            f"generated and {len(real)} real"
        )
    real_radius, generated_radius = radii(real, k), radii(generated, k)
    balls = torch.zeros(len(generated), device=real.device)  # real balls around generated images
    recalled = coverage = 0
    for block, radius in zip(real.split(BLOCK), real_radius.split(BLOCK), strict=True):
        squared_distance = squared_distances(block, generated)
        inside = squared_distance <= radius[:, None]
        balls += inside.sum(dim=0)
        coverage += int(inside.any(dim=1).sum())
        recalled += int((squared_distance <= generated_radius).any(dim=1).sum())
    return Manifold(
        precision=float((balls > 0).double().mean()),
        recall=recalled / len(real),
        density=float(balls.double().mean()) / k,
        coverage=coverage / len(real),
    )


def radii(x: Tensor, k: int) -> Tensor:
    """(N,): squared distance of each image to its k-th nearest other image."""
    radius_blocks = []
    for start in range(0, len(x), BLOCK):
        squared_distance = squared_distances(x[start : start + BLOCK], x)
        squared_distance.diagonal(offset=start).fill_(torch.inf)
        radius_blocks.append(squared_distance.kthvalue(k, dim=1).values)
    return torch.cat(radius_blocks)


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(N, M), by the expansion of the square, which in float64 is 10 times as fast as differences.

    Its error is about 1e-16 of the squared lengths, so a copy is not exactly at 0; distances this
    small count as 0. `distances.nearest` decides which copy is nearest.
    """
    lengths = x.square().sum(1)[:, None] + y.square().sum(1)
    squared_distance = torch.addmm(lengths, x, y.T, alpha=-2)
    return torch.where(squared_distance <= COINCIDENT_FRACTION * lengths, 0.0, squared_distance)
