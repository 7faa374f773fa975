"""Decision curves: by hand, and by a plain loop."""

import numpy as np
import pytest

from idhray.stats.probabilities.decision import decision_curve
from idhray.stats.sample import SampleError, Scored

# 4 mutants and 6 wildtypes; at .25, 3 mutants and 2 wildtypes are treated.
TRUTH = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
P = [0.9, 0.6, 0.25, 0.1, 0.7, 0.3, 0.2, 0.2, 0.1, 0.0]


def test_net_benefit_by_hand():
    """At 1/4 three wildtypes weigh as much as one mutant: (3 - 2/3) / 10, and (4 - 6/3) / 10."""
    (point,) = decision_curve(Scored(TRUTH, P), [0.25])

    assert point.model == pytest.approx((3 - 2 / 3) / 10)
    assert point.treat_all == pytest.approx((4 - 6 / 3) / 10)


def test_treatments_avoided_by_hand():
    """4 of 6 wildtypes are spared, 1 mutant missed, who counts for 3 of them: 1 per 10 patients."""
    (point,) = decision_curve(Scored(TRUTH, P), [0.25])

    assert point.avoided_per_100 == pytest.approx(10)


def test_treating_all_has_no_benefit_at_the_prevalence():
    """Vickers and Elkin 2006: the line crosses 0 there; a perfect model's is the prevalence."""
    (point,) = decision_curve(Scored(TRUTH, TRUTH), [0.4])

    assert point.treat_all == pytest.approx(0)
    assert point.model == pytest.approx(0.4)


def test_the_curve_equals_a_plain_loop():
    """Counts of patients at every threshold."""
    rng = np.random.default_rng(0)
    truth, p = rng.integers(0, 2, 40), rng.random(40).round(2)
    thresholds = [percent / 100 for percent in range(1, 100)]
    points = decision_curve(Scored(truth, p), thresholds)

    assert [point.threshold for point in points] == thresholds
    for point in points:
        t = point.threshold
        treated = [y for q, y in zip(p, truth, strict=True) if q >= t]
        wrong = len(treated) - sum(treated)
        assert point.model == pytest.approx((sum(treated) - wrong * t / (1 - t)) / 40)
        all_wrong = 40 - truth.sum()
        assert point.treat_all == pytest.approx((truth.sum() - all_wrong * t / (1 - t)) / 40)


@pytest.mark.parametrize(
    ("p", "thresholds", "message"),
    [
        pytest.param([*P[:-1], 1.01], [0.5], "outside 0 to 1", id="no probability"),
        pytest.param(P, [0.5, 1.0], "between 0 and 1", id="threshold 1"),
        pytest.param(P, [0.0], "between 0 and 1", id="threshold 0"),
        pytest.param(P, [], "between 0 and 1", id="no threshold"),
    ],
)
def test_bad_input_is_refused(p, thresholds, message):
    """One line that says what was found."""
    with pytest.raises(SampleError, match=message):
        decision_curve(Scored(TRUTH, p), thresholds)
