"""Tests of tables of counts: against R, textbooks, and the counts of Park et al. 2021."""

import numpy as np
import pytest

from idhray.stats.hypothesis.contingency import (
    FISHER,
    G_TEST,
    PEARSON,
    YATES,
    chi_square,
    expected_counts,
    fisher_exact,
    g_test,
    odds_ratio,
)
from idhray.stats.sample import SampleError

TEA = [[3, 1], [1, 3]]  # Fisher 1935: which of eight cups had the milk first
# Job satisfaction by income, Agresti 2002, page 57.
JOBS = [[1, 3, 10, 6], [2, 3, 10, 7], [1, 6, 14, 12], [0, 1, 9, 11]]
ENHANCEMENT = [[24, 3], [6, 3], [3, 5]]  # Park et al. 2021, table 1, validation set
NECROSIS = [[30, 6], [3, 5]]
MARGIN = [[0, 6], [33, 5]]


def close(value):
    """Within 1e-6, relative for what is small; 0 and infinity as they are."""
    return pytest.approx(value, rel=1e-6, abs=0 if 0 < abs(value) < 1e-3 else 1e-6)


def test_chi_square_is_that_of_r(reference):
    """chisq.test, with and without Yates, and its expected counts, on 27 published tables."""
    for case in reference("contingency"):
        found = chi_square(case["table"])

        assert found.method == PEARSON
        assert found.df == case["df"]
        assert found.statistic == close(case["chi2"]), case["id"]
        assert found.p == close(case["p_pearson"]), case["id"]
        assert expected_counts(case["table"]) == pytest.approx(np.array(case["expected"]))
        if "p_yates" in case:
            corrected = chi_square(case["table"], yates=True)
            assert corrected.method == YATES
            assert corrected.statistic == close(case["chi2_yates"]), case["id"]
            assert corrected.p == close(case["p_yates"]), case["id"]


def test_fisher_is_that_of_r(reference):
    """fisher.test on 2 x 2 up to 6 x 2 and 3 x 3 tables, P down to 1e-15."""
    for case in reference("contingency"):
        found = fisher_exact(case["table"])

        assert found.method == FISHER
        assert found.p == close(case["p_fisher"]), case["id"]
        if "fisher_or_ci_exact" in case:
            assert found.statistic == close(case["fisher_or_ci_exact"][0]), case["id"]


def test_g_test_is_that_of_r(reference):
    """The likelihood ratio 2 sum O log(O / E)."""
    for case in reference("contingency"):
        found = g_test(case["table"])

        assert found.method == G_TEST
        assert found.statistic == close(case["G"]), case["id"]
        assert found.p == close(case["p_G"]), case["id"]


def test_odds_ratio_is_that_of_r(reference):
    """fisher.test's conditional estimate and interval, solved to the last digit."""
    for case in (one for one in reference("contingency") if "sample_or" in one):
        found = odds_ratio(case["table"])
        figures = (found.conditional, found.ci_low, found.ci_high)

        for figure, known in zip(figures, case["fisher_or_ci_exact"], strict=True):
            assert figure == close(known), case["id"]


def test_fisher_gives_the_tea_lady_and_the_jobs():
    """34 of 70 ways for three cups of four (Fisher 1935); R's help for fisher.test prints .7827."""
    assert fisher_exact(TEA).p == pytest.approx(34 / 70, rel=1e-12)
    assert fisher_exact(JOBS).p == pytest.approx(0.7827, abs=5e-5)
    assert np.isnan(fisher_exact(JOBS).statistic)


@pytest.mark.parametrize(
    ("table", "pearson", "yates", "fisher"),
    [
        pytest.param(ENHANCEMENT, 0.0105086604654, None, 0.0094933586515, id="enhancement"),
        pytest.param(NECROSIS, 0.0067687411469, 0.0240282441173, 0.0156611288056, id="necrosis"),
        pytest.param(
            MARGIN, 4.98743766250724e-06, 4.94824402736e-05, 6.54478816702e-05, id="margin"
        ),
    ],
)
def test_park_validation_tables_have_the_p_of_r(table, pearson, yates, fisher):
    """Counts of Park et al. 2021, table 1, where R's answers are not at hand."""
    assert chi_square(table).p == close(pearson)
    assert fisher_exact(table).p == close(fisher)
    if yates:
        assert chi_square(table, yates=True).p == close(yates)


