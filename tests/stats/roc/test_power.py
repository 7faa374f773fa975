"""The gain that a paired comparison could have shown, against simulated studies."""

import numpy as np
import pytest
from scipy import stats

from idhray.planning.auc import detectable_auc
from idhray.planning.simulation import StudyDesign
from idhray.stats.roc.area import auc_difference
from idhray.stats.roc.power import PairedDesign, detectable_paired_gain, measured_design


def made_up(rng, n_mutant, n_wildtype, areas, correlation):
    """Labels, and a row of binormal scores for each area."""
    labels = np.repeat([1, 0], [n_mutant, n_wildtype])
    root = np.linalg.cholesky(correlation)
    scores = root @ rng.standard_normal((len(areas), len(labels)))
    return labels, scores + np.sqrt(2) * stats.norm.ppf(areas)[:, None] * labels


@pytest.mark.parametrize(
    ("n_mutant", "n_wildtype", "area", "r"),
    [(30, 30, 0.75, 0.8), (13, 40, 0.8, 0.9), (60, 50, 0.9, 0.6)],
)
def test_a_study_finds_the_named_gain_with_80_percent_power(n_mutant, n_wildtype, area, r):
    """Studies with that true gain, each tested by the paired DeLong test as the verdict does."""
    correlation = np.array([[1, r], [r, 1]])
    design = PairedDesign(
        n_mutant=n_mutant, n_wildtype=n_wildtype, areas=np.array([area]), correlation=correlation
    )
    gain = detectable_paired_gain(design, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    lows = []
    for _ in range(2500):
        labels, (old, new) = made_up(rng, n_mutant, n_wildtype, [area, area + gain], correlation)
        lows.append(auc_difference(labels, new, old).ci_low)

    assert np.mean(np.array(lows) > 0) == pytest.approx(0.8, abs=0.03)


def test_readers_and_training_cases_are_in_the_power():
    """Two readers of each model, and a further variance that estimate and interval share."""
    correlation = np.full((4, 4), 0.6) + 0.4 * np.eye(4)
    correlation[[0, 2, 1, 3], [2, 0, 3, 1]] = 0.85
    areas, other = np.array([0.75, 0.8]), 0.02**2
    design = PairedDesign(
        n_mutant=40, n_wildtype=60, areas=areas, correlation=correlation, other_variance=other
    )
    gain = detectable_paired_gain(design, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    shown = 0
    for _ in range(2500):
        labels, scores = made_up(rng, 40, 60, [*areas, *(areas + gain)], correlation)
        found = auc_difference(labels, scores[2:], scores[:2])
        estimate = found.difference + np.sqrt(other) * rng.standard_normal()
        shown += estimate > stats.norm.ppf(0.975) * np.hypot(found.se_patients, np.sqrt(other))

    assert shown / 2500 == pytest.approx(0.8, abs=0.03)


def test_the_planner_names_the_same_gain():
    """One function: what was planned is what the verdict says of the same numbers."""
    study = StudyDesign(n_mutant=40, n_wildtype=60, auc=0.8, correlation=0.8)
    design = PairedDesign(
        n_mutant=40,
        n_wildtype=60,
        areas=np.array([0.8]),
        correlation=np.array([[1, 0.8], [0.8, 1]]),
    )
    gain = detectable_paired_gain(design, np.random.default_rng(5))

    assert detectable_auc(study).auc - 0.8 == pytest.approx(gain, abs=0.006)


def test_thirteen_patients_of_each_class_show_nothing_where_the_planner_says_none():
    """The interval that one study happened to have promised a gain of .084."""
    rng = np.random.default_rng(3)
    r = 0.78
    labels, (old, new) = made_up(rng, 13, 13, [0.93, 0.93], np.array([[1, r], [r, 1]]))

    assert np.isinf(detectable_paired_gain(measured_design(labels, new, old), rng))
    assert np.isnan(
        detectable_auc(StudyDesign(n_mutant=13, n_wildtype=13, auc=0.93, correlation=r)).auc
    )


def test_the_correlation_is_measured_by_ranks():
    """Probabilities are no normal scores; their ranks are, whatever the scale."""
    rng = np.random.default_rng(4)
    labels, (old, new) = made_up(rng, 800, 1200, [0.7, 0.85], np.array([[1, 0.8], [0.8, 1]]))
    design = measured_design(labels, 1 / (1 + np.exp(-3 * new)), np.exp(old))

    assert design.correlation[0, 1] == pytest.approx(0.8, abs=0.03)
    assert design.areas == pytest.approx([0.7], abs=0.03)


def test_scores_that_cannot_be_told_apart_name_no_gain():
    """Equal or constant scores say nothing of the variance that a gain would bring."""
    rng = np.random.default_rng(5)
    labels, (old, _) = made_up(rng, 20, 20, [0.8, 0.8], np.eye(2))

    assert np.isnan(detectable_paired_gain(measured_design(labels, old, old), rng))
    assert np.isnan(detectable_paired_gain(measured_design(labels, old, np.ones(40)), rng))
