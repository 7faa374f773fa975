"""Bootstrapped areas: against areas of spelled-out draws, DeLong, and cohorts of known area."""

import numpy as np
import pytest
from scipy import stats

from idhray.stats.bootstrap import bootstrap
from idhray.stats.roc.area import auc, auc_difference, auc_with_ci
from idhray.stats.roc.bootstrap import bootstrap_auc_difference, drawn_pairs
from idhray.stats.sample import SampleError, Scored


def two_models(n, seed=0):
    """Truth and two correlated score vectors with ties."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    shared = 0.8 * rng.normal(size=n)
    a, b = (np.round(shared + 0.6 * rng.normal(size=n) + gain * truth, 1) for gain in (1.3, 1.0))
    return truth, a, b


def test_weighted_pairs_are_those_of_the_patients_spelled_out():
    """A patient drawn three times counts as three patients; ties count half."""
    rng = np.random.default_rng(1)
    mutant, wildtype = np.round(rng.normal(size=7) + 1), np.round(rng.normal(size=9))
    of_mutants, of_wildtypes = (rng.integers(0, 4, (n, 5)).astype(float) for n in (7, 9))
    found = drawn_pairs(mutant, wildtype, of_mutants, of_wildtypes)

    for draw in range(5):
        m = np.repeat(mutant, of_mutants[:, draw].astype(int))
        w = np.repeat(wildtype, of_wildtypes[:, draw].astype(int))
        area = auc(Scored([1] * len(m) + [0] * len(w), np.concatenate([m, w])))
        assert found[draw] == pytest.approx(2 * len(m) * len(w) * area, abs=1e-9)


def test_errors_and_intervals_agree_with_delong():
    """150 patients, 4,000 draws: both estimate the same spread."""
    truth, a, b = two_models(150)
    gain = auc_difference(truth, a, b)
    found = bootstrap_auc_difference(truth, a, b, draws=4000, seed=0)

    assert found.estimate == pytest.approx(gain.difference, abs=1e-9)
    assert found.se == pytest.approx(gain.se_patients, rel=0.06)
    assert (found.ci_low, found.ci_high) == pytest.approx((gain.ci_low, gain.ci_high), abs=0.015)
    assert found.p == pytest.approx(gain.p, abs=0.05)


def test_the_fast_way_is_the_plain_one():
    """Drawing the rows and computing each area anew gives the same distribution."""
    truth, a, b = two_models(60, seed=2)
    fast = bootstrap_auc_difference(truth, a, b, draws=4000, seed=0)

    def gain(rows):
        return auc(Scored(truth[rows], a[rows])) - auc(Scored(truth[rows], b[rows]))

    plain = bootstrap(gain, truth, draws=1000, seed=5, null=0.0)

    assert plain.se == pytest.approx(fast.se, rel=0.1)
    assert (plain.ci_low, plain.ci_high) == pytest.approx((fast.ci_low, fast.ci_high), abs=0.02)


def test_intervals_hold_the_true_gain_about_as_often_as_they_say():
    """150 binormal cohorts of 60 patients; an area is Phi(shift / sqrt 2)."""
    rng = np.random.default_rng(3)
    truth = np.arange(60) % 2
    true_gain = stats.norm.cdf(1.2 / np.sqrt(2)) - stats.norm.cdf(0.8 / np.sqrt(2))
    held = 0
    for cohort in range(150):
        new, old = rng.normal(size=(2, 60)) + np.outer([1.2, 0.8], truth)
        found = bootstrap_auc_difference(truth, new, old, draws=400, seed=cohort)
        held += found.ci_low <= true_gain <= found.ci_high

    assert 0.88 <= held / 150 <= 1  # 95% of 150, four standard errors to either side


def test_equal_models_are_seldom_told_apart():
    """150 cohorts of 80 patients, two models of one quality: P < .05 in about one of twenty."""
    rng = np.random.default_rng(4)
    truth = np.arange(80) % 2
    low = 0
    for cohort in range(150):
        a, b, shared = rng.normal(size=(3, 80))
        found = bootstrap_auc_difference(
            truth, shared + a + truth, shared + b + truth, draws=400, seed=cohort
        )
        low += found.p < 0.05

    assert low / 150 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 150)


def test_luck_in_training_widens_the_interval():
    """Trainings that differ on all patients alike: their variance joins that of the patients."""
    rng = np.random.default_rng(5)
    truth = np.arange(200) % 2
    quality = np.linspace(0.2, 1.8, 8)[:, None]  # a lucky training parts the classes better
    trainings = rng.normal(size=200) + quality * truth
    baseline = np.zeros((2, 200))  # an area of .5 without spread
    area = auc_with_ci(Scored(truth, trainings))
    expected = np.hypot(area.se, area.sd_repeats * np.sqrt(7 / 8) / np.sqrt(8))
    found = bootstrap_auc_difference(truth, trainings, baseline, draws=2000, seed=0)

    assert expected > 1.3 * area.se
    assert found.se == pytest.approx(expected, rel=0.06)
    assert "trainings within side" in found.method


def test_identical_trainings_are_one():
    """The same training three times has the spread of the patients alone."""
    truth, a, b = two_models(60)
    once = bootstrap_auc_difference(truth, a, b, draws=4000, seed=0)
    thrice = bootstrap_auc_difference(truth, [a] * 3, [b] * 3, draws=4000, seed=0)

    assert thrice.estimate == pytest.approx(once.estimate)
    assert thrice.se == pytest.approx(once.se, rel=0.06)


def test_a_side_of_one_training_is_said():
    """Its luck cannot be known."""
    truth, a, b = two_models(40)
    found = bootstrap_auc_difference(truth, [a, b], b, draws=100, seed=0)

    assert "single training" in found.notes[0]


def test_both_models_see_the_same_patients():
    """A model against itself differs in no draw; drawn apart it would."""
    truth, a, _ = two_models(40)
    found = bootstrap_auc_difference(truth, a, a, draws=2000, seed=0)

    assert (found.estimate, found.se, found.p) == (0.0, 0.0, 1.0)


def test_the_seed_repeats_it_and_the_order_of_patients_changes_nothing():
    """Also with many more draws than are made at a time."""
    truth, a, b = two_models(50)
    order = np.random.default_rng(6).permutation(50)
    one = bootstrap_auc_difference(truth, a, b, draws=12_000, seed=7)

    assert bootstrap_auc_difference(truth[order], a[order], b[order], draws=12_000, seed=7) == one
    assert bootstrap_auc_difference(truth, a, b, draws=12_000, seed=8).se != one.se


def test_exchanged_models_change_only_the_sign():
    """The same trainings and patients are drawn either way."""
    truth, a, b = two_models(50)
    one = bootstrap_auc_difference(truth, a, b, draws=4000, seed=0)
    other = bootstrap_auc_difference(truth, b, a, draws=4000, seed=0)

    assert other.estimate == -one.estimate
    assert other.se == pytest.approx(one.se, rel=0.06)


def test_perfect_scores_have_no_spread_and_that_is_said():
    """One point and P = 2 / 2001 would be certainty from eight patients."""
    truth, scores = [1, 1, 1, 1, 0, 0, 0, 0], [8, 7, 6, 5, 4, 3, 2, 1]
    found = bootstrap_auc_difference(truth, scores, np.zeros(8), draws=200, seed=0)

    assert (found.ci_low, found.ci_high, found.se) == (0.5, 0.5, 0)
    assert np.isnan(found.p)
    assert "nothing of its spread" in found.notes[0]


def test_a_single_patient_of_a_class_is_said():
    """Every draw holds that one: the interval is too narrow."""
    found = bootstrap_auc_difference([1, 0, 0, 0], [5, 6, 4, 1], [1, 2, 3, 4], draws=200, seed=0)

    assert "single patient" in found.notes[0]


@pytest.mark.parametrize(
    ("truth", "scores", "draws", "message"),
    [
        pytest.param([1, 1], [1, 2], 200, "0 wildtype", id="one class"),
        pytest.param([1, 0], [1, np.nan], 200, "NaN", id="NaN"),
        pytest.param([1, 0], [1, 2], 99, "100 draws", id="few draws"),
    ],
)
def test_what_cannot_be_drawn_is_refused(truth, scores, draws, message):
    """One line that says what is wrong."""
    with pytest.raises(SampleError, match=message):
        bootstrap_auc_difference(truth, scores, [1, 2], draws=draws, seed=0)
