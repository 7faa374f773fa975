"""Nearest neighbors in a feature space, computed in blocks.

Shapes: N queries, M references, F features.
"""

import torch
from torch import Tensor

from idhray.errors import TableError

BLOCK = 4096  # queries and references per block: 128 MB of float64 distances


def nearest(queries: Tensor, references: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """Euclidean distances to the k nearest references, ascending, and their indices: (N, k) each.

    Ties go to the earlier reference. Distances are computed from differences, not from the faster
    expansion of the square, whose error exceeds the distance between near copies.

    Args:
        queries: (N, F).
        references: (M, F); to exclude a query itself, ask for k + 1 and drop the first column.
        k: Number of neighbors, at most M.

    Raises:
        TableError: There are fewer than k references.
    """
    if not 1 <= k <= len(references):
        raise TableError(f"{k} nearest neighbors need {k} references, got {len(references)}")
    neighbors = [_nearest_of(block, references, k) for block in queries.split(BLOCK)]
    distances, indices = zip(*neighbors, strict=True)
    return torch.cat(distances), torch.cat(indices)


def _nearest_of(queries: Tensor, references: Tensor, k: int) -> tuple[Tensor, Tensor]:
    distances = queries.new_empty(len(queries), 0)
    indices = torch.empty(len(queries), 0, dtype=torch.long, device=queries.device)
    for start in range(0, len(references), BLOCK):
        block = references[start : start + BLOCK]
        block_distances = torch.cdist(queries, block, compute_mode="donot_use_mm_for_euclid_dist")
        block_indices = torch.arange(start, start + len(block), device=queries.device).expand(
            block_distances.shape
        )
        distances, indices = (
            torch.cat([distances, block_distances], 1),
            torch.cat([indices, block_indices], 1),
        )
        order = distances.argsort(dim=1, stable=True)[:, :k]
        distances, indices = distances.gather(1, order), indices.gather(1, order)
    return distances, indices
