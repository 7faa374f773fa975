"""Draws for the tests of augmentation, and one picture as the papers would change it."""

import torch

from idhray.gan.augment.draws import NORMAL, TRANSFORMS, UNIFORM, AugmentDraws, augment_draws

P = torch.tensor(0.5)


def chance(seed=0):
    """A generator."""
    return torch.Generator().manual_seed(seed)


def only(*transforms, size=1, channels=3, uniform=None, normal=None, seed=0):
    """Draws of which these transforms alone are made at p = 0.5, with these numbers."""
    draws = augment_draws(size, channels, chance(seed))
    gates = torch.full_like(draws.gates, 0.9)
    for name in transforms:
        gates[:, TRANSFORMS.index(name)] = 0.1
    for name, value in (uniform or {}).items():
        draws.uniform[:, UNIFORM.index(name)] = value
    for name, value in (normal or {}).items():
        draws.normal[:, NORMAL.index(name)] = value
    return AugmentDraws(gates, *draws[1:])


def noise(*shape, seed=0, dtype=torch.float32):
    """Pixels in -1..1 of no picture."""
    return torch.rand(shape, generator=chance(seed), dtype=dtype) * 2 - 1


def smooth(side=32):
    """(1, 1, side, side) without fine detail, different in every corner, not periodic."""
    x = torch.arange(side).double() / side
    wave = torch.cos(3 * x[None, :] + 1) * torch.cos(5 * x[:, None] + 2 * x[None, :])
    return wave[None, None]
