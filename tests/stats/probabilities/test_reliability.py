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
from idhray.stats.sample import SampleError
from tests.stats.probabilities.test_calibration import TRUTH, P, close, cohort


@pytest.mark.parametrize("groups", [10, 5])
def test_hosmer_lemeshow_is_that_of_r_with_either_count_of_groups(reference, groups):
    """Where R's empty group makes its chi-square NaN, ours is that of the others."""
    for case in reference("calibration"):
        theirs = case[f"hl{groups}"]
        group = quantile_groups(np.array(case["p"]), groups, lowest_apart=False)
        sizes = np.bincount(group).tolist()
        found = hosmer_lemeshow(case["y"], case["p"], groups)
        nominal = hosmer_lemeshow(case["y"], case["p"], groups, df="requested - 2")

        assert sizes == [size for size in theirs["sizes"] if size], case["id"]
        assert nominal.df == theirs["df"]
        if theirs["chi2"] is not None:
            assert found.statistic == close(theirs["chi2"])
            assert (found.p, nominal.p) == close((theirs["p_df_groups"], theirs["p"]))
        else:
            assert np.isfinite(found.p)
            assert f"{groups} groups were asked for" in found.notes[0]


def test_groups_keep_ties_together_and_their_upper_end():
    """Quintiles of 1..10 hold two each; where most are equal there are two groups."""
    tied = quantile_groups(np.array([0.1] * 8 + [0.5, 0.9]), 10)

    assert quantile_groups(np.arange(1, 11) / 10, 5).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert tied.tolist() == [0] * 8 + [1, 2]
    assert quantile_groups(np.full(5, 0.3), 10).tolist() == [0] * 5
    assert quantile_groups(np.array(P), 3).tolist() == [0] * 4 + [1] * 5
    assert quantile_groups(np.array(P), 3, lowest_apart=False).tolist() == [0] * 9
    with pytest.raises(SampleError, match="two or more groups, got 1"):
        quantile_groups(np.arange(5) / 5, 1)


def test_reliability_groups_hold_every_patient_once_with_wilson_intervals():
    """1 of 4 and 3 of 5; Wilson's interval of 1/4 is 4.6% to 69.9% (Newcombe 1998's formula)."""
    low, high = reliability(TRUTH, P, groups=3)

    assert (low.observed.count, low.observed.n) == (1, 4)
    assert (high.observed.count, high.observed.n) == (3, 5)
    assert (low.lowest, low.highest, low.expected) == pytest.approx((0.2, 0.2, 0.2))
    assert (low.observed.wilson_low, low.observed.wilson_high) == pytest.approx(
        (0.0456, 0.6994), abs=1e-4
    )
    assert sum(one.observed.n for one in reliability(*cohort(157))) == 157


def test_hosmer_lemeshow_by_hand():
    """Expected .8 of 4 and 4 of 5: (1 - .8)^2 / .64 + (3 - 4)^2 / .8."""
    found = hosmer_lemeshow(TRUTH, P, df="groups")

    assert found.statistic == pytest.approx(0.04 / 0.64 + 1 / 0.8)
    assert found.p == pytest.approx(chi2.sf(0.04 / 0.64 + 1 / 0.8, 2))
    assert found.method.endswith("2 groups by quantiles of probability, df = groups")


def test_hosmer_lemeshow_without_freedom_or_with_certain_errors_says_so():
    """Thirds of two probabilities are one group in R; a mutant at probability 0 is impossible."""
    one, two = hosmer_lemeshow(TRUTH, P, 3), hosmer_lemeshow(TRUTH, P)
    certain = hosmer_lemeshow([1, 0, 0, 1, 0, 1, 1, 1], [0, 0, 0.5, 0.5, 0.6, 0.6, 1, 1], 4)

    assert np.isnan([one.p, two.p]).all()
    assert (one.df, two.df) == (-1, 0)
    assert any("2 groups leave no degree of freedom" in note for note in two.notes)
    assert (certain.statistic, certain.p) == (np.inf, 0)
    assert any("certain" in note for note in certain.notes)


def test_a_smooth_curve_of_a_straight_line_is_that_line():
    """Local lines reproduce a line, whatever the weights: labels rounded from p itself."""
    p = np.repeat([0.2, 0.4, 0.6, 0.8], 5)
    truth = np.concatenate([[1] * k + [0] * (5 - k) for k in (1, 2, 3, 4)])
    curve = smooth_curve(truth, p)

    assert curve[:, 0] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert curve[:, 1] == pytest.approx(curve[:, 0])
