"""Flips, turns, shifts, scales and rotations of images, as affine maps.

Flips, turns and whole-pixel shifts copy pixels; the others interpolate. The transforms of an image
are combined into one map from its pixels, so that it is resampled once.

Shapes: N images, C channels, S side in pixels; maps as in `warp`.
Source: Karras et al. 2020 (arXiv:2006.06676), appendix B, K2020 below.
"""

import math

import torch
from torch import Tensor

from idhray.gan.augment.config import AugmentSettings
from idhray.gan.augment.draws import AugmentDraws
from idhray.gan.augment.warp import copied, linear, product, shift, warped

SHIFT = 0.125  # fraction of the side: range of whole-pixel shifts, deviation of others; K2020
SCALE_DEVIATION = 0.2 * math.log(2)  # deviation of the logarithm; K2020


def moved(images: Tensor, draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor:
    """(N, C, S, S) after all geometric transforms that apply."""
    side = images.shape[-1]
    places = copying_map(draws, p, settings, side)
    result = copied(images, places)
    interpolated = interpolating(draws, p, settings)
    if interpolated is None:
        return result
    places = product(places, interpolating_map(draws, p, settings, side))
    return torch.where(interpolated[:, None, None, None], warped(images, places), result)


def copying_map(draws: AugmentDraws, p: Tensor, settings: AugmentSettings, side_px: int) -> Tensor:
    """(N, 3, 3) maps of x-flip, quarter turns and whole-pixel shift; entries are whole numbers.

    Inverses are multiplied from the right in the order of the transforms.
    """
    places, zeros, ones = _start(draws)
    if settings.x_flip:
        flipped = draws.applied("x_flip", p) & (draws.u("x_flip") < 0.5)
        places = product(places, linear(torch.where(flipped, -ones, ones), zeros, zeros, ones))
    if settings.quarter_turns:
        turns = (4 * draws.u("quarter_turns")).floor()
        turns = torch.where(draws.applied("quarter_turns", p), turns, zeros)
        cos = (turns == 0).to(zeros) - (turns == 2).to(zeros)
        sin = (turns == 1).to(zeros) - (turns == 3).to(zeros)
        places = product(places, linear(cos, sin, -sin, cos))
    if settings.integer_shift:
        applied = draws.applied("integer_shift", p)
        x, y = (
            torch.where(applied, whole_shift(draws.u(name), side_px), zeros)
            for name in ("shift_x", "shift_y")
        )
        places = product(places, shift(-x, -y))
    return places


def whole_shift(u: Tensor, side_px: int) -> Tensor:
    """Shift in pixels, at most an eighth of the side, from a uniform number in 0..1."""
    return ((2 * u - 1) * SHIFT * side_px).round()


def rotation_probability(p: Tensor) -> Tensor:
    """Probability of each of two rotations, such that p is that of at least one. Source: K2020."""
    return 1 - (1 - p).sqrt()


def interpolating(draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor | None:
    """(N,) bool: images that are scaled, rotated or shifted by fractions; None if all are off."""
    names = [n for n in ("scale", "anisotropy", "fractional_shift") if getattr(settings, n)]
    applied = [draws.applied(name, p) for name in names]
    if settings.rotation:
        half = rotation_probability(p)
        applied += [draws.applied("rotation", half), draws.applied("second_rotation", half)]
    return torch.stack(applied).any(dim=0) if applied else None


def interpolating_map(
    draws: AugmentDraws, p: Tensor, settings: AugmentSettings, side_px: int
) -> Tensor:
    """(N, 3, 3) maps of scale, rotation, anisotropic scale, rotation, and shift, in this order."""
    places, zeros, _ = _start(draws)
    if settings.scale:
        size = _size(draws, "scale", p)
        places = product(places, linear(1 / size, zeros, zeros, 1 / size))
    if settings.rotation:
        places = product(places, _turn_back(draws, "rotation", p))
    if settings.anisotropy:
        size = _size(draws, "anisotropy", p)
        places = product(places, linear(1 / size, zeros, zeros, size))
    if settings.rotation:
        places = product(places, _turn_back(draws, "second_rotation", p))
    if settings.fractional_shift:
        applied = draws.applied("fractional_shift", p)
        x, y = (
            torch.where(applied, SHIFT * side_px * draws.z(name), zeros)
            for name in ("shift_x", "shift_y")
        )
        places = product(places, shift(-x, -y))
    return places


def _start(draws: AugmentDraws) -> tuple[Tensor, Tensor, Tensor]:
    """Identity map, and (N,) zeros and ones as entries of other maps."""
    zeros = torch.zeros_like(draws.u("x_flip"))
    return shift(zeros, zeros), zeros, torch.ones_like(zeros)


def _size(draws: AugmentDraws, name: str, p: Tensor) -> Tensor:
    """(N,) factors of the size; log-normal, or 1."""
    size = (SCALE_DEVIATION * draws.z(name)).exp()
    return torch.where(draws.applied(name, p), size, torch.ones_like(size))


def _turn_back(draws: AugmentDraws, name: str, p: Tensor) -> Tensor:
    """(N, 3, 3) inverse of a rotation by any angle, or the identity."""
    angle = (2 * draws.u(name) - 1) * math.pi
    applied = draws.applied(name, rotation_probability(p))
    angle = torch.where(applied, angle, torch.zeros_like(angle))
    cos, sin = angle.cos(), angle.sin()
    return linear(cos, sin, -sin, cos)
