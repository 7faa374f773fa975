"""Calibration: against rms::val.prob and its kin in R, by hand, and on scores that break it."""

import numpy as np
import pytest
from scipy.special import expit, logit

from idhray.stats.probabilities.calibration import (
    calibration,
    calibration_in_the_large,
    calibration_line,
    spiegelhalter,
)
from idhray.stats.probabilities.logits import CLIP, logits_of, probabilities_of
from idhray.stats.probabilities.reliability import (
    hosmer_lemeshow,
    reliability,
    smooth_curve,
)
from idhray.stats.sample import SampleError, Scored

# Two levels of probability: .2 (1 mutant of 4) and .8 (3 of 5). All by hand below.
TRUTH = [1, 0, 0, 0, 1, 1, 1, 0, 0]
P = [0.2] * 4 + [0.8] * 5


def cohort(n, seed=0, slope=1.0, shift=0.0):
    """Labels drawn from probabilities, and the probabilities distorted on the logit scale."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=1.5, size=n)
    return (rng.random(n) < expit(logits)).astype(int), expit(shift + slope * logits)


def close(expected):
    """Within 1e-6, relative below 1e-3."""
    return pytest.approx(expected, abs=1e-6 if np.min(np.abs(expected)) > 1e-3 else 1e-9, rel=1e-6)


def test_intercept_slope_and_scores_are_those_of_r(reference):
    """glm with an offset, glm on the logit, and the closed forms."""
    for case in reference("calibration"):
        found = calibration(Scored(case["y"], case["p"]))

        assert found.in_the_large.value == close(case["citl"]), case["id"]
        assert found.in_the_large.se == close(case["citl_se"])
        assert found.slope.value == close(case["slope"])
        assert found.slope.se == close(case["slope_se"])
        assert found.intercept == close(case["intercept_in_slope_model"])
        assert found.brier == close(case["brier"])
        assert found.brier_scaled == close(case["brier_scaled"])
        assert found.observed_expected == close(case["oe"])
        assert found.log_loss == close(case["logloss"])
        assert found.notes == ()


def test_curve_distances_and_joint_tests_are_those_of_val_prob(reference):
    """rms::val.prob: E by lowess, U = (chi-square of intercept 0 and slope 1 - 2) / n, S:z."""
    for case in reference("calibration"):
        found, val_prob = calibration(Scored(case["y"], case["p"])), case["val_prob"]
        z = spiegelhalter(Scored(case["y"], case["p"]))

        assert found.e_max == close(val_prob["Emax"]), case["id"]
        assert found.e_90 == close(val_prob["E90"])
        assert found.e_average == close(val_prob["Eavg"])
        assert (found.joint_test.statistic - 2) / len(case["y"]) == close(val_prob["U"])
        assert (z.statistic, z.p) == close((val_prob["S:z"], val_prob["S:p"]))


def test_scores_of_two_groups_by_hand():
    """Brier, O/E and log loss need no software."""
    found = calibration(Scored(TRUTH, P))

    brier = (4 * 0.04 + 0.6 + 3 * 0.04 + 2 * 0.64) / 9  # 1 mutant at .2: .64 = .04 + .6
    assert found.brier == pytest.approx(brier)
    assert found.brier_scaled == pytest.approx(1 - brier / (4 / 9 * 5 / 9))
    assert found.observed_expected == pytest.approx(4 / 4.8)
    assert found.log_loss == pytest.approx(-(6 * np.log(0.8) + 3 * np.log(0.2)) / 9)
    assert (found.n_mutant, found.n_wildtype) == (4, 5)


def test_slope_through_two_groups_is_their_log_odds_over_the_distance():
    """Two points are on the line: log odds -log 3 and log 1.5 at logits -log 4 and log 4."""
    line = calibration_line(np.array(TRUTH), logit(np.array(P)))

    slope = (np.log(1.5) + np.log(3)) / (2 * np.log(4))
    variance = (1 + 1 / 3 + 1 / 3 + 1 / 2) / (2 * np.log(4)) ** 2
    assert line.slope == pytest.approx(slope)
    assert line.intercept == pytest.approx(np.log(1.5) - slope * np.log(4))
    assert line.slope_se == pytest.approx(np.sqrt(variance), rel=1e-6)


def test_in_the_large_makes_the_expected_count_the_one_found():
    """With one probability it is the difference of two log odds, with the error of a log odds."""
    labels = np.array([1, 1, 0, 0, 0])
    value, se = calibration_in_the_large(labels, logit(np.full(5, 0.2)))

    assert value == pytest.approx(np.log(2 / 3) - np.log(1 / 4))
    assert se == pytest.approx(np.sqrt(1 / 2 + 1 / 3))


def test_distorted_probabilities_are_recognized():
    """Logits doubled and raised by 1: the slope is 1/2, and the tests say so."""
    truth, p = cohort(4000, slope=2.0, shift=1.0)
    found = calibration(Scored(truth, p))

    assert found.slope.ci_low < 0.5 < found.slope.ci_high < 0.6
    assert found.in_the_large.value < 0
    assert max(found.slope.test.p, found.in_the_large.test.p, found.joint_test.p) < 1e-6
    assert spiegelhalter(Scored(truth, p)).p < 1e-6
    assert hosmer_lemeshow(Scored(truth, p)).p < 1e-6


def test_true_probabilities_are_accepted():
    """The same patients, undistorted."""
    truth, p = cohort(4000)
    found = calibration(Scored(truth, p))

    tests = (
        found.slope.test,
        found.in_the_large.test,
        found.joint_test,
        hosmer_lemeshow(Scored(truth, p)),
    )
    assert min(test.p for test in tests) > 0.05
    assert found.e_max < 0.05


def test_separation_by_the_score_leaves_the_slope_out_and_says_so():
    """Its slope is infinite; calibration in the large and the scores exist all the same."""
    found = calibration(Scored([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.3, 0.4, 0.9]))

    assert np.isnan([found.slope.value, found.intercept, found.joint_test.p]).all()
    assert found.notes == ("No calibration slope: the probabilities separate the classes.",)
    assert found.slope.test.notes == found.notes
    assert np.isfinite([found.in_the_large.value, found.brier, found.e_max]).all()


def test_one_probability_for_all_has_neither_slope_nor_curve():
    """Two notes instead of silent NaN; statsmodels' lowess would return the first label."""
    found = calibration(Scored(TRUTH, [0.4] * 9))

    assert np.isnan([found.slope.value, found.e_max]).all()
    assert "all probabilities are equal" in found.notes[0]
    assert "9 of 9 patients have the probability 0.4" in found.notes[1]
    assert found.in_the_large.value == pytest.approx(logit(4 / 9) - logit(0.4))


