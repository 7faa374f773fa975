"""Drawing cases: real and synthetic ones separately."""

import numpy as np

from idhray.chance import generator
from idhray.stats.resampling import resampled_rows


def test_synthetic_cases_keep_their_number():
    """36 real cases and 5 synthetic ones in every resample, not the same ones each time."""
    judged = np.array([True] * 36 + [False] * 5)
    resamples = [resampled_rows(judged, generator(seed)) for seed in range(20)]

    assert all((judged[rows] == judged).all() for rows in resamples)
    assert len({tuple(rows) for rows in resamples}) == 20


def test_real_cases_alone_are_drawn():
    """No synthetic case is no reason to fail."""
    rows = resampled_rows(np.ones(7, dtype=bool), generator(0))

    assert len(rows) == 7
    assert set(rows.tolist()) <= set(range(7))
