"""The bootstrap of training cases: what it draws, and what it does where a draw has no model."""

import numpy as np
import pytest

from idhray.stats.papers.park import training
from idhray.stats.papers.park.comparisons import MEAN, comparison_table
from idhray.stats.papers.park.judged import judged_sets
from idhray.stats.papers.park.models import reader_models
from idhray.stats.papers.park.readings_table import read_readings
from idhray.stats.papers.park.training import resampled_gain
from idhray.stats.sample import SampleError
from idhray.stats.settings import StatsSettings

SETTINGS = StatsSettings(optimism_resamples=100, elimination="none")


@pytest.fixture
def fitted(reader_study):
    """Readings, their models and the test set."""
    readings = read_readings(*reader_study())
    models, missing = reader_models(readings, {}, SETTINGS)
    assert not missing
    return readings, models, next(iter(judged_sets(readings, models)))


def test_a_draw_that_changes_nothing_gives_the_models_own_difference(fitted, monkeypatch):
    """Every case and patient once: choice and fit are those of the models, and so is the gain."""
    monkeypatch.setattr(
        training,
        "resampled_rows",
        lambda real, _: np.concatenate([np.flatnonzero(real), np.flatnonzero(~real)]),
    )
    monkeypatch.setattr(training, "generator", lambda *_: Untouched())
    _, _, one = fitted
    row = comparison_table([one]).query("model == 3 and reader == @MEAN").iloc[0]

    assert training._gain(training._study(*fitted, SETTINGS), 0) == pytest.approx(row["difference"])


class Untouched:
    """A generator that draws everybody once."""

    def choice(self, rows, _):
        return rows


def test_training_cases_vary_the_gain_beside_the_patients(fitted):
    """So its interval is wider than DeLong's, over patients alone."""
    readings, models, one = fitted
    delong = comparison_table([one]).query("model == 3").set_index("reader").loc[MEAN]
    found = resampled_gain(readings, models, one, SETTINGS)

    assert found.ci_high - found.ci_low > delong["difference_high"] - delong["difference_low"]
    assert found.draws == 100


def test_too_few_resamples_make_no_interval(fitted):
    """Four draws have no tails."""
    with pytest.raises(
        SampleError, match="needs 100 resamples or more, and optimism_resamples is 4"
    ):
        resampled_gain(*fitted, StatsSettings(optimism_resamples=4))


def test_models_that_other_cases_would_not_have_make_no_interval(fitted):
    """Where most resamples find no feature significant, there is no distribution to speak of."""
    with pytest.raises(SampleError, match="does not exist on 100 of 100 draws"):
        resampled_gain(*fitted, StatsSettings(optimism_resamples=100, alpha=1e-15))
