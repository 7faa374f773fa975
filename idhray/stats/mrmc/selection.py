"""Choice of a count of synthetic images without judging a training by the count it chose itself.

A lucky training is lucky on validation and on test patients. So repeat r of a fold is judged at the
count that the other repeats of its fold choose. Letters: K folds, R repeats, J counts.
"""

import numpy as np
from numpy.typing import NDArray

from idhray.stats.sample import SampleError

ChosenCounts = NDArray[np.int64]  # (K, R), indices into the counts


def chosen_by_other_repeats(validation: NDArray[np.float64]) -> ChosenCounts:
    """Index of the count with the best mean validation area of the fold's other repeats, (K, R).

    Of tied counts it is the first one, so list the counts by rising number of images. Means closer
    than 1e-12 count as tied.

    Args:
        validation: (K, R, J) areas on validation patients.

    Raises:
        SampleError: fewer than two repeats, no counts, or an area that is NaN.
    """
    areas = np.asarray(validation, dtype=np.float64)
    if areas.ndim != 3 or areas.shape[1] < 2 or not areas.size:
        raise SampleError(
            "a choice by the other repeats needs (folds, repeats, counts) validation areas with "
            f"2 or more repeats, got shape {areas.shape}"
        )
    if not np.isfinite(areas).all():
        raise SampleError("a validation area is NaN: every count needs one in every repeat")
    others = (areas.sum(axis=1, keepdims=True) - areas) / (areas.shape[1] - 1)  # (K, R, J)
    tied = others >= others.max(axis=2, keepdims=True) - 1e-12
    return np.asarray(tied.argmax(axis=2), dtype=np.int64)
