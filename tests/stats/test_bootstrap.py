"""The bootstrap of any statistic: against SciPy's, closed forms, and its own definition."""

import numpy as np
import pytest
from scipy import stats

from idhray.stats.bootstrap import bootstrap, summary
from idhray.stats.roc.area import auc
from idhray.stats.sample import SampleError, Scored

VALUES = np.random.default_rng(0).gamma(2.0, size=60)


def test_the_error_of_a_mean_is_the_closed_form():
    """Over all resamples it is the plug-in standard deviation over the root of n."""
    found = bootstrap(lambda rows: VALUES[rows].mean(), np.zeros(60), draws=4000, seed=0, null=1.0)

    assert found.estimate == VALUES.mean()
    assert found.se == pytest.approx(VALUES.std() / np.sqrt(60), rel=0.05)
    assert found.ci_low < VALUES.mean() < found.ci_high
    assert (found.draws, found.failed, found.seed) == (4000, 0, 0)


def test_intervals_are_those_of_scipy_bootstrap():
    """The same draws and their percentile interval."""
    scipys = stats.bootstrap(
        (VALUES,), np.mean, n_resamples=1000, method="percentile", rng=np.random.default_rng(1)
    )
    draws = scipys.bootstrap_distribution
    found = summary(VALUES.mean(), draws, method="percentile", seed=1, null=0.0)
    expected = scipys.confidence_interval

    assert (found.ci_low, found.ci_high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.se == pytest.approx(scipys.standard_error)


@pytest.mark.parametrize(("null", "p"), [(0.0, 2 * 4 / 200), (-9.0, 2 / 200)])
def test_p_is_found_by_inversion(null, p):
    """3 of 199 draws at or below 0: P = 2 (3 + 1) / 200; none at or below -9: 2 / 200, not 0."""
    assert summary(100.0, np.arange(-2.0, 197.0), method="", seed=0, null=null).p == p


def test_the_seed_repeats_the_draws():
    """And another seed makes others."""
    one, same, other = (
        bootstrap(lambda rows: VALUES[rows].mean(), np.zeros(60), draws=100, seed=seed, null=0.0)
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

    found = bootstrap(statistic, labels, draws=100, seed=0, null=5.0)

    assert (found.ci_low, found.ci_high) == (5, 5)
    assert len(set(seen)) > 90
    assert "nothing of its spread" in found.notes[0]


def test_failed_draws_are_counted_and_said():
    """An area without the strata: draws of one class only have none."""
    truth = np.array([1, 1, 0, 0, 0, 0])
    scores = np.array([3, 1, 0, 4, 2, 1])
    found = bootstrap(
        lambda rows: auc(Scored(truth[rows], scores[rows])),
        np.zeros(6),
        draws=200,
        seed=0,
        null=0.5,
    )

    assert 0 < found.failed < 60
    assert f"{found.failed} of 200 draws" in found.notes[0]
    assert 0 <= found.ci_low <= found.ci_high <= 1


@pytest.mark.parametrize(
    ("statistic", "strata", "draws", "message"),
    [
        pytest.param(np.mean, [0, 0, 1], 10, "100 draws or more", id="few draws"),
        pytest.param(np.mean, [], 200, "one value per patient", id="nobody"),
        pytest.param(lambda _: np.nan, [0, 1], 200, "patients themselves", id="no statistic"),
        pytest.param(
            lambda rows: 1.0 if len(set(rows)) == 6 else np.nan,
            [0] * 6,
            200,
            "does not exist on",
            id="hardly ever",
        ),
    ],
)
def test_what_has_no_interval_is_refused(statistic, strata, draws, message):
    """One line that says what is wrong."""
    with pytest.raises(SampleError, match=message):
        bootstrap(statistic, strata, draws=draws, seed=0, null=0.0)
