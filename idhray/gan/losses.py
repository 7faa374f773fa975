"""Losses of discriminator and generator: WGAN-GP of PGGAN, the logistic loss of StyleGAN2.

Scores are (N,), high for real images. Images are (N, C, H, W). Slopes are computed by
`torch.func.grad`, which can be compiled and differentiated again.

Source of WGAN-GP: Gulrajani et al. 2017 (arXiv:1704.00028), equation 3 and algorithm 1; drift term
and constants: Karras et al. 2018 (arXiv:1710.10196), appendix A.1. The others are named below.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad


def score_gap(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Mean score of real minus generated images; for a WGAN, the critic's estimated distance."""
    return real_scores.mean() - fake_scores.mean()


def gradient_penalty(
    score: Callable[[Tensor], Tensor],
    reals: Tensor,
    fakes: Tensor,
    mix: Tensor,
    *,
    scale: float = 1.0,
) -> Tensor:
    """Mean of (scale * |grad| - 1)^2 at points between real and fake images.

    Args:
        score: Critic.
        mix: Position between them, (N, 1, 1, 1) in 0..1; 0 is the real image.
        scale: Factor on the slope. For images of side S that stand for k * S pixels, each of S
            pixels shown k * k times, the slope by the larger image is 1 / k of that by the smaller.
    """
    between = torch.lerp(reals, fakes, mix)
    # An image's score depends on its group too (minibatch std); as in the paper's code, the sum
    # is differentiated by all images at once.
    slope = grad(lambda x: score(x).sum())(between)
    length: Tensor = torch.linalg.vector_norm(slope.flatten(1), dim=1)
    return (scale * length - 1).square().mean()


def drift(real_scores: Tensor) -> Tensor:
    """Mean squared score of real images; it keeps the critic's arbitrary offset near 0."""
    return real_scores.square().mean()


def wasserstein_generator(fake_scores: Tensor) -> Tensor:
    """Low when the critic scores generated images like real ones."""
    return -fake_scores.mean()


def logistic_discriminator(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Low when real images score high and generated ones low.

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), equation 1, with D = sigmoid(score).
    """
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()


def logistic_generator(fake_scores: Tensor) -> Tensor:
    """Low when generated images score high ("non-saturating": steep when they score low).

    Source: Goodfellow et al. 2014 (arXiv:1406.2661), section 3.
    """
    return F.softplus(-fake_scores).mean()


def r1_penalty(score: Callable[[Tensor], Tensor], reals: Tensor) -> Tensor:
    """Mean squared length of the score's slope at real images, unweighted.

    Source: Mescheder et al. 2018 (arXiv:1801.04406), equation 9.
    """
    slope: Tensor = grad(lambda x: score(x).sum())(reals.detach())
    return slope.square().sum(dim=(1, 2, 3)).mean()


def path_lengths(
    synthesis: Callable[[Tensor], Tensor], styles: Tensor, directions: Tensor
) -> Tensor:
    """(N,) change of each image along a random direction per small step of its styles.

    It is the length of J^T y: the length of the gradient of each layer's style, and the root mean
    square over layers. `y` is divided by the side of the image, so that a length does not grow with
    it.

    Args:
        synthesis: Function from styles to images.
        styles: (N, layers, Z).
        directions: y, normal numbers in the shape of the images.

    Source: Karras et al. 2020 (arXiv:1912.04958), section 3.2, equation 4; by layers, and over
    the side, as in the implementation that Park et al. 2021 used.
    """
    side = math.sqrt(directions.shape[2] * directions.shape[3])
    slope: Tensor = grad(lambda s: (synthesis(s) * directions).sum() / side)(styles)
    # A generator without slope has length 0 and no NaN in its gradient.
    return (slope.square().sum(dim=2).mean(dim=1) + 1e-12).sqrt()
