"""Which test is chosen, and that it says so."""

import numpy as np
import pytest
from scipy import stats

from idhray.stats.hypothesis.compare import (
    MANN_WHITNEY_CONTINUITY,
    MANN_WHITNEY_EXACT,
    WELCH,
    mann_whitney,
    welch_t,
)
from idhray.stats.hypothesis.contingency import FISHER, PEARSON, chi_square, fisher_exact
from idhray.stats.table1.choice import compare_counts, compare_numbers, not_normal_reason

BELL = stats.norm.ppf((np.arange(20) + 0.5) / 20)  # as normal as 20 values can be
LONG_TAIL = np.exp(2 * BELL)


def test_normal_groups_are_compared_by_means():
    """Shapiro and Wilk's test rejects neither."""
    assert not_normal_reason({"wildtype": BELL, "mutant": BELL + 1}) == ""
    found = compare_numbers(BELL, BELL + 1, normal=True)

    assert found.method == WELCH
    assert found.p == welch_t(BELL, BELL + 1).p


def test_one_group_that_is_not_normal_is_reason_enough():
    """The sentence names the group, W and P."""
    reason = not_normal_reason({"wildtype": BELL, "mutant": LONG_TAIL})

    assert reason.startswith("Mann-Whitney, as Shapiro-Wilk rejects normality in mutant (W = 0.")
    assert compare_numbers(BELL, LONG_TAIL, normal=False).method == MANN_WHITNEY_EXACT


def test_what_cannot_be_tested_for_normality_is_not_called_normal():
    """Two values, or one value over and over."""
    assert "3 or more values, found 2" in not_normal_reason({"mutant": np.array([1.0, 2.0])})
    assert "All 5 values are equal" in not_normal_reason({"mutant": np.full(5, 7.0)})


def test_large_groups_are_compared_by_the_normal_approximation():
    """From 50 values on in either group, as in R."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=50), rng.normal(size=9)
    found = compare_numbers(x, y, normal=False)

    assert found.method == MANN_WHITNEY_CONTINUITY
    assert found.p == mann_whitney(x, y, continuity=True).p
    assert compare_numbers(x[1:], y, normal=False).method == MANN_WHITNEY_EXACT


def test_park_takes_one_test_for_all_numbers():
    """Mann-Whitney as R does it with ties, however normal and few."""
    found = compare_numbers(BELL, BELL + 1, normal=True, convention="park2021")

    assert found.method == MANN_WHITNEY_CONTINUITY


@pytest.mark.parametrize(
    ("table", "method"),
    [
        pytest.param([[20, 20], [5, 5]], PEARSON, id="expected 5"),
        pytest.param([[20, 21], [5, 4]], FISHER, id="one below 5"),
        pytest.param([[20, 20], [0, 0], [5, 5]], PEARSON, id="an empty level expects nothing"),
    ],
)
def test_low_expected_counts_call_for_fisher(table, method):
    """And the note that counts them stays, as the reason."""
    found = compare_counts(table)
    plain = chi_square(table)

    assert found.method == method
    assert found.p == (plain if method == PEARSON else fisher_exact(table)).p
    assert found.notes == plain.notes


def test_park_takes_chi_square_for_all_counts():
    """Its validation tables expect down to 1.25."""
    table = [[16, 8], [13, 2], [4, 1]]
    found = compare_counts(table, convention="park2021")

    assert (found.method, found.p) == (PEARSON, chi_square(table).p)
    assert "lowest 1.25" in found.notes[0]


def test_a_table_too_large_for_fisher_says_what_it_got_instead():
    """Chi-square after all, named as such."""
    table = np.vstack([np.full((6, 6), 30), [0, 0, 0, 0, 0, 1]])
    found = compare_counts(table)

    assert found.method == PEARSON
    assert found.notes[-1].startswith("Not exact. Fisher's exact test: too many tables")


def test_a_single_level_is_no_comparison():
    """The reason comes with it."""
    found = compare_counts([[4, 7], [0, 0]])

    assert np.isnan(found.p)
    assert "nothing to test" in found.notes[-1]
