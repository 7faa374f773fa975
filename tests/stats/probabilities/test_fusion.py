"""The fusion of age and image: by its score equations, and on patients that break it."""

import numpy as np
import pytest
from scipy.special import logit

from idhray.stats.probabilities.fusion import fit_fusion
from idhray.stats.sample import SampleError

TRUTH = [1, 1, 1, 1, 0, 0, 0, 0]


def test_fusion_solves_the_score_equations():
    """At the maximum, residuals times a column equal its weight: the slope of the penalty."""
    rng = np.random.default_rng(0)
    image, age, truth = rng.random(60), rng.random(60), rng.integers(0, 2, 60)
    fitted = fit_fusion(image, age, truth)
    residuals = truth - fitted.p_mutant(image, age)

    assert residuals.sum() == pytest.approx(0, abs=1e-7)
    assert residuals @ logit(image) == pytest.approx(fitted.image, abs=1e-7)
    assert residuals @ logit(age) == pytest.approx(fitted.age, abs=1e-7)


def test_separated_patients_get_finite_weights():
    """Eight patients that the image separates perfectly, at probabilities of 0 and 1."""
    fitted = fit_fusion([1, 1, 1, 1, 0, 0, 0, 0], [0.6, 0.5, 0.7, 0.4] * 2, TRUTH)

    assert 0 < fitted.image < 2
    assert abs(fitted.age) < 2
    assert (fitted.p_mutant([1, 0], [0.5, 0.5]).round() == [1, 0]).all()


def test_fusion_refuses_missing_probabilities():
    """A patient without an age belongs in neither the fit nor its n."""
    with pytest.raises(SampleError, match="got 7"):
        fit_fusion([0.5] * 8, [np.nan] + [0.5] * 7, TRUTH)


def test_fusion_refuses_what_is_no_probability():
    """Clipped to 0.9999 it would pass as certainty."""
    with pytest.raises(SampleError, match="1 of 16 probabilities lie outside"):
        fit_fusion([0.5] * 8, [1.2] + [0.5] * 7, TRUTH)
