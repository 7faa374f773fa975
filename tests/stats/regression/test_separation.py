"""Separation of the classes: found whatever the scale, and named by its cause."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.regression.design import Covariate, Factor, fitting_design
from idhray.stats.regression.separation import infinite_estimates, is_separated, separation

MARGIN = Factor(name="margin", levels=("indistinct", "clear"))
AGE = Covariate(name="age")


def designed(predictors, **columns):
    return fitting_design(pd.DataFrame(columns), predictors)


def park_validation():
    """Margin in Park 2021, table 1, validation: clear in 6 of 11 mutants and 0 of 33 wildtypes."""
    labels = np.array([1] * 11 + [0] * 33)
    margin = ["clear"] * 6 + ["indistinct"] * 38
    age = np.random.default_rng(0).permutation(np.linspace(30, 80, 44))
    return labels, designed([MARGIN, AGE], margin=margin, age=age)


def test_the_finding_of_mutants_only_is_blamed_and_not_the_age_beside_it():
    """R's glm prints 20.45 with a standard error of 2,663 here, and no warning."""
    labels, design = park_validation()
    found = separation(design, labels)

    assert found.kind == "quasi-complete"
    assert found.columns == ("margin: clear, not indistinct",)
    assert found.notes == ("margin: all 6 patients with clear are mutant.",)


def test_one_patient_on_the_other_side_ends_the_separation():
    """A single wildtype with a clear margin makes the estimate finite."""
    labels, design = park_validation()
    before = is_separated(design.matrix, labels)
    labels[0] = 0

    assert before
    assert not is_separated(design.matrix, labels)
    assert separation(design, labels) is None


def test_a_reference_level_of_one_class_is_said():
    """All levels are then compared with a level of infinite odds."""
    factor = Factor(name="place", levels=("other", "frontal", "thalamus"))
    place = ["other"] * 3 + ["frontal", "thalamus"] * 4
    found = separation(designed([factor], place=place), np.array([0] * 3 + [0, 0, 1, 1] * 2))

    assert found.columns == ("place: frontal, not other", "place: thalamus, not other")
    assert found.notes == ("place: all 3 patients with other are wildtype.",)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e9])
@pytest.mark.parametrize("shift", [0, 1000])
def test_a_number_that_separates_completely_is_found_on_any_scale(scale, shift):
    """The linear program's tolerance of 1e-4 would miss a coefficient on a large scale."""
    age = (np.arange(20.0) + shift) * scale
    noise = np.random.default_rng(1).normal(size=20)
    labels = (np.arange(20) >= 8).astype(int)
    found = separation(designed([AGE, Covariate(name="noise")], age=age, noise=noise), labels)

    assert (found.kind, found.columns) == ("complete", ("age",))


def test_a_number_that_meets_at_its_border_separates_quasi_completely():
    """Both classes at 10 and nowhere else together."""
    age = [1, 4, 7, 10, 10, 13, 16]
    found = separation(designed([AGE], age=age), np.array([0, 0, 0, 0, 1, 1, 1]))

    assert found.kind == "quasi-complete"


def test_two_predictors_may_separate_only_together():
    """Mutant where one outweighs the other: neither alone tells the classes apart."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 30))
    predictors = [Covariate(name="a"), Covariate(name="b")]
    labels = (a > b).astype(int)
    found = separation(designed(predictors, a=a, b=b), labels)

    assert (found.kind, found.columns) == ("complete", ("a", "b"))
    for name in "ab":
        alone = designed([Covariate(name=name)], **{name: {"a": a, "b": b}[name]})
        assert not infinite_estimates(alone.matrix, labels).any()


def test_overlapping_classes_are_not_separated():
    """Nor is a model with the intercept alone."""
    rng = np.random.default_rng(3)
    labels = np.array([0, 1] * 20)

    assert separation(designed([AGE], age=rng.normal(size=40)), labels) is None
    assert separation(fitting_design(pd.DataFrame(index=range(40)), []), labels) is None
