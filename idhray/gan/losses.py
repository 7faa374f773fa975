"""WGAN-GP: what the discriminator (a critic) and the generator minimise.

Scores are (N,); the critic's are high for real images. Images are (N, C, H, W).
Source: Gulrajani et al. 2017 (arXiv:1704.00028), equation 3 and algorithm 1; drift term and
constants: Karras et al. 2018 (arXiv:1710.10196), appendix A.1.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def wasserstein(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """The critic's estimate of the distance between real and fake images."""
    return real_scores.mean() - fake_scores.mean()


def gradient_penalty(
    score: Callable[[Tensor], Tensor], reals: Tensor, fakes: Tensor, mix: Tensor
) -> Tensor:
    """Mean of (|grad| - 1)^2 at points between real and fake images.

    Args:
        score: The critic.
        mix: Where between them, (N, 1, 1, 1) in 0..1, 0 is the real image.
    """
    between = torch.lerp(reals, fakes, mix).requires_grad_()
    # An image's score depends on its group too (minibatch std); as in the paper's code, the sum
    # is differentiated by all images at once.
    (slope,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    length: Tensor = torch.linalg.vector_norm(slope.flatten(1), dim=1)
    return (length - 1).square().mean()


def drift(real_scores: Tensor) -> Tensor:
    """Mean squared score of real images; holds the critic's arbitrary offset near 0."""
    return real_scores.square().mean()


def generator_loss(fake_scores: Tensor) -> Tensor:
    """Low when the critic takes the fakes for real."""
    return -fake_scores.mean()
