"""Signs that a training diverges, and advice when memory runs out: pure functions."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn

from idhray.gan.checks import STD_GROUP

REPORTS = 3
"""Reports in a row beyond its limit that make a score gap a warning sign."""
ENDLESS = 1e30  # a loss beyond it counts as infinite


def not_finite(losses: Mapping[str, float], networks: Iterable[nn.Module]) -> str:
    """Names of losses that are not finite, or a note that weights are not; empty if all are finite.

    Args:
        losses: Means since the last report.
        networks: Networks whose weights are checked; none to check losses only.
    """
    wrong = [f"{name} {v:g}" for name, v in losses.items() if not -ENDLESS < v < ENDLESS]
    if not wrong and not all(_finite(network) for network in networks):
        wrong = ["weights that are not finite"]
    return ", ".join(wrong)


def divergence_advice(wrong: str, kimg: float, saved_kimg: float) -> str:
    """One line for a training that diverged, with the last good checkpoint.

    Args:
        wrong: Result of `not_finite`.
        kimg: Length of the training so far.
        saved_kimg: Length of the training at its last checkpoint; 0 if there is none.
    """
    saved = f"the checkpoint of {saved_kimg:g} kimg" if saved_kimg else "no checkpoint"
    return (
        f"the GAN diverged before {kimg:g} kimg ({wrong}); {saved} is good; start again with "
        "another seed or a lower learning_rate, or give --when-worse roll_back"
    )


def _finite(network: nn.Module) -> bool:
    sums = [value.abs().sum() for value in network.state_dict().values() if value.numel()]
    return bool(torch.stack(sums).isfinite().all())


def newly_beyond(gaps: Sequence[float], limits: Sequence[float]) -> bool:
    """True if exactly the last `REPORTS` reports, not the one before, are beyond their limits.

    So a warning appears once, and again only after a sound report.
    """
    beyond = [abs(gap) > limit for gap, limit in zip(gaps, limits, strict=True)]
    last, before = beyond[-REPORTS:], beyond[-REPORTS - 1 : -REPORTS]
    return len(last) == REPORTS and all(last) and not any(before)


def out_of_memory(error: BaseException) -> bool:
    """True for an error of a device without memory; torch has no type for the CPU's error."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def smaller_micro_batch(images: int) -> int | None:
    """Half as many images at a time, in whole groups; None if it is one group already."""
    half = max(STD_GROUP, images // 2 // STD_GROUP * STD_GROUP)
    return half if half < images else None


def memory_advice(
    images: int, side_px: int, device: str, *, graphs: bool = False, workers: int | None = None
) -> str:
    """One line for a step that did not fit, with flags that would make it smaller.

    Args:
        images: Images that a worker held at a time.
        side_px: Side of the images at this level.
        device: Device that ran out of memory.
        graphs: True if CUDA graphs are used, which take whole batches.
        workers: Next larger number of workers that the batches of the settings divide over; None
            if there is none, or if more workers share the memory of this one.
    """
    tried = f"{device}: out of memory with {images} images of {side_px} px at a time"
    more = f" or --workers {workers}, on a GPU each" if workers else ""
    fits = smaller_micro_batch(images)
    if fits is None:
        return (
            f"{tried}, the smallest possible number; start again with a lower fmap_base or "
            "resolution_px"
        )
    instead = " in place of --cuda-graphs" if graphs else ""
    return f"{tried}; give --micro-batch {fits}{instead} (it trains the same){more}"
