"""Whether the fidelity of a training gets worse."""

import math
from collections.abc import Sequence

from idhray.errors import ConfigError


def worse_in_a_row(
    values: Sequence[float], *, lower_is_better: bool = True, tolerance: float = 0.0
) -> int:
    """How many of the last evaluations were each worse than the one before.

    Args:
        values: Of one metric, in the order of the training. What is not a number is left out, as
            nothing is known of it.
        lower_is_better: True for FID and KID, False for the shares.
        tolerance: A step counts only if it is worse by more than this, in the metric's unit; the
            spread of the floor is a sensible one.

    Raises:
        ConfigError: `tolerance` is negative or not a number.
    """
    if not tolerance >= 0:
        raise ConfigError(f"tolerance must be 0 or more, got {tolerance}")
    sign = 1 if lower_is_better else -1
    known = [sign * value for value in values if not math.isnan(value)]
    count = 0
    for before, after in zip(known[-2::-1], known[:0:-1], strict=True):
        if not after > before + tolerance:
            break
        count += 1
    return count
