"""The Frechet distance (FID in Inception's features) between two samples.

Shapes: N and M images, F features.
"""

import torch
from torch import Tensor


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """|mean x - mean y|^2 + tr(Cx + Cy - 2 (Cx Cy)^(1/2)), covariances by n - 1; 0 or more.

    The eigenvalues of the root of the symmetrized product Cx^(1/2) Cy Cx^(1/2) are the singular
    values of Rx Ry', where Cx = Rx' Rx. So no matrix root is needed, and rounding gives no negative
    eigenvalue. The formula also holds for singular covariances (fewer images than features).

    Args:
        x: (N, F) float64, N of 2 or more.
        y: (M, F) float64, M of 2 or more.

    Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6. The bias is upward and grows as
    images get fewer: Chong & Forsyth 2020 (arXiv:1911.07023), section 3.
    """
    (mean_x, root_x), (mean_y, root_y) = _moments(x), _moments(y)
    spread = root_x.square().sum() + root_y.square().sum()
    shared = torch.linalg.svdvals(root_x @ root_y.T).sum()
    return max(float((mean_x - mean_y).square().sum() + spread - 2 * shared), 0.0)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean, and a root R of the covariance, R'R = C, with no more rows than columns."""
    mean = x.mean(dim=0)
    root = (x - mean) / (len(x) - 1) ** 0.5
    if len(root) > root.shape[1]:
        root = torch.linalg.qr(root, mode="r").R
    return mean, root
