"""Tests of numbers in two groups: against R, every permutation, textbooks."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from idhray.stats.hypothesis.compare import (
    MANN_WHITNEY,
    MANN_WHITNEY_CONTINUITY,
    MANN_WHITNEY_EXACT,
    mann_whitney,
    shapiro_wilk,
    welch_t,
)
from idhray.stats.sample import SampleError

# A simulated cohort with the medians and quartiles of Park et al. 2021, table 1, validation set.
WILDTYPE_AGES = [50, 78, 64, 69, 58, 57, 79, 73, 62, 45, 49, 63, 58, 67, 49, 39, 64, 62, 49, 54]
WILDTYPE_AGES += [57, 79, 48, 60, 72, 34, 34, 56, 60, 36, 63, 58, 77]
MUTANT_AGES = [53, 42, 24, 53, 47, 31, 58, 42, 31, 53, 26]
# Student 1908, the table that R calls `sleep`: hours gained with either of two drugs.
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def close(value):
    """Within 1e-6, relative for what is small."""
    return pytest.approx(value, rel=1e-6, abs=0 if abs(value) < 1e-3 else 1e-6)


def every_permutation(x, y):
    """P by listing every choice of ranks for x, in whole numbers."""
    ranks = np.rint(2 * stats.rankdata([*x, *y])).astype(int).tolist()
    mean = len(x) * (len(ranks) + 1)
    far = abs(sum(ranks[: len(x)]) - mean)
    sums = [sum(chosen) for chosen in combinations(ranks, len(x))]
    return sum(abs(one - mean) >= far for one in sums) / len(sums)


def test_shapiro_wilk_is_that_of_r(reference):
    """shapiro.test, from 3 to 2,000 values."""
    for case in reference("shapiro"):
        found = shapiro_wilk(case["x"])

        assert found.statistic == close(case["W"]), case["id"]
        assert found.p == close(case["p"]), case["id"]


def test_shapiro_wilk_gives_the_example_of_its_authors():
    """Weights of 11 men, Shapiro and Wilk 1965, example 1: W = 0.79, P about .01 by their table."""
    found = shapiro_wilk([148, 154, 158, 160, 161, 162, 166, 170, 182, 195, 236])

    assert round(found.statistic, 2) == 0.79
    assert found.p < 0.01


def test_shapiro_wilk_of_three_values_has_a_closed_form():
    """W: half the squared range over the sum of squares; P: 6/pi (asin sqrt W - asin sqrt 3/4)."""
    found = shapiro_wilk([1, 2, 4])
    w = (3**2 / 2) / (14 / 3)

    assert found.statistic == pytest.approx(w)
    assert found.p == pytest.approx(6 / np.pi * (np.arcsin(np.sqrt(w)) - np.arcsin(np.sqrt(0.75))))


@pytest.mark.parametrize(
    ("values", "note"),
    [
        pytest.param([1.0, 2.0], "3 or more values, found 2", id="two values"),
        pytest.param([4.0] * 9, "All 9 values are equal", id="constant"),
    ],
)
def test_shapiro_wilk_has_no_p_without_a_shape(values, note):
    """The library would give W = 1 and P = 1 for a constant: as normal as can be."""
    found = shapiro_wilk(values)

    assert np.isnan(found.p)
    assert note in found.notes[0]


def test_shapiro_wilk_warns_beyond_its_fit():
    """In the result, where a table can show it, and not as a Python warning."""
    found = shapiro_wilk(np.random.default_rng(0).normal(size=5001))

    assert found.p > 0.01
    assert "5,000" in found.notes[0]


def test_mann_whitney_is_that_of_r(reference):
    """wilcox.test with and without continuity correction; exact with ties from coin."""
    for case in reference("mannwhitney"):
        x, y = case["x"], case["y"]
        exact = mann_whitney(x, y, method="exact")

        assert exact.statistic == case["W_U1"], case["id"]
        assert exact.p == close(case["p_exact_coin"]), case["id"]
        assert mann_whitney(x, y).p == close(case["p_asymp_nocc"]), case["id"]
        assert mann_whitney(x, y, continuity=True).p == close(case["p_asymp_cc"]), case["id"]


def test_mann_whitney_of_ages_with_ties_is_that_of_r():
    """The same three P values where R's answers are not at hand; 28 of 44 ages are tied."""
    plain = mann_whitney(WILDTYPE_AGES, MUTANT_AGES)
    corrected = mann_whitney(WILDTYPE_AGES, MUTANT_AGES, continuity=True)
    exact = mann_whitney(WILDTYPE_AGES, MUTANT_AGES, method="exact")

    assert plain.statistic == corrected.statistic == exact.statistic == 304.5
    assert (plain.method, plain.p) == (MANN_WHITNEY, close(0.000847031007998159))
    assert (corrected.method, corrected.p) == (
        MANN_WHITNEY_CONTINUITY,
        close(0.000889319430523183),
    )
    assert (exact.method, exact.p) == (MANN_WHITNEY_EXACT, close(0.00046126282057858))
    assert plain.notes == exact.notes == ("28 of 44 values are tied.",)