def test_certain_probabilities_are_clipped_and_counted():
    """0 and 1 have no logit; the order of the probabilities is kept."""
    found = calibration(Scored([0, 1, 0, 1, 0, 1], [0, 0.3, 0.4, 0.6, 1, 1]))
    logits, _ = logits_of(np.array([0, 1e-300, 0.5, 1 - 1e-9, 1]))

    assert "3 probabilities of exactly 0 or 1 were taken as 1e-06" in found.notes[0]
    assert np.isfinite(found.slope.value)
    assert found.brier == pytest.approx((0.49 + 0.16 + 0.16 + 1) / 6)
    assert logits_of(np.array([0.0, 1.0]))[0] == pytest.approx([logit(CLIP), -logit(CLIP)])
    assert np.isfinite(logits).all()
    assert (np.diff(logits) >= 0).all()


def test_no_mutant_expected_is_said():
    """All probabilities 0: observed over expected is infinite."""
    found = calibration(Scored([0, 1, 0, 0, 0], [0] * 5))

    assert found.observed_expected == np.inf
    assert any("No mutant was expected" in note for note in found.notes)


@pytest.mark.parametrize(
    ("truth", "p", "message"),
    [
        pytest.param([0, 1], [0.2, 1.2], "1 of 2 probabilities lie outside", id="above 1"),
        pytest.param([0, 1], [-3, 2], "turned into probabilities", id="logits"),
        pytest.param([0, 1], [0.2, np.nan], "NaN", id="missing"),
        pytest.param([1, 1], [0.2, 0.8], "0 wildtype", id="one class"),
        pytest.param([0, 1], [0.2], "2 labels", id="lengths"),
        pytest.param([0, 1], [[0.2, 0.8], [0.1, 0.9]], "average them", id="repeats"),
    ],
)
@pytest.mark.parametrize(
    "judge", [calibration, spiegelhalter, hosmer_lemeshow, reliability, smooth_curve]
)
def test_what_is_no_set_of_probabilities_is_refused(judge, truth, p, message):
    """One line that says what was found."""
    with pytest.raises(SampleError, match=message):
        judge(Scored(truth, p))


def test_two_patients_get_what_exists_and_a_reason_for_the_rest():
    """The smallest sample with both classes."""
    found = calibration(Scored([0, 1], [0.3, 0.6]))

    assert found.brier == pytest.approx(0.125)
    assert "separate" in found.notes[0]
    assert "2 patients are too few" in found.notes[1]
    assert np.isnan(found.e_max)


def test_probabilities_of_accepts_the_ends():
    """0 and 1 are probabilities."""
    assert probabilities_of(Scored([0, 1], [0, 1])).tolist() == [0, 1]


def test_spiegelhalter_by_hand():
    """Sum of (y - p)(1 - 2p) over the root of the sum of (1 - 2p)^2 p (1 - p)."""
    found = spiegelhalter(Scored(TRUTH, P))

    z = ((1 - 0.8) * 0.6 + (3 - 4) * -0.6) / np.sqrt(9 * 0.36 * 0.16)
    assert found.statistic == pytest.approx(z)
    assert "no variance" in spiegelhalter(Scored([0, 1, 1], [0.5, 0.5, 1])).notes[0]
