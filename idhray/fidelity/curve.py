"""Decline of a fidelity metric during training."""

import math
from collections.abc import Sequence

from idhray.errors import ConfigError


def worse_in_a_row(values: Sequence[float], *, tolerance: float = 0.0) -> int:
    """Number of last evaluations that were each worse, that is higher, than the one before.

    Args:
        values: FID or KID in training order. NaN is skipped.
        tolerance: A step counts only if the metric rises by more than this, in the metric's unit.
            The spread of the floor is a sensible value.

    Raises:
        ConfigError: `tolerance` is negative or not a number.
    """
    if not tolerance >= 0:
        raise ConfigError(f"tolerance must be 0 or more, got {tolerance}")
    finite = [value for value in values if not math.isnan(value)]
    count = 0
    for previous, current in zip(finite[-2::-1], finite[:0:-1], strict=True):
        if not current > previous + tolerance:
            break
        count += 1
    return count
