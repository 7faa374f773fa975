"""Images as the discriminator sees them: adaptive augmentation, DiffAugment, or neither.

    draws = draw(batch_size, channels, settings, chance).share(part).to(device)
    scores = discriminator(apply(images, draws, p, settings))

Real and generated images of a step get draws of their own. `apply` holds no state, waits for no
device, takes p as a tensor, and is differentiable twice.
"""

import torch
from torch import Tensor

from idhray.gan.augment.color import recolored
from idhray.gan.augment.config import AugmentSettings, check_channels
from idhray.gan.augment.diffaugment import diff_augmented
from idhray.gan.augment.draws import AugmentDraws, drawn
from idhray.gan.augment.geometry import moved


def draw(
    size: int, channels: int, settings: AugmentSettings, chance: torch.Generator
) -> AugmentDraws:
    """Random numbers for a global batch of `size` images, on the generator's device.

    The same numbers whatever the mode, the switches and p.

    Raises:
        ConfigError: the settings' pipeline is not for so many channels.
    """
    check_channels(settings, channels)
    return drawn(size, channels, chance)


def apply(images: Tensor, draws: AugmentDraws, p: Tensor, settings: AugmentSettings) -> Tensor:
    """Images after what was drawn for them; null channels as they are.

    Args:
        images: (N, C, S, S) float -1..1; results may leave that range.
        draws: For these images, on their device.
        p: (), the probability of each transform; without meaning for DiffAugment. At 0 the images
            come back bit for bit.
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
