"""Groups of similar probability, the smooth curve, and Hosmer-Lemeshow: against R and by hand."""

import numpy as np
import pytest
from scipy.stats import chi2

from idhray.stats.probabilities.reliability import (
    hosmer_lemeshow,
    quantile_groups,
    reliability,
    smooth_curve,
)
from idhray.stats.sample import Scored
from tests.stats.probabilities.test_calibration import TRUTH, P, close, cohort


def test_hosmer_lemeshow_is_that_of_r(reference):
    """R's hoslem.test, whose P is for patients of the fit: df 2 less than here.

    Where R's empty group makes its chi-square NaN, ours is that of the others.
    """
    for case in reference("calibration"):
        theirs = case["hl10"]
        group = quantile_groups(np.array(case["p"]), lowest_apart=False)
        sizes = np.bincount(group).tolist()
        found = hosmer_lemeshow(Scored(case["y"], case["p"]))

        assert sizes == [size for size in theirs["sizes"] if size], case["id"]
        if theirs["chi2"] is not None:
            assert found.statistic == close(theirs["chi2"])
            assert chi2.sf(found.statistic, found.df - 2) == close(theirs["p_df_groups"])
            assert found.p == pytest.approx(chi2.sf(theirs["chi2"], len(sizes)), rel=1e-5)
        else:
            assert np.isfinite(found.p)
            assert "10 groups were asked for" in found.notes[0]


def test_groups_keep_ties_together_and_their_upper_end():
    """Deciles of 1..20 hold two each; where most are equal there are few groups."""
    distinct = quantile_groups(np.arange(1, 21) / 20, lowest_apart=True)
    tied = quantile_groups(np.array([0.1] * 8 + [0.5, 0.9]), lowest_apart=True)

    assert distinct.tolist() == np.repeat(np.arange(10), 2).tolist()
    assert tied.tolist() == [0] * 8 + [1, 2]
    assert quantile_groups(np.full(5, 0.3), lowest_apart=True).tolist() == [0] * 5
    assert quantile_groups(np.array(P), lowest_apart=True).tolist() == [0] * 4 + [1] * 5


def test_the_lowest_group_is_kept_apart_or_joined_as_in_r():
    """R's hoslem.test drops the repeated lowest end, and its group with it."""
    p = np.array([0.1] * 5 + [0.2, 0.3, 0.4, 0.5, 0.6, 0.7])  # 11 patients: deciles are values

    assert quantile_groups(p, lowest_apart=True).tolist() == [0] * 5 + [1, 2, 3, 4, 5, 6]
    assert quantile_groups(p, lowest_apart=False).tolist() == [0] * 6 + [1, 2, 3, 4, 5]


def test_reliability_groups_hold_every_patient_once_with_wilson_intervals():
    """1 of 4 and 3 of 5; Wilson's interval of 1/4 is 4.6% to 69.9% (Newcombe 1998's formula)."""
    low, high = reliability(Scored(TRUTH, P))

    assert (low.observed.count, low.observed.n) == (1, 4)
    assert (high.observed.count, high.observed.n) == (3, 5)
    assert (low.lowest, low.highest, low.expected) == pytest.approx((0.2, 0.2, 0.2))
    assert (low.observed.wilson_low, low.observed.wilson_high) == pytest.approx(
        (0.0456, 0.6994), abs=1e-4
    )
    assert sum(one.observed.n for one in reliability(Scored(*cohort(157)))) == 157


def test_hosmer_lemeshow_by_hand():
    """Expected .8 of 4 and 4 of 5: (1 - .8)^2 / .64 + (3 - 4)^2 / .8."""
    found = hosmer_lemeshow(Scored(TRUTH, P))

    assert found.statistic == pytest.approx(0.04 / 0.64 + 1 / 0.8)
    assert found.p == pytest.approx(chi2.sf(0.04 / 0.64 + 1 / 0.8, 2))
    assert found.method.endswith("2 groups by quantiles of probability, df = groups")


def test_hosmer_lemeshow_with_certain_errors_says_so():
    """A mutant at probability 0 is impossible."""
    certain = hosmer_lemeshow(Scored([1, 0, 0, 1, 0, 1, 1, 1], [0, 0, 0, 0.5, 0.5, 0.6, 1, 1]))

    assert (certain.statistic, certain.p) == (np.inf, 0)
    assert any("certain" in note for note in certain.notes)


def test_a_smooth_curve_of_a_straight_line_is_that_line():
    """Local lines reproduce a line, whatever the weights: labels rounded from p itself."""
    p = np.repeat([0.2, 0.4, 0.6, 0.8], 5)
    truth = np.concatenate([[1] * k + [0] * (5 - k) for k in (1, 2, 3, 4)])
    curve = smooth_curve(Scored(truth, p))

    assert curve[:, 0] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert curve[:, 1] == pytest.approx(curve[:, 0])
