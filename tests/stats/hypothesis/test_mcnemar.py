"""McNemar: against R's mcnemar.test and binom.test, and the counts of both papers."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as library

from idhray.stats.hypothesis.mcnemar import discordant_counts, mcnemar, mcnemar_paired
from idhray.stats.sample import SampleError


def test_all_four_are_those_of_r(reference):
    """mcnemar.test with and without correction, binom.test, and mid-P."""
    names = {
        "exact": ("p_exact", None),
        "mid-P": ("p_mid", None),
        "chi-square": ("p", "chi2"),
        "chi-square corrected": ("p_cc", "chi2_cc"),
    }
    for case in reference("mcnemar"):
        for method, (p, statistic) in names.items():
            found = mcnemar(case["b"], case["c"], method)

            assert found.p == pytest.approx(case[p], rel=1e-6), case["id"]
            if statistic:
                assert found.statistic == pytest.approx(case[statistic], abs=1e-6), case["id"]


@pytest.mark.parametrize(
    ("b", "c", "exact", "mid"),
    [
        pytest.param(0, 2, 0.5, 0.25, id="Liu 2020, 27 to 29 of 34 at best"),
        pytest.param(1, 3, 0.625, 0.375, id="Liu 2020, 27 to 29 with one lost"),
        pytest.param(0, 3, 0.25, 0.125, id="Park 2021, 37 to 40 of 44 at best"),
        pytest.param(0, 6, 0.03125, 0.015625, id="the fewest that reach .05"),
        pytest.param(4, 4, 1.0, 1 - 35 / 256, id="as many either way: less half of 70 / 256"),
        pytest.param(1, 1, 1.0, 0.75, id="one either way"),
    ],
)
def test_exact_and_mid_p_are_sums_of_binomial_chances(b, c, exact, mid):
    """Powers of one half: 2 (1/2)^n where all discordant patients go one way."""
    assert mcnemar(b, c).p == pytest.approx(exact, abs=1e-12)
    assert mcnemar(b, c, "mid-P").p == pytest.approx(mid, abs=1e-12)


@pytest.mark.parametrize(("b", "c"), [(3, 11), (12, 5), (0, 9), (40, 61)])
def test_three_of_them_are_those_of_statsmodels(b, c):
    """Where its correction agrees with R's: b and c differ."""
    table = [[20, b], [c, 5]]

    assert mcnemar(b, c).p == pytest.approx(library(table, exact=True).pvalue)
    for method, correction in (("chi-square", False), ("chi-square corrected", True)):
        expected = library(table, exact=False, correction=correction)
        found = mcnemar(b, c, method)
        assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
        assert found.df == 1


def test_equal_counts_have_p_one_with_the_correction_as_in_r():
    """R takes no correction from a difference of 0; statsmodels would give P < 1."""
    assert mcnemar(5, 5, "chi-square corrected").p == 1.0
    assert library([[0, 5], [5, 0]], exact=False, correction=True).pvalue < 1


def test_paired_vectors_give_the_discordant_counts():
    """Only the first is right in one patient, only the second in two."""
    first = [1, 1, 1, 0, 0, 0]
    second = [1, 1, 0, 1, 1, 0]

    assert discordant_counts(first, second) == (1, 2)
    assert mcnemar_paired(first, second, "exact") == mcnemar(1, 2)
    assert mcnemar_paired(np.array(second, dtype=bool), first, "mid-P") == mcnemar(2, 1, "mid-P")


@pytest.mark.parametrize("method", ["exact", "mid-P", "chi-square", "chi-square corrected"])
def test_nobody_discordant_is_said(method):
    """P is 1 by the exact tests; a chi-square would be 0/0."""
    found = mcnemar(0, 0, method)

    assert found.p == pytest.approx(1.0 if method in ("exact", "mid-P") else np.nan, nan_ok=True)
    assert "No patient is discordant" in found.notes[0]


def test_a_chi_square_of_few_patients_is_noted():
    """Below 25 discordant patients it is doubtful."""
    assert "prefer exact" in mcnemar(2, 8, "chi-square").notes[0]
    assert mcnemar(20, 8, "chi-square").notes == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: mcnemar(-1, 2), "whole numbers", id="negative"),
        pytest.param(lambda: mcnemar(1.5, 2), "whole numbers", id="broken"),
        pytest.param(lambda: mcnemar(1, 2, "yates"), "'yates'", id="no such test"),
        pytest.param(lambda: discordant_counts([1, 0], [1]), "same patients", id="unequal lengths"),
        pytest.param(lambda: discordant_counts([], []), "same patients", id="nobody"),
        pytest.param(
            lambda: discordant_counts([1, np.nan], [1, 0]), "for every patient", id="missing"
        ),
    ],
)
def test_what_cannot_be_paired_is_refused(call, message):
    """One line that says what is wrong."""
    with pytest.raises(SampleError, match=message):
        call()
