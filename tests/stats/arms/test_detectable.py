"""Power of the verdict's test against simulated experiments and the noncentral t distribution."""

import numpy as np
import pytest
from scipy import stats

from idhray.errors import ConfigError
from idhray.stats.arms.detectable import (
    ErrorVariance,
    all_gains_power,
    design_variance,
    detectable_gain,
    detectable_margin,
    equivalence_power,
    gain_power,
)
from idhray.stats.mrmc.contrast import contrast
from idhray.stats.mrmc.split_plot import FoldScores, fold_contrast

STUDIES = 4000


def simulated(variance: ErrorVariance, difference: float, folds: int, repeats: int):
    """Contrasts of studies whose estimate and variance between trainings are drawn."""
    rng = np.random.default_rng(11)
    sd = (variance.trainings + variance.patients) ** 0.5
    estimates = rng.normal(difference, sd, STUDIES)
    shares = rng.chisquare(folds * (repeats - 1), STUDIES) / (folds * (repeats - 1))
    return [
        contrast(e, variance.trainings * s, variance.patients, folds=folds, repeats=repeats)
        for e, s in zip(estimates, shares, strict=True)
    ]


@pytest.mark.parametrize(
    ("folds", "repeats", "patients"),
    [(1, 5, 0.0), (1, 5, 4e-4), (5, 3, 1e-4), (5, 3, 1e-2), (8, 5, 0.0)],
)
def test_power_is_that_of_simulated_studies(folds, repeats, patients):
    """The bar is 3 points of power; 4000 studies err by 0.7 points."""
    variance = ErrorVariance(trainings=4e-4, df=folds * (repeats - 1), patients=patients)
    gain, margin = detectable_gain(variance), detectable_margin(variance)
    higher = [test.ci_low > 0 for test in simulated(variance, gain, folds, repeats)]
    inside = [
        -margin < low and high < margin
        for low, high in (t.interval(0.9) for t in simulated(variance, 0.0, folds, repeats))
    ]

    assert np.mean(higher) == pytest.approx(0.8, abs=0.03)
    assert np.mean(inside) == pytest.approx(0.8, abs=0.03)


def test_trainings_alone_give_the_noncentral_t():
    """The closed form where patients add no variance."""
    variance = ErrorVariance(trainings=1e-4, df=10)
    closed = stats.nct.sf(stats.t.ppf(0.975, 10), 10, 0.03 / 0.01)

    assert gain_power(variance, 0.03) == pytest.approx(closed, abs=2e-3)


def test_patients_alone_give_the_normal_distribution():
    """Deterministic trainings: z test, and both one-sided tests."""
    variance = ErrorVariance(trainings=0.0, df=4, patients=1e-4)
    z = stats.norm.ppf

    assert detectable_gain(variance) == pytest.approx(0.01 * (z(0.975) + z(0.8)), rel=1e-4)
    assert detectable_margin(variance) == pytest.approx(0.01 * (z(0.95) + z(0.9)), rel=1e-4)


def test_a_difference_at_the_margin_passes_for_equivalent_in_five_percent():
    """The level of two one-sided tests, from below."""
    variance = design_variance(0.03, 1e-5, folds=5, repeats=3)

    assert equivalence_power(variance, 0.05, true_difference=0.05) == pytest.approx(0.05, abs=0.003)


def test_no_variance_and_one_repeat_are_refused():
    """Neither has a test."""
    with pytest.raises(ConfigError, match="not both 0"):
        ErrorVariance(trainings=0.0, df=4)
    with pytest.raises(ConfigError, match="two repeats or more"):
        design_variance(0.1, 0.0, folds=5, repeats=1)


def simulated_contrasts(rng, studies, gain, *, patients, folds, repeats, training_sd):
    """Contrasts of binormal studies: arms share their patients, trainings vary in d'."""
    per_fold = patients // folds
    labels = np.arange(per_fold) % 2
    for _ in range(studies):
        scores = []
        for _ in range(folds):
            patient = rng.normal(size=per_fold)
            arms = [
                (labels - 0.5) * rng.normal(1.2 + effect, training_sd, (repeats, 1))
                + patient
                + 0.3 * rng.normal(size=(repeats, per_fold))
                for effect in (gain, 0.0)
            ]
            scores.append(FoldScores(labels=labels, scores=arms[0], baseline=arms[1]))
        yield fold_contrast(scores)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patients", "folds", "repeats", "training_sd", "gain"),
    [(64, 1, 5, 0.25, 0.5), (200, 5, 3, 0.1, 0.2), (200, 5, 3, 0.25, 0.3), (240, 8, 5, 0.1, 0.15)],
)
def test_power_is_that_of_studies_of_binormal_scores(patients, folds, repeats, training_sd, gain):
    """Components and gain as the studies have them on average; the bar is 3 points of power."""
    tests = list(
        simulated_contrasts(
            np.random.default_rng(21),
            2000,
            gain,
            patients=patients,
            folds=folds,
            repeats=repeats,
            training_sd=training_sd,
        )
    )
    variance = ErrorVariance(
        trainings=float(np.mean([t.variance_trainings for t in tests])),
        df=folds * (repeats - 1),
        patients=max(float(np.mean([t.patients_covariance for t in tests])), 0.0),
    )
    expected = gain_power(variance, float(np.mean([t.difference for t in tests])))

    assert np.mean([t.ci_low > 0 for t in tests]) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_power_of_one_gain_alone_is_the_power_of_the_gain(share):
    """The split of the variance into two parts changes nothing."""
    variance = ErrorVariance(trainings=4e-4, df=10, patients=2e-4)

    assert all_gains_power([variance], [0.05], [share]) == pytest.approx(
        gain_power(variance, 0.05), abs=1e-3
    )


def test_power_of_several_gains_is_that_of_correlated_normal_estimates():
    """Three contrasts that share half their variance, errors known: simulated."""
    variance = ErrorVariance(trainings=0.0, df=1, patients=1e-4)
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(200_000, 4)) * 0.01 * 0.5**0.5
    estimates = 0.025 + parts[:, :1] + parts[:, 1:]
    simulated_power = (estimates > 1.959964 * 0.01).all(axis=1).mean()

    assert all_gains_power([variance] * 3, [0.025] * 3, [0.5] * 3) == pytest.approx(
        simulated_power, abs=0.004
    )


def test_a_gain_with_a_variance_of_its_own_is_found_first_where_its_curve_reaches_the_power():
    """A variance that does not change gives the same gain; too large a gain is none."""
    fixed = ErrorVariance(trainings=4e-4, df=10, patients=2e-4)

    assert detectable_gain(lambda gain: fixed) == pytest.approx(detectable_gain(fixed), abs=1e-5)
    assert np.isnan(detectable_gain(lambda gain: fixed, most=0.05))
