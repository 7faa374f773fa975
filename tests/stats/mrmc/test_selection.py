"""The choice of a count by the other repeats."""

import numpy as np
import pytest

from idhray.stats.mrmc.selection import chosen_by_other_repeats
from idhray.stats.sample import SampleError


def test_a_lucky_repeat_does_not_choose_for_itself():
    """Repeat 0 is lucky at the last count; only the other repeats of its fold learn from it."""
    areas = np.array([[[0.7, 0.6, 0.99], [0.7, 0.8, 0.5], [0.7, 0.8, 0.5]]])

    assert chosen_by_other_repeats(areas).tolist() == [[1, 2, 2]]


def test_loops_choose_the_same():
    """The mean of the others, fold by fold."""
    areas = np.random.default_rng(1).uniform(size=(4, 5, 6))
    expected = [
        [int(np.delete(fold, r, axis=0).mean(axis=0).argmax()) for r in range(5)] for fold in areas
    ]

    assert chosen_by_other_repeats(areas).tolist() == expected


def test_of_tied_counts_the_first_is_chosen():
    """Sums in another order differ by rounding, which must not decide."""
    areas = np.array([[[0.1 + 0.2, 0.3], [0.3, 0.3], [0.3, 0.1 + 0.2]]])

    assert chosen_by_other_repeats(areas).tolist() == [[0, 0, 0]]


def test_one_repeat_has_no_others():
    """The message says the number needed."""
    with pytest.raises(SampleError, match="2 or more repeats"):
        chosen_by_other_repeats(np.zeros((5, 1, 3)))
    with pytest.raises(SampleError, match="NaN"):
        chosen_by_other_repeats(np.full((1, 2, 3), np.nan))
