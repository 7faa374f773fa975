"""DiffAugment: color, translation and cutout on every image, with fixed strength.

Shapes: N images, C channels, S side in pixels. Images are -1..1; the fill value is 0, middle gray.
Source: Zhao et al. 2020 (arXiv:2006.10738), section 3.2 and appendix; Z2020 below.
"""

import torch
from torch import Tensor

from idhray.gan.augment.config import AugmentSettings
from idhray.gan.augment.draws import AugmentDraws
from idhray.gan.augment.geometry import whole_shift

CUTOUT = 0.5  # fraction of the side; Z2020


def diff_augmented(images: Tensor, draws: AugmentDraws, settings: AugmentSettings) -> Tensor:
    """(N, C, S, S) after the parts of the policy that the settings turn on."""
    if settings.pipeline != "geometry":
        images = _recolored(images, draws, settings)
    if settings.integer_shift:
        images = shifted(images, draws)
    if settings.cutout:
        images = images * cutout_mask(draws, images.shape[-1])[:, None]
    return images


def _recolored(images: Tensor, draws: AugmentDraws, settings: AugmentSettings) -> Tensor:
    """Brightness +-0.5, saturation 0..2, contrast 0.5..1.5, all uniform. Source: Z2020."""
    rgb = settings.pipeline == "rgb"
    kinds = 1 if rgb else images.shape[1]
    if settings.brightness:
        images = images + (draws.brightness[0, :, :kinds, None, None] - 0.5)
    if settings.saturation:
        images = _about(images, (1,), 2 * draws.u("saturation")[:, None, None, None])
    if settings.contrast:
        over = (1, 2, 3) if rgb else (2, 3)  # contrasts have separate means: channels never mix
        images = _about(images, over, draws.contrast[0, :, :kinds, None, None] + 0.5)
    return images


def _about(images: Tensor, over: tuple[int, ...], amount: Tensor) -> Tensor:
    """Images with their distances from the mean over some dimensions multiplied by `amount`."""
    mean = images.mean(dim=over, keepdim=True)
    return mean + (images - mean) * amount


def shifted(images: Tensor, draws: AugmentDraws) -> Tensor:
    """Images shifted by whole pixels, at most an eighth of the side; gray fills. Source: Z2020."""
    for dim, name in ((2, "shift_y"), (3, "shift_x")):
        side = images.shape[dim]
        step = whole_shift(draws.u(name), side).long()
        place = torch.arange(side, device=images.device) - step[:, None]  # (N, S)
        shape = (len(images), 1, side, 1) if dim == 2 else (len(images), 1, 1, side)
        inside = ((place >= 0) & (place < side)).view(shape)
        source = place.clamp(0, side - 1).view(shape).expand_as(images)
        images = images.gather(dim, source) * inside
    return images


def cutout_mask(draws: AugmentDraws, side_px: int) -> Tensor:
    """(N, S, S) bool, False in a square of half the side whose center is any pixel.

    Source: Z2020. They do not describe the position; it is that of DeVries and Taylor 2017
    (arXiv:1708.04552): the square may extend over the edge.
    """
    size = int(side_px * CUTOUT)
    places = torch.arange(side_px, device=draws.uniform.device)
    rows, columns = (
        ((places - start >= 0) & (places - start < size))
        for start in (
            ((draws.u(name) * side_px).floor().long() - size // 2)[:, None]
            for name in ("cutout_y", "cutout_x")
        )
    )
    return ~(rows[:, :, None] & columns[:, None, :])
