"""Drawing of cases with replacement, real and synthetic ones separately.

Letters: N cases.
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]  # (N,)


def resampled_rows(judged: Flags, rng: np.random.Generator) -> Rows:
    """(N,) rows with replacement: as many judged cases as there are, then as many others.

    Args:
        judged: False for cases that only train.
        rng: Generator of the draws.
    """
    kinds = (np.flatnonzero(judged), np.flatnonzero(~judged))
    return np.concatenate(
        [rows[rng.integers(0, max(len(rows), 1), size=len(rows))] for rows in kinds]
    )
