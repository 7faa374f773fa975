"""Decision curves: by hand, by a plain loop, and with the counts of Park 2021."""

import numpy as np
import pytest

from idhray.stats.probabilities.decision import THRESHOLDS, decision_curve
from idhray.stats.sample import SampleError

# 4 mutants and 6 wildtypes; at .25, 3 mutants and 2 wildtypes are treated.
TRUTH = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
P = [0.9, 0.6, 0.25, 0.1, 0.7, 0.3, 0.2, 0.2, 0.1, 0.0]


def test_net_benefit_by_hand():
    """At 1/4 three wildtypes weigh as much as one mutant: (3 - 2/3) / 10, and (4 - 6/3) / 10."""
    (point,) = decision_curve(TRUTH, P, [0.25]).points

    assert (point.true_positives, point.false_positives) == (3, 2)
    assert point.model == pytest.approx((3 - 2 / 3) / 10)
    assert point.treat_all == pytest.approx((4 - 6 / 3) / 10)
    assert point.over_default == pytest.approx((3 - 2 / 3 - 2) / 10)
    assert np.isnan([point.model_low, point.over_default_high]).all()


def test_treatments_avoided_by_hand():
    """4 of 6 wildtypes are spared, 1 mutant missed, who counts for 3 of them: 1 per 10 patients."""
    (point,) = decision_curve(TRUTH, P, [0.25]).points

    assert point.avoided_per_100 == pytest.approx(10)


def test_the_default_is_the_better_of_all_and_none():
    """At .6 treating all does harm, and the model is compared with treating no one."""
    (point,) = decision_curve(TRUTH, P, [0.6]).points

    assert point.treat_all == pytest.approx((4 - 6 * 1.5) / 10)
    assert point.model == point.over_default == pytest.approx((2 - 1.5) / 10)


def test_treating_all_has_no_benefit_at_the_prevalence():
    """Vickers and Elkin 2006: the line crosses 0 there; a perfect model's is the prevalence."""
    (point,) = decision_curve(TRUTH, TRUTH, [0.4]).points

    assert point.treat_all == pytest.approx(0)
    assert point.model == pytest.approx(0.4)


@pytest.mark.parametrize("prevalence", [None, 0.08])
def test_the_curve_equals_a_plain_loop(prevalence):
    """Counts at every threshold; with a prevalence, sensitivity and specificity weighted by it."""
    rng = np.random.default_rng(0)
    truth, p = rng.integers(0, 2, 40), rng.random(40).round(2)
    curve = decision_curve(truth, p, prevalence=prevalence)

    share = truth.mean() if prevalence is None else prevalence
    assert curve.prevalence == share
    assert [point.threshold for point in curve.points] == list(THRESHOLDS)
    for point in curve.points:
        t = point.threshold
        sensitivity = sum(q >= t for q, y in zip(p, truth, strict=True) if y) / truth.sum()
        wrong = sum(q >= t for q, y in zip(p, truth, strict=True) if not y) / (1 - truth).sum()
        expected = sensitivity * share - wrong * (1 - share) * t / (1 - t)
        assert point.model == pytest.approx(expected)
        assert point.treat_all == pytest.approx(share - (1 - share) * t / (1 - t))


def test_prevalence_turns_park_2021_round():
    """Reader 2, model 3: 7/11 and 31/33. Among 25% mutants it beats no one treated at 1/2 by 5/44.

    Among 8%, as the paper quotes for glioblastoma, .08 x 7/11 - .92 x 2/33 is below zero.
    """
    truth = [1] * 11 + [0] * 33
    p = [0.9] * 7 + [0.1] * 4 + [0.9] * 2 + [0.1] * 31
    (here,) = decision_curve(truth, p, [0.5]).points
    rare = decision_curve(truth, p, [0.5], prevalence=0.08)

    assert here.over_default == pytest.approx(5 / 44)
    assert rare.points[0].over_default == pytest.approx(0.08 * 7 / 11 - 0.92 * 2 / 33)
    assert "prevalence of 0.08; 0.25 of these patients are mutant" in rare.notes[0]


@pytest.mark.parametrize("prevalence", [None, 0.2])
def test_bootstrap_intervals_have_the_width_of_their_closed_form(prevalence):
    """The net benefit is a (weighted) mean of patients, whose standard error is known."""
    rng = np.random.default_rng(1)
    truth = np.array([1] * 120 + [0] * 180)
    p = np.clip(0.3 * truth + 0.7 * rng.random(300), 0, 1)
    (point,) = decision_curve(truth, p, [0.5], prevalence=prevalence, resamples=4000).points

    value = np.where(truth == 1, 1.0, -1.0) * (p >= 0.5)
    if prevalence is None:
        se = value.std() / np.sqrt(300)
    else:
        se = np.hypot(
            prevalence * value[truth == 1].std() / np.sqrt(120),
            (1 - prevalence) * value[truth == 0].std() / np.sqrt(180),
        )
    assert point.model_high - point.model_low == pytest.approx(2 * 1.96 * se, rel=0.06)
    assert point.model_low < point.model < point.model_high
    assert point.over_default_low < point.over_default < point.over_default_high


def test_the_seed_decides_the_interval_and_says_how():
    """Repeatable; the confidence widens it."""
    one, same, other = (decision_curve(TRUTH, P, [0.2], resamples=200, seed=s) for s in (0, 0, 1))
    wide = decision_curve(TRUTH, P, [0.2], resamples=200, confidence=0.99).points[0]

    assert one == same
    assert one != other
    assert wide.model_high - wide.model_low > one.points[0].model_high - one.points[0].model_low
    assert one.notes == ("Intervals by percentile bootstrap, 200 resamples of patients.",)


def test_a_lone_patient_makes_the_interval_of_a_class_too_narrow():
    """Drawing one of one is no drawing."""
    curve = decision_curve([1, 0, 0], [0.9, 0.1, 0.6], [0.5], prevalence=0.1, resamples=50)

    assert "single patient" in curve.notes[-1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"truth": [1] * 10}, "0 wildtype", id="one class"),
        pytest.param({"p": [*P[:-1], np.nan]}, "NaN", id="missing"),
        pytest.param({"p": [*P[:-1], 1.01]}, "outside 0 to 1", id="no probability"),
        pytest.param({"thresholds": [0.5, 1.0]}, "between 0 and 1", id="threshold 1"),
        pytest.param({"thresholds": [0.0]}, "between 0 and 1", id="threshold 0"),
        pytest.param({"thresholds": []}, "between 0 and 1", id="no threshold"),
        pytest.param({"prevalence": 8}, "prevalence must lie", id="percent"),
        pytest.param({"resamples": -1}, "0 or more, got -1", id="resamples"),
    ],
)
def test_bad_input_is_refused(given, message):
    """One line that says what was found."""
    with pytest.raises(SampleError, match=message):
        decision_curve(**({"truth": TRUTH, "p": P} | given))
