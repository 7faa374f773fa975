"""Areas of different patients, and areas against 0.5: against pROC, R's wilcox.test and SciPy."""

import numpy as np
import pytest
from scipy import stats

from idhray.stats.roc.area import auc_with_ci
from idhray.stats.roc.auc_tests import auc_against_half, auc_difference_unpaired
from idhray.stats.sample import SampleError

PERFECT = ([1, 1, 1, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
TWO_BEST = ([1, 1, 0, 1, 0, 0, 1, 0], [8, 7, 6, 5, 4, 3, 2, 1])


def test_unpaired_delong_is_that_of_r_proc_roc_test(reference):
    """roc.test(paired=FALSE, method="delong"): t, its degrees of freedom and P."""
    for case in (one for one in reference("roc_test") if not one["paired"]):
        found = auc_difference_unpaired(case["y"], case["a"], case["y2"], case["b"])

        assert found.difference == pytest.approx(case["diff"], abs=1e-6)
        assert found.se == pytest.approx(case["diff_se"], abs=1e-6)
        assert found.statistic == pytest.approx(case["statistic"], abs=1e-6)
        assert found.df == pytest.approx(case["parameter"], rel=1e-6)
        assert found.p == pytest.approx(case["p"], rel=1e-6)
        assert (found.ci_low, found.ci_high) == pytest.approx(case["diff_ci"], abs=1e-6)


def test_tests_against_half_are_those_of_r(reference):
    """wilcox.test(exact=FALSE, correct=FALSE), and the area's distance in DeLong's errors."""
    for case in reference("roc"):
        rank, z = (
            auc_against_half(case["y"], case["score"], name) for name in ("mann-whitney", "delong")
        )

        assert rank.statistic == pytest.approx(case["wilcox_U"], abs=1e-6), case["id"]
        if case["p_vs_half_mwu"] is not None:  # R has none for constant scores
            assert rank.p == pytest.approx(case["p_vs_half_mwu"], rel=1e-6), case["id"]
        if case["z_delong_half"] is not None:
            assert z.statistic == pytest.approx(case["z_delong_half"], rel=1e-6), case["id"]


def test_unpaired_delong_is_welchs_t_test_of_two_areas():
    """An area with its variance over n patients stands for a mean: SciPy's Welch test."""
    rng = np.random.default_rng(1)
    sets = []
    for n in (23, 40):
        truth = np.arange(n) % 2
        sets.append((truth, rng.normal(size=n) + truth))
    found = auc_difference_unpaired(*sets[0], *sets[1])
    a, b = (auc_with_ci(*one) for one in sets)
    welch = stats.ttest_ind_from_stats(
        a.auc, a.se * np.sqrt(23), 23, b.auc, b.se * np.sqrt(40), 40, equal_var=False
    )

    assert found.statistic == pytest.approx(welch.statistic)
    assert found.p == pytest.approx(welch.pvalue)


def test_against_half_restates_r_for_eight_patients():
    """12 of 16 pairs: wilcox.test gives P .248213, pROC's standard error z 1.224745."""
    rank, z = (auc_against_half(*TWO_BEST, name) for name in ("mann-whitney", "delong"))

    assert (rank.statistic, rank.p) == pytest.approx((12, 0.248213078989923), abs=1e-12)
    assert z.statistic == pytest.approx(1.22474487139159, abs=1e-12)
    assert z.p == pytest.approx(2 * stats.norm.sf(1.22474487139159), abs=1e-12)


def test_exchanged_sets_change_only_the_sign():
    """Which set comes first is a matter of writing."""
    one = auc_difference_unpaired(*TWO_BEST, [1, 1, 0, 0], [4, 2, 3, 1])
    other = auc_difference_unpaired([1, 1, 0, 0], [4, 2, 3, 1], *TWO_BEST)

    assert one.difference == -other.difference
    assert (one.p, one.df, one.ci_low) == pytest.approx((other.p, other.df, -other.ci_high))


def test_two_perfect_sets_do_not_differ_for_certain():
    """Difference 0, P 1, and the interval of two small sets, not one point."""
    found = auc_difference_unpaired(*PERFECT, *PERFECT)

    assert (found.difference, found.p) == (0.0, 1.0)
    assert found.ci_low < -0.3
    assert found.ci_high > 0.3
    assert "variance is 0" in found.notes[0]


def test_no_variance_and_yet_a_difference_gives_no_p():
    """Perfect against constant: t would be infinite whatever the number of patients."""
    found = auc_difference_unpaired(*PERFECT, [1, 0, 1, 0], [5, 5, 5, 5])

    assert np.isnan(found.p)
    assert found.notes


def test_perfect_scores_have_a_rank_test_but_no_z():
    """Mann-Whitney's variance is that of worthless scores, and exists."""
    rank, z = (auc_against_half(*PERFECT, name) for name in ("mann-whitney", "delong"))

    assert rank.p == pytest.approx(0.0338948535246893, abs=1e-12)
    assert np.isnan([z.p, z.statistic]).all()
    assert "variance is 0" in z.notes[0]


@pytest.mark.parametrize("method", ["mann-whitney", "delong"])
def test_a_constant_score_says_nothing(method):
    """P is 1, and a note says why."""
    found = auc_against_half([1, 0, 1, 0], [0.5] * 4, method)

    assert found.p == 1.0
    assert found.notes


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(
            lambda: auc_difference_unpaired(*PERFECT, [1, 1], [1, 2]), "0 wildtype", id="one class"
        ),
        pytest.param(
            lambda: auc_difference_unpaired(*PERFECT, [1, 0], [[1, 2], [1, 2]]),
            "one training",
            id="repeats",
        ),
        pytest.param(lambda: auc_against_half([1, 0], [1, np.nan]), "NaN", id="NaN"),
        pytest.param(lambda: auc_against_half(*PERFECT, "welch"), "'welch'", id="no such test"),
    ],
)
def test_what_cannot_be_tested_is_refused(call, message):
    """A P for such patients would be made up."""
    with pytest.raises(SampleError, match=message):
        call()
