"""The bootstrap of any statistic: against SciPy's, closed forms, and its own definition."""

import numpy as np
import pytest
from scipy import stats

from idhray.stats.bootstrap import acceleration_of, bias_of, bootstrap, summary
from idhray.stats.roc.area import auc
from idhray.stats.sample import SampleError

VALUES = np.random.default_rng(0).gamma(2.0, size=60)


def test_the_error_of_a_mean_is_the_closed_form():
    """Over all resamples it is the plug-in standard deviation over the root of n."""
    found = bootstrap(lambda rows: VALUES[rows].mean(), np.zeros(60), draws=4000, null=1.0)

    assert found.estimate == VALUES.mean()
    assert found.se == pytest.approx(VALUES.std() / np.sqrt(60), rel=0.05)
    assert found.ci_low < VALUES.mean() < found.ci_high
    assert (found.draws, found.failed, found.seed) == (4000, 0, 0)


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_intervals_are_those_of_scipy_bootstrap(method):
    """The same draws, their percentile and their bias-corrected, accelerated interval."""
    made = stats.bootstrap(
        (VALUES,), np.mean, n_resamples=1000, method=method, rng=np.random.default_rng(1)
    )
    draws = made.bootstrap_distribution
    corrected = method == "BCa"
    found = summary(
        VALUES.mean(),
        draws,
        method=method,
        seed=1,
        confidence=0.95,
        bias=bias_of(VALUES.mean(), draws) if corrected else 0.0,
        acceleration=acceleration_of([VALUES - VALUES.mean()]) if corrected else 0.0,
    )
    expected = made.confidence_interval

    assert (found.ci_low, found.ci_high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.se == pytest.approx(made.standard_error)


def test_acceleration_of_a_mean_is_its_skewness():
    """Skewness over 6 roots of n (Efron and Tibshirani 1993, page 187)."""
    found = acceleration_of([VALUES - VALUES.mean()])

    assert found == pytest.approx(stats.skew(VALUES) / (6 * np.sqrt(60)))
    assert acceleration_of([np.zeros(3)]) == 0.0


def test_draws_equal_to_the_estimate_count_half_in_the_bias():
    """One below, two equal, one above: no bias. All below: the edge, not infinity."""
    assert bias_of(1.0, np.array([0.0, 1.0, 1.0, 2.0])) == pytest.approx(0)
    assert bias_of(9.0, np.zeros(99)) == pytest.approx(stats.norm.ppf(0.99))


def test_p_is_found_by_inversion():
    """3 of 199 draws at or below 0: P = 2 (3 + 1) / 200, and the 96% interval just reaches 0."""
    draws = np.arange(-2.0, 197.0)
    found = [
        summary(100.0, draws, method="", seed=0, confidence=c, null=0.0) for c in (0.955, 0.99)
    ]

    assert found[0].p == pytest.approx(2 * 4 / 200)
    assert found[0].ci_low > 0 > found[1].ci_low


def test_p_has_a_floor_and_can_be_left_out():
    """No draw beyond the null value is evidence of 2 / (draws + 1), not of 0."""
    draws = np.arange(1.0, 200.0)

    assert summary(9.0, draws, method="", seed=0, confidence=0.9, null=0.0).p == 2 / 200
    assert summary(9.0, draws, method="", seed=0, confidence=0.9).p is None


def test_the_seed_repeats_the_draws():
    """And another seed makes others."""
    one, same, other = (
        bootstrap(lambda rows: VALUES[rows].mean(), np.zeros(60), draws=100, seed=seed)
        for seed in (3, 3, 4)
    )

    assert one == same
    assert one.ci_low != other.ci_low


def test_every_draw_keeps_the_size_of_every_stratum():
    """Five mutants and nine wildtypes each time, not the same ones each time."""
    labels = np.array([1] * 5 + [0] * 9)
    seen = []

    def statistic(rows):
        seen.append(tuple(rows))
        return float(labels[rows].sum())

    found = bootstrap(statistic, labels, draws=100)

    assert (found.ci_low, found.ci_high) == (5, 5)
    assert len(set(seen)) > 90
    assert "nothing of its spread" in found.notes[0]


def test_failed_draws_are_counted_and_said():
    """An area without the strata: draws of one class only have none."""
    truth = np.array([1, 1, 0, 0, 0, 0])
    scores = np.array([3, 1, 0, 4, 2, 1])
    found = bootstrap(lambda rows: auc(truth[rows], scores[rows]), np.zeros(6), draws=200)

    assert 0 < found.failed < 60
    assert f"{found.failed} of 200 draws" in found.notes[0]
    assert 0 <= found.ci_low <= found.ci_high <= 1


def test_a_broken_correction_is_said():
    """An acceleration beyond its range gives the lowest draw, and a note."""
    draws = np.arange(200.0)
    found = summary(1.0, draws, method="", seed=0, confidence=0.95, bias=-2.5, acceleration=-0.3)

    assert found.ci_low == 0
    assert "breaks down" in found.notes[0]


@pytest.mark.parametrize(
    ("statistic", "strata", "options", "message"),
    [
        pytest.param(np.mean, [0, 0, 1], {"draws": 10}, "100 draws or more", id="few draws"),
        pytest.param(np.mean, [0, 1], {"confidence": 95}, "confidence", id="95, not .95"),
        pytest.param(np.mean, [], {}, "one value per patient", id="nobody"),
        pytest.param(lambda _: np.nan, [0, 1], {}, "patients themselves", id="no statistic"),
        pytest.param(
            lambda rows: 1.0 if len(set(rows)) == 6 else np.nan,
            [0] * 6,
            {},
            "does not exist on",
            id="hardly ever",
        ),
    ],
)
def test_what_has_no_interval_is_refused(statistic, strata, options, message):
    """One line that says what is wrong."""
    with pytest.raises(SampleError, match=message):
        bootstrap(statistic, strata, **options)
