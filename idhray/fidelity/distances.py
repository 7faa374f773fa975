"""Nearest neighbors in a space of features, a block at a time.

Shapes: N queries, M references, F features.
"""

import torch
from torch import Tensor

from idhray.errors import TableError

BLOCK = 4096  # queries and references at a time: 128 MB of float64 distances


def nearest(queries: Tensor, references: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """Euclidean distances to the k nearest references, ascending, and which they are: (N, k) each.

    Ties go to the reference that comes first. Distances are exact differences, not the faster
    expansion of the square, which is wrong by more than the distance of near copies.

    Args:
        queries: (N, F).
        references: (M, F); to leave a query itself out, ask for k + 1 and drop the first column.
        k: At most M.

    Raises:
        TableError: k references are more than there are.
    """
    if not 1 <= k <= len(references):
        raise TableError(f"{k} nearest neighbors asked for, but there are {len(references)}")
    found = [_nearest_of(block, references, k) for block in queries.split(BLOCK)]
    distances, places = zip(*found, strict=True)
    return torch.cat(distances), torch.cat(places)


def _nearest_of(queries: Tensor, references: Tensor, k: int) -> tuple[Tensor, Tensor]:
    distances = queries.new_empty(len(queries), 0)
    places = torch.empty(len(queries), 0, dtype=torch.long, device=queries.device)
    for start in range(0, len(references), BLOCK):
        block = references[start : start + BLOCK]
        away = torch.cdist(queries, block, compute_mode="donot_use_mm_for_euclid_dist")
        here = torch.arange(start, start + len(block), device=queries.device).expand(away.shape)
        distances, places = torch.cat([distances, away], 1), torch.cat([places, here], 1)
        order = distances.argsort(dim=1, stable=True)[:, :k]
        distances, places = distances.gather(1, order), places.gather(1, order)
    return distances, places
