"""Which flips, turns, shifts, scales and rotations images get, as affine maps.

Flips, turns and whole-pixel shifts copy pixels; the others interpolate. All that an image gets is
one map from its own pixels, so that it is looked up once.

Shapes: N images, C channels, S side in pixels; maps as in `augment_warp`.
Source: Karras et al. 2020 (arXiv:2006.06676), appendix B, K2020 below.
"""

import math

import torch
from torch import Tensor

from idhray.gan.augment.config import AugmentSettings
from idhray.gan.augment.draws import AugmentDraws
from idhray.gan.augment.warp import copied, linear, product, shift, warped

SHIFT = 0.125  # of the side: the range of whole-pixel shifts, the deviation of others; K2020
SCALE_DEVIATION = 0.2 * math.log(2)  # of the logarithm; K2020


def moved(images: Tensor, draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor:
    """(N, C, S, S) after all geometric transforms that are made."""
    side = images.shape[-1]
    places = copying_map(draws, p, settings, side)
    result = copied(images, places)
    made = interpolating(draws, p, settings)
    if made is None:
        return result
    places = product(places, interpolating_map(draws, p, settings, side))
    return torch.where(made[:, None, None, None], warped(images, places), result)


def copying_map(draws: AugmentDraws, p: Tensor, settings: AugmentSettings, side_px: int) -> Tensor:
    """(N, 3, 3) of x-flip, quarter turns and whole-pixel shift; all entries are whole numbers.

    Inverses are multiplied from the right in the order in which an image gets the transforms.
    """
    places, zero, one = _start(draws)
    if settings.x_flip:
        flipped = draws.made("x_flip", p) & (draws.u("x_flip") < 0.5)
        places = product(places, linear(torch.where(flipped, -one, one), zero, zero, one))
    if settings.quarter_turns:
        turns = (4 * draws.u("quarter_turns")).floor()
        turns = torch.where(draws.made("quarter_turns", p), turns, zero)
        cos = (turns == 0).to(zero) - (turns == 2).to(zero)
        sin = (turns == 1).to(zero) - (turns == 3).to(zero)
        places = product(places, linear(cos, sin, -sin, cos))
    if settings.integer_shift:
        made = draws.made("integer_shift", p)
        x, y = (
            torch.where(made, whole_shift(draws.u(name), side_px), zero)
            for name in ("shift_x", "shift_y")
        )
        places = product(places, shift(-x, -y))
    return places


def whole_shift(u: Tensor, side_px: int) -> Tensor:
    """Pixels, at most an eighth of the side, of a uniform number in 0..1."""
    return ((2 * u - 1) * SHIFT * side_px).round()


def rotation_probability(p: Tensor) -> Tensor:
    """Of either of two rotations, so that p is that of any. Source: K2020."""
    return 1 - (1 - p).sqrt()


def interpolating(draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor | None:
    """(N,) bool: which images are scaled, rotated or shifted by fractions; None if none can be."""
    names = [n for n in ("scale", "anisotropy", "fractional_shift") if getattr(settings, n)]
    found = [draws.made(name, p) for name in names]
    if settings.rotation:
        half = rotation_probability(p)
        found += [draws.made("rotation", half), draws.made("second_rotation", half)]
    return torch.stack(found).any(dim=0) if found else None


def interpolating_map(
    draws: AugmentDraws, p: Tensor, settings: AugmentSettings, side_px: int
) -> Tensor:
    """(N, 3, 3) of scale, rotation, anisotropic scale, rotation, and shift, in this order."""
    places, zero, _ = _start(draws)
    if settings.scale:
        size = _size(draws, "scale", p)
        places = product(places, linear(1 / size, zero, zero, 1 / size))
    if settings.rotation:
        places = product(places, _turn_back(draws, "rotation", p))
    if settings.anisotropy:
        size = _size(draws, "anisotropy", p)
        places = product(places, linear(1 / size, zero, zero, size))
    if settings.rotation:
        places = product(places, _turn_back(draws, "second_rotation", p))
    if settings.fractional_shift:
        made = draws.made("fractional_shift", p)
        x, y = (
            torch.where(made, SHIFT * side_px * draws.z(name), zero)
            for name in ("shift_x", "shift_y")
        )
        places = product(places, shift(-x, -y))
    return places


def _start(draws: AugmentDraws) -> tuple[Tensor, Tensor, Tensor]:
    """The map that changes nothing, and (N,) zeros and ones to build others of."""
    zero = torch.zeros_like(draws.u("x_flip"))
    one = torch.ones_like(zero)
    return shift(zero, zero), zero, one


def _size(draws: AugmentDraws, name: str, p: Tensor) -> Tensor:
    """(N,): how many times as large; log-normal, or 1."""
    size = (SCALE_DEVIATION * draws.z(name)).exp()
    return torch.where(draws.made(name, p), size, torch.ones_like(size))


def _turn_back(draws: AugmentDraws, name: str, p: Tensor) -> Tensor:
    """(N, 3, 3), the inverse of a rotation by any angle, or of none."""
    angle = (2 * draws.u(name) - 1) * math.pi
    made = draws.made(name, rotation_probability(p))
    angle = torch.where(made, angle, torch.zeros_like(angle))
    cos, sin = angle.cos(), angle.sin()
    return linear(cos, sin, -sin, cos)