@pytest.mark.parametrize("seed", range(12))
def test_exact_mann_whitney_lists_every_permutation(seed):
    """Few different values, so that ties make the distribution lopsided; either group larger."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 8, size=2)
    x, y = (rng.integers(0, 2 + seed % 4, size=size) ** 2 for size in sizes)

    assert mann_whitney(x, y, method="exact").p == pytest.approx(every_permutation(x, y), rel=1e-12)


def test_exact_mann_whitney_without_ties_is_the_classical_test():
    """scipy's exact P, which is R's, holds without ties; 3 against 3 apart is 2 of 20."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(0.5, size=15), rng.normal(size=22)
    known = stats.mannwhitneyu(x, y, method="exact").pvalue

    assert mann_whitney(x, y, method="exact").p == close(known)
    assert mann_whitney(x, y, method="exact").notes == ()
    assert mann_whitney([1, 2, 3], [4, 5, 6], method="exact").p == pytest.approx(0.1)


def test_exact_mann_whitney_keeps_the_digits_of_small_tails():
    """40 against 40 without overlap: 2 of C(80, 40) choices, about 2e-23."""
    found = mann_whitney(range(40), range(40, 80), method="exact")

    assert found.p == pytest.approx(2 / 107507208733336176461620, rel=1e-9)


def test_groups_that_change_places_keep_their_p():
    """U becomes m n - U."""
    for method in ("asymptotic", "exact"):
        one = mann_whitney(WILDTYPE_AGES, MUTANT_AGES, method=method)
        other = mann_whitney(MUTANT_AGES, WILDTYPE_AGES, method=method)

        assert other.p == pytest.approx(one.p, rel=1e-12)
        assert other.statistic == 33 * 11 - one.statistic


def test_equal_values_everywhere_say_nothing():
    """The normal approximation divides by 0; every permutation gives the same sum."""
    normal = mann_whitney([5, 5, 5], [5, 5])

    assert np.isnan(normal.p)
    assert "equal" in normal.notes[0]
    assert mann_whitney([5, 5, 5], [5, 5], method="exact").p == 1


def test_few_values_call_for_the_exact_method():
    """A normal approximation of 2 against 3 is a guess."""
    assert "prefer the exact method" in mann_whitney([1, 2], [3, 4, 5]).notes[0]


def test_welch_is_that_of_r():
    """t.test(extra ~ group, sleep) prints t = -1.8608, p-value = 0.07939."""
    found = welch_t(SLEEP_1, SLEEP_2)

    assert found.statistic == pytest.approx(-1.8608, abs=5e-5)
    assert found.p == pytest.approx(0.07939, abs=5e-6)


@pytest.mark.parametrize(
    ("x", "y", "note"),
    [
        pytest.param([1.0], [2.0, 3.0], "single value", id="one value"),
        pytest.param([1.0, 1.0], [2.0, 2.0], "Neither group varies", id="no spread"),
    ],
)
def test_welch_has_no_p_without_variance(x, y, note):
    """A P of 0 from two constants would be certainty from four patients."""
    found = welch_t(x, y)

    assert np.isnan(found.p)
    assert note in found.notes[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: shapiro_wilk([]), "needs one row", id="no values"),
        pytest.param(lambda: shapiro_wilk([1, np.nan, 3]), "1 of 3 values are missing", id="NaN"),
        pytest.param(lambda: shapiro_wilk(["a", "b"]), "not a row of numbers", id="text"),
        pytest.param(lambda: mann_whitney([], [1.0]), "Mann-Whitney, x", id="empty group"),
        pytest.param(lambda: mann_whitney([1], [None]), "Mann-Whitney, y: 1 of 1", id="None"),
        pytest.param(lambda: mann_whitney([[1]], [2]), "one row", id="two rows"),
        pytest.param(lambda: welch_t([1, 2], [np.inf, 1]), "Welch t test, y", id="infinite"),
        pytest.param(
            lambda: mann_whitney([1], [2], method="auto"),
            "asymptotic or exact, got 'auto'",
            id="unknown method",
        ),
        pytest.param(
            lambda: mann_whitney(range(200), range(100, 400), method="exact"),
            "use the asymptotic method",
            id="too many values",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(call, message):
    """Where, what was found, what to do."""
    with pytest.raises(SampleError, match=message) as refusal:
        call()

    assert "\n" not in str(refusal.value)


def test_adjusted_p_values_are_those_of_r(reference):
    """The library's names for R's p.adjust methods; Holm's is what sweeps use."""
    case = next(one for one in reference("misc") if one["id"] == "p.adjust")
    names = {"bonferroni": "bonferroni", "holm": "holm", "hochberg": "simes-hochberg"}
    names |= {"bh": "fdr_bh", "by": "fdr_by"}
    for in_r, name in names.items():
        adjusted = multipletests(case["p"], method=name)[1]

        assert adjusted == pytest.approx(case[in_r], abs=1e-6), in_r


def test_holm_by_hand():
    """Times 3, 2, 1 in ascending order, never falling: .01, .04, .03 become .03, .06, .06."""
    assert multipletests([0.01, 0.04, 0.03], method="holm")[1] == pytest.approx([0.03, 0.06, 0.06])
