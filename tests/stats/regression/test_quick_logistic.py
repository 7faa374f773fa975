"""The quick fit is the full fit without its intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from idhray.stats.probabilities.optimism import optimism
from idhray.stats.regression.design import Covariate, Factor
from idhray.stats.regression.logistic import FIRTH, fit_logistic
from idhray.stats.regression.quick_logistic import quick_logistic

MARGIN = [Factor(name="margin", levels=("indistinct", "clear")), Covariate(name="age")]


def findings(seed=0, n=60):
    """A finding, an age, and labels that depend on both."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"margin": rng.choice(["indistinct", "clear"], n), "age": rng.normal(size=n)}
    )
    eta = (frame["margin"] == "clear") + frame["age"]
    return frame, (rng.random(n) < expit(eta)).astype(int)


def test_a_quick_fit_is_the_full_fit():
    """Same model, same probabilities, without intervals."""
    frame, labels = findings()
    quick = quick_logistic(MARGIN)(frame, labels)

    assert not quick.separated
    expected = fit_logistic(frame, labels, MARGIN).p_mutant(frame)
    assert quick.p_mutant(frame) == pytest.approx(expected, abs=1e-8)


def test_a_quick_fit_of_separated_classes_is_firths():
    """All cases with a clear margin are mutant."""
    frame, labels = findings()
    labels = np.where(frame["margin"] == "clear", 1, labels)
    quick = quick_logistic(MARGIN)(frame, labels)
    full = fit_logistic(frame, labels, MARGIN)

    assert quick.separated
    assert full.method == FIRTH
    assert quick.p_mutant(frame) == pytest.approx(full.p_mutant(frame), abs=1e-6)


def test_a_quick_fit_without_predictors_is_the_share_of_mutants():
    """What elimination may leave."""
    frame, labels = findings()

    assert quick_logistic([])(frame, labels).p_mutant(frame) == pytest.approx(labels.mean())


def test_a_level_that_was_not_drawn_is_not_guessed():
    """The resample is left out and counted: nothing is known of that level."""
    frame, labels = findings(n=40)
    rare = pd.Series(["other"] * 39 + ["brainstem"])
    frame = frame.assign(location=rare)
    place = Factor(name="location", levels=("other", "brainstem"))
    fit = quick_logistic([place, Covariate(name="age")])
    found = optimism(frame, labels, fit, resamples=40)

    assert 5 < found.unfitted < 28
    assert "location" in found.notes[0]
