"""Standardized differences: the formulas written out."""

import numpy as np
import pytest

from idhray.stats.sample import SampleError
from idhray.stats.table1.standardized import (
    standardized_difference,
    standardized_difference_of_counts,
)

LOCATION = [[29, 25], [42, 10], [9, 3]]  # Park et al. 2021, table 1: wildtype, mutant


def without_last_level(table):
    """Yang and Dalton's form: the last level left out, the rest by the inverse covariance."""
    shares = np.array(table, dtype=float) / np.sum(table, axis=0)
    p, q = shares[:-1, 0], shares[:-1, 1]
    covariance = np.empty((len(p), len(p)))
    for k in range(len(p)):
        for j in range(len(p)):
            if k == j:
                covariance[k, j] = (p[k] * (1 - p[k]) + q[k] * (1 - q[k])) / 2
            else:
                covariance[k, j] = -(p[k] * p[j] + q[k] * q[j]) / 2
    return float(np.sqrt((p - q) @ np.linalg.inv(covariance) @ (p - q)))


def test_a_continuous_difference_is_in_units_of_the_mean_variance():
    """Means 2 and 5, variances 1 and 4: -3 over the root of 2.5."""
    found = standardized_difference([1, 2, 3], [3, 5, 7])

    assert found == pytest.approx(-3 / np.sqrt(2.5))
    assert standardized_difference([3, 5, 7], [1, 2, 3]) == -found


def test_a_binary_difference_is_in_units_of_the_mean_variance():
    """Shares .5 and .8: .3 over the root of (.25 + .16) / 2, from whichever level."""
    expected = 0.3 / np.sqrt((0.25 + 0.16) / 2)

    assert standardized_difference_of_counts([[5, 8], [5, 2]]) == pytest.approx(expected)
    assert standardized_difference_of_counts([[5, 2], [5, 8]]) == pytest.approx(expected)


@pytest.mark.parametrize(
    "table",
    [LOCATION, [[24, 3], [6, 3], [3, 5]], [[10, 4], [0, 9], [7, 1], [3, 3], [1, 0]]],
    ids=["location", "enhancement", "with empty cells"],
)
def test_a_multilevel_difference_is_that_of_yang_and_dalton(table):
    """No level is special, so any may be left out, and an empty one changes nothing."""
    found = standardized_difference_of_counts(table)

    assert found == pytest.approx(without_last_level(table))
    assert found == pytest.approx(without_last_level(table[1:] + table[:1]))
    assert standardized_difference_of_counts([*table, [0, 0]]) == pytest.approx(found)


def test_equal_groups_do_not_differ():
    """In numbers, in shares, and where nothing varies at all."""
    assert standardized_difference([1, 2, 3], [3, 2, 1]) == 0
    assert standardized_difference([4, 4], [4, 4, 4]) == 0
    assert standardized_difference_of_counts([[2, 4], [3, 6], [5, 10]]) == pytest.approx(0)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(lambda: standardized_difference([1], [1, 2]), id="one value"),
        pytest.param(lambda: standardized_difference([1, 1], [2, 2]), id="two constants"),
        pytest.param(lambda: standardized_difference_of_counts([[5, 0], [0, 7]]), id="apart"),
        pytest.param(
            lambda: standardized_difference_of_counts([[5, 0], [3, 0], [0, 7], [0, 3]]),
            id="apart in pairs of levels",
        ),
        pytest.param(lambda: standardized_difference_of_counts([[5, 0], [3, 0]]), id="no group"),
    ],
)
def test_what_cannot_be_standardized_is_nan(found):
    """The variance is 0 or unknown where the groups differ; infinity would be a figure of n."""
    assert np.isnan(found())


def test_a_chain_of_levels_connects_groups():
    """Apart in the first and last level, but both have the middle one: finite."""
    table = [[5, 0], [3, 4], [0, 7]]

    assert standardized_difference_of_counts(table) == pytest.approx(without_last_level(table))


def test_three_groups_are_refused():
    """A distance is between two."""
    with pytest.raises(SampleError, match="needs two groups, got 3"):
        standardized_difference_of_counts([[1, 2, 3], [4, 5, 6]])