def test_chi_square_by_hand():
    """(|ad - bc| - n/2 for Yates)^2 n over the product of the margins."""
    (a, b), (c, d) = NECROSIS
    n, margins = a + b + c + d, (a + b) * (c + d) * (a + c) * (b + d)

    assert chi_square(NECROSIS).statistic == pytest.approx((a * d - b * c) ** 2 * n / margins)
    assert chi_square(NECROSIS, yates=True).statistic == pytest.approx(
        (abs(a * d - b * c) - n / 2) ** 2 * n / margins
    )


def test_g_by_hand():
    """2 sum O log(O / E), an empty cell adding nothing."""
    expected = np.outer(np.sum(MARGIN, axis=1), np.sum(MARGIN, axis=0)) / np.sum(MARGIN)
    full = np.array(MARGIN) > 0
    observed = np.array(MARGIN)[full]

    assert g_test(MARGIN).statistic == pytest.approx(
        2 * (observed * np.log(observed / expected[full])).sum()
    )
    assert g_test(MARGIN).df == 1


def test_yates_never_overshoots():
    """A difference under one half becomes 0, as in R, and not negative."""
    assert chi_square([[10, 10], [10, 11]], yates=True).p == 1


def test_yates_for_a_larger_table_is_not_made_and_said():
    """R drops it without a word."""
    found = chi_square(ENHANCEMENT, yates=True)

    assert found.method == PEARSON
    assert found.p == chi_square(ENHANCEMENT).p
    assert found.notes[0].startswith("Yates' correction exists for 2 x 2 tables only")


def test_low_expected_counts_are_counted():
    """2 of 6 in Park's enhancement, the lowest 8 * 11 / 44."""
    notes = ("2 of 6 expected counts are below 5 (lowest 2.00).",)

    assert chi_square(ENHANCEMENT).notes == notes
    assert chi_square([[20, 20], [20, 20]]).notes == ()
    assert chi_square([[5, 5], [5, 5]]).notes == ()


def test_empty_rows_and_columns_are_named_and_change_nothing():
    """An expected count of 0 would make chi-square NaN."""
    table = [[24, 0, 3], [6, 0, 3], [0, 0, 0], [3, 0, 5]]
    notes = ("Row 3 has no cases and is left out.", "Column 2 has no cases and is left out.")
    for test in (chi_square, g_test, fisher_exact):
        found = test(table)

        assert found.p == test(ENHANCEMENT).p
        assert found.notes[:2] == notes


@pytest.mark.parametrize("test", [chi_square, g_test, fisher_exact])
def test_one_level_only_is_no_p_but_a_reason(test):
    """Nothing varies: neither 1 nor 0 is a P for it."""
    found = test([[16, 8], [0, 0]])

    assert np.isnan(found.p)
    assert found.notes[-1] == "All cases are in one row: there is nothing to test."


def test_an_empty_cell_has_an_odds_ratio_and_one_bound():
    """0 of 33 against 6 of 11; upper bound of R's fisher.test, and its mirror image."""
    none, all_of = odds_ratio(MARGIN), odds_ratio(MARGIN[::-1])

    assert (none.conditional, none.ci_low) == (0, 0)
    assert none.ci_high == close(0.186163063407663)
    assert (all_of.conditional, all_of.ci_high) == (np.inf, np.inf)
    assert all_of.ci_low == close(1 / 0.186163063407663)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param([[1, 2]], r"2 or more rows and columns, got \(1, 2\)", id="one row"),
        pytest.param([1, 2], "2 or more rows", id="no table"),
        pytest.param([[1, 2], [3]], "rows of counts of one length", id="ragged"),
        pytest.param([[1, -2], [3, 4]], "row 1, column 2: -2 is not a count", id="negative"),
        pytest.param([[1, 2], [0.5, 4]], "row 2, column 1: 0.5 is not", id="a share"),
        pytest.param([[1, 2], [3, np.nan]], "row 2, column 2: nan is not", id="missing"),
        pytest.param([["a", 2], [3, 4]], "rows of counts", id="text"),
        pytest.param([[0, 0], [0, 0]], "without a single case", id="nobody"),
    ],
)
@pytest.mark.parametrize("test", [chi_square, g_test, fisher_exact, odds_ratio, expected_counts])
def test_what_is_no_table_of_counts_is_refused(test, table, message):
    """One line: where, what was found, what to do."""
    with pytest.raises(SampleError, match=message):
        test(table)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        pytest.param(ENHANCEMENT, "2 x 2 table", id="3 x 2"),
        pytest.param([[3, 4], [0, 0]], "no odds ratio", id="empty row"),
        pytest.param([[3, 0], [4, 0]], "no odds ratio", id="empty column"),
    ],
)
def test_what_has_no_odds_ratio_is_refused(table, message):
    """The library would give NaN without a word."""
    with pytest.raises(SampleError, match=message):
        odds_ratio(table)
