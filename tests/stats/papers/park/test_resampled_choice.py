"""The fast choice of features is the slow one, on every resample."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.papers.park.feature_choice import jointly_usable, significant_features
from idhray.stats.papers.park.features import BY_NAME, FEATURE_NAMES
from idhray.stats.papers.park.models import reader_models
from idhray.stats.papers.park.readings_table import read_readings
from idhray.stats.papers.park.resampled_choice import chosen_model, coded_cases
from idhray.stats.regression.quick_logistic import quick_logistic
from idhray.stats.regression.stepwise import stepwise
from idhray.stats.sample import SampleError
from idhray.stats.settings import StatsSettings


def slow_choice(frame, labels, names, settings):
    """The choice by the functions that make table 2, on a frame of the drawn cases."""
    names, _ = jointly_usable(frame, significant_features(frame, labels, names, settings))
    factors = [BY_NAME[name].factor for name in names]
    if settings.elimination != "none":
        chosen = stepwise(
            frame, labels, factors, rule=settings.elimination, alpha=settings.alpha
        ).chosen
        factors = [BY_NAME[name].factor for name in chosen]
    return quick_logistic(factors)(frame, labels)


@pytest.mark.parametrize("rule", ["lr", "wald", "aic", "none"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_choice_and_probabilities_are_those_of_the_frames(reader_study, rule, number):
    """Separated resamples, missing levels and collinear features included."""
    settings = StatsSettings(elimination=rule)
    models, _ = reader_models(read_readings(*reader_study(errors=0.0)), {}, settings)
    frame = models[number - 1].cases
    truth = frame["label"].to_numpy(dtype=np.int64)
    cases, rng = coded_cases(frame, FEATURE_NAMES), np.random.default_rng(number)
    separated = 0
    for draw in range(8):
        rows = rng.integers(0, len(frame), len(frame) if draw % 2 else 45)
        drawn = frame.iloc[rows].reset_index(drop=True)
        slow = slow_choice(drawn, truth[rows], list(FEATURE_NAMES), settings)
        fast = chosen_model(cases, rows, truth[rows], FEATURE_NAMES, settings)
        separated += fast.separated

        assert fast.predictors == slow.predictors
        assert fast.separated == slow.separated
        expected = slow.p_mutant(drawn)
        assert fast.p_mutant(coded_cases(drawn, FEATURE_NAMES)) == pytest.approx(expected, abs=1e-9)
    assert separated or number == 1


def test_a_level_that_no_drawn_case_has_is_refused_by_name(reader_study):
    """The resample is left out, and the first reason is printed."""
    settings = StatsSettings(elimination="none")
    models, _ = reader_models(read_readings(*reader_study(errors=0.0)), {}, settings)
    frame = models[0].cases
    rows = np.flatnonzero((frame["location"] != "thalamus_brainstem").to_numpy())
    truth = frame["label"].to_numpy(dtype=np.int64)
    cases = coded_cases(frame, ["location"])
    chosen = chosen_model(cases, rows, truth[rows], ["location"], settings)

    with pytest.raises(SampleError, match="location: thalamus_brainstem is no level"):
        chosen.p_mutant(cases)


def test_equal_cases_have_equal_probabilities(reader_study):
    """A product of matrices may break their tie, and an area under a ROC curve counts ties."""
    settings = StatsSettings()
    models, _ = reader_models(read_readings(*reader_study()), {}, settings)
    frame = pd.concat([models[0].cases.iloc[[3]]] * 37)
    everyone = coded_cases(models[0].cases, FEATURE_NAMES)
    truth = models[0].cases["label"].to_numpy(dtype=np.int64)
    chosen = chosen_model(everyone, np.arange(len(truth)), truth, FEATURE_NAMES, settings)

    assert len(set(chosen.p_mutant(coded_cases(frame, FEATURE_NAMES)))) == 1
    assert len(set(models[0].p_image(frame))) == 1
