"""Images as the discriminator sees them: adaptive augmentation, DiffAugment, or neither.

    draws = draw(batch_size, channels, settings, chance).share(part).to(device)
    scores = discriminator(apply(images, draws, p, settings))

Real and generated images of a step get separate draws. `apply` has no state, does not wait for the
device, takes p as a tensor, and is differentiable twice.
"""

import torch
from torch import Tensor

from idhray.gan.augment.color import recolored
from idhray.gan.augment.config import AugmentSettings, check_channels
from idhray.gan.augment.diffaugment import diff_augmented
from idhray.gan.augment.draws import AugmentDraws, augment_draws
from idhray.gan.augment.geometry import moved


def draw(
    size: int, channels: int, settings: AugmentSettings, chance: torch.Generator
) -> AugmentDraws:
    """Random numbers for a global batch of `size` images, on the device of `chance`.

    Mode, switches and p do not change the numbers.

    Raises:
        ConfigError: the pipeline of the settings does not fit the number of channels.
    """
    check_channels(settings, channels)
    return augment_draws(size, channels, chance)


def apply(images: Tensor, draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor:
    """Augmented images; null channels are unchanged.

    Args:
        images: (N, C, S, S) float -1..1; results may leave that range.
        draws: Draws for these images, on their device.
        p: (), probability of each transform; not used by DiffAugment. At 0 the images are returned
            bit for bit.
    """
    if settings.mode == "none":
        return images
    null = settings.null_channels
    channels = images.split(1, dim=1)
    live = images
    if null:
        live = torch.cat([c for k, c in enumerate(channels) if k not in null], dim=1)
    if settings.mode == "ada":
        live = recolored(moved(live, draws, p, settings), draws, p, settings)
    else:
        live = diff_augmented(live, draws, settings)
    live = live.to(images.dtype)
    if not null:
        return live
    changed = iter(live.split(1, dim=1))
    return torch.cat([c if k in null else next(changed) for k, c in enumerate(channels)], dim=1)
