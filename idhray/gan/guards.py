"""Signs that a GAN diverges or collapses, and what to do when memory runs out: pure functions."""

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn

from idhray.gan.checks import STD_GROUP
from idhray.gan.config import GanSettings
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.schedule import growth_at

GAP_LIMIT = 15.0
"""Of StyleGAN2's score gap, in logits: real and fake apart by odds of e^15. Ours: healthy runs of
`demo-mri` stay below 7; the discriminator has then won, and the generator learns little."""
REPORTS = 3
"""A gap beyond its limit counts when so many reports in a row say so."""
ENDLESS = 1e30


def not_finite(losses: Mapping[str, float], networks: Iterable[nn.Module]) -> str:
    """Which losses, or that weights, are no finite numbers; empty where all are.

    Args:
        losses: Means since the last report.
        networks: Whose weights are looked at; none to look at losses only.
    """
    wrong = [f"{name} {v:g}" for name, v in losses.items() if not -ENDLESS < v < ENDLESS]
    if not wrong and not all(_finite(network) for network in networks):
        wrong = ["weights that are no finite numbers"]
    return ", ".join(wrong)


def divergence_advice(wrong: str, kimg: float, saved_kimg: float) -> str:
    """One line for a training that diverged: what was found, what is still good.

    Args:
        wrong: What `not_finite` found.
        kimg: How far the training is.
        saved_kimg: How far its last checkpoint is; 0 where there is none.
    """
    good = f"the checkpoint of {saved_kimg:g} kimg" if saved_kimg else "no checkpoint"
    return (
        f"the GAN diverged before {kimg:g} kimg ({wrong}); {good} is good; start anew with "
        "another seed or a lower learning_rate, or give --when-worse roll_back"
    )


def _finite(network: nn.Module) -> bool:
    found = [value.abs().sum() for value in network.state_dict().values() if value.numel()]
    return bool(torch.stack(found).isfinite().all())


def gap_limit(settings: GanSettings, side_px: int) -> float:
    """Beyond which a score gap says that the discriminator is out of hand.

    PGGAN's is an estimated Wasserstein distance between images of -1..1; no critic whose slope is
    1 can tell images further apart than black is from white.
    """
    if isinstance(settings, PgganSettings):
        return 2 * side_px * math.sqrt(settings.channels)
    return GAP_LIMIT


def newly_beyond(gaps: Sequence[float], limits: Sequence[float], k: int = REPORTS) -> bool:
    """Whether exactly the last k reports, and not the one before them, are beyond their limits.

    So it is said once, when it begins, and again only if it has been over in between.
    """
    beyond = [abs(gap) > limit for gap, limit in zip(gaps, limits, strict=True)]
    return len(beyond) >= k and all(beyond[-k:]) and not any(beyond[-k - 1 : -k])


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device has no memory left; of the CPU, torch has no type."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def batch_of(settings: GanSettings, images_shown: int) -> tuple[int, int]:
    """Images of the step that comes next, over all workers, and their side in px."""
    if isinstance(settings, PgganSettings):
        growth = growth_at(settings, images_shown)
        return growth.batch_size, 4 << growth.level
    return settings.batch_size, settings.resolution_px


def smaller_micro_batch(images: int) -> int | None:
    """Half of so many images at a time, in whole groups; None where it is one group already."""
    half = max(STD_GROUP, images // 2 // STD_GROUP * STD_GROUP)
    return half if half < images else None


def memory_advice(images: int, side_px: int, device: str) -> str:
    """One line for a step that did not fit: what was tried, what would fit.

    Args:
        images: That a worker held at a time.
        side_px: Of the images at this level.
        device: Which ran out.
    """
    tried = f"{device}: out of memory with {images} images of {side_px} px at a time"
    fits = smaller_micro_batch(images)
    if fits is None:
        return f"{tried}, the fewest there can be; lower fmap_base or resolution_px"
    return f"{tried}; --micro-batch {fits} holds fewer and trains the same, as do more --workers"
