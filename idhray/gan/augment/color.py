"""Brightness and contrast, and for color images luma flip, hue and saturation.

Images are -1..1. Contrast scales about middle gray, 0; results may leave the range. The color
transforms of an image are one sum and one 3 x 3 matrix.

Shapes: N images, C channels, S side in pixels.
Source: Karras et al. 2020 (arXiv:2006.06676), appendix B, K2020 below.
"""

import math

import torch
from torch import Tensor

from idhray.gan.augment.config import AugmentSettings
from idhray.gan.augment.draws import AugmentDraws
from idhray.gan.augment.warp import product

BRIGHTNESS_DEVIATION = 0.2  # K2020
CONTRAST_DEVIATION = 0.5 * math.log(2)  # deviation of the logarithm; K2020
SATURATION_DEVIATION = math.log(2)  # deviation of the logarithm; K2020
COLOR = ("brightness", "contrast", "luma_flip", "hue", "saturation")


def recolored(images: Tensor, draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor:
    """(N, C, S, S) after all color transforms of the pipeline that apply."""
    names = [name for name in COLOR if getattr(settings, name)]
    if settings.pipeline == "geometry" or not names:
        return images
    applied = torch.stack([draws.applied(name, p) for name in names]).any(dim=0)
    # One amount for all channels of a color image, one for each of a stack of contrasts.
    kinds = 1 if settings.pipeline == "rgb" else images.shape[1]
    brighter = images + brightness(draws, p, settings)[:, :kinds, None, None]
    result = brighter * contrast(draws, p, settings)[:, :kinds, None, None]
    if settings.pipeline == "rgb":
        result = mixed(result, color_matrix(draws, p, settings))
    return torch.where(applied[:, None, None, None], result, images)


def brightness(draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor:
    """(N, C) summands."""
    amounts = BRIGHTNESS_DEVIATION * draws.brightness[1]
    applied = draws.applied("brightness", p)[:, None] & settings.brightness
    return torch.where(applied, amounts, torch.zeros_like(amounts))


def contrast(draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor:
    """(N, C) factors, log-normal."""
    amounts = (CONTRAST_DEVIATION * draws.contrast[1]).exp()
    applied = draws.applied("contrast", p)[:, None] & settings.contrast
    return torch.where(applied, amounts, torch.ones_like(amounts))


def mixed(images: Tensor, matrix: Tensor) -> Tensor:
    """(N, 3, S, S): the colors of each image times its matrix, (N, 3, 3)."""
    red, green, blue = images.split(1, dim=1)
    from_red, from_green, from_blue = (matrix[:, :, k, None, None] for k in range(3))
    # No matmul, which may round.
    mix: Tensor = from_red * red + from_green * green + from_blue * blue
    return mix


def color_matrix(draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor:
    """(N, 3, 3) matrices of luma flip, hue and saturation about the gray axis."""
    identity = torch.eye(3, device=draws.normal.device).expand(len(draws.normal), 3, 3)
    gray = torch.full_like(identity, 1 / 3)  # projects a color on the gray axis
    matrix = identity
    if settings.luma_flip:
        flipped = draws.applied("luma_flip", p) & (draws.u("luma_flip") < 0.5)
        matrix = identity - 2 * gray * flipped[:, None, None]
    if settings.hue:
        angle = (2 * draws.u("hue") - 1) * math.pi
        angle = torch.where(draws.applied("hue", p), angle, torch.zeros_like(angle))
        matrix = product(rotation_about_gray(angle), matrix)
    if settings.saturation:
        amount = (SATURATION_DEVIATION * draws.z("saturation")).exp()
        amount = torch.where(draws.applied("saturation", p), amount, torch.ones_like(amount))
        matrix = product(gray + amount[:, None, None] * (identity - gray), matrix)
    return matrix


def rotation_about_gray(angle: Tensor) -> Tensor:
    """(N, 3, 3) rotations by angles (N,) about (1, 1, 1). Source: Rodrigues' formula."""
    cos, sin = angle.cos(), angle.sin() / math.sqrt(3)
    same = (1 + 2 * cos) / 3
    later, earlier = (1 - cos) / 3 - sin, (1 - cos) / 3 + sin
    entries = [same, later, earlier, earlier, same, later, later, earlier, same]
    return torch.stack(entries, dim=1).view(-1, 3, 3)
