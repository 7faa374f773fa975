"""The Frechet distance (FID in Inception's features) between two samples.

Shapes: N and M images, F features.
"""

import torch
from torch import Tensor


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """|mean x - mean y|^2 + tr(Cx + Cy - 2 (Cx Cy)^(1/2)), covariances by n - 1; 0 or more.

    The root of the symmetrized product Cx^(1/2) Cy Cx^(1/2) has as eigenvalues the singular values
    of Rx Ry', where Cx = Rx' Rx: no matrix root is taken, and no eigenvalue that rounding made
    negative. It serves singular covariances (fewer images than features) just as well.

    Args:
        x: (N, F) float64, N of 2 or more.
        y: (M, F) float64, M of 2 or more.

    Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6. Biased upwards, the more so the fewer
    the images: Chong & Forsyth 2020 (arXiv:1911.07023), section 3.
    """
    (mean_x, root_x), (mean_y, root_y) = _moments(x), _moments(y)
    spread = root_x.square().sum() + root_y.square().sum()
    shared = torch.linalg.svdvals(root_x @ root_y.T).sum()
    return max(float((mean_x - mean_y).square().sum() + spread - 2 * shared), 0.0)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean, and a root R of the covariance, R'R = C, of no more rows than columns."""
    mean = x.mean(dim=0)
    root = (x - mean) / (len(x) - 1) ** 0.5
    if len(root) > root.shape[1]:
        root = torch.linalg.qr(root, mode="r").R
    return mean, root
