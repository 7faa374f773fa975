"""Errors by age group: the counts of Liu 2020, table 4, and patients without an age."""

import numpy as np
import pytest

from idhray.stats.age_groups import UNKNOWN, age_groups, errors_by_age
from idhray.stats.sample import SampleError


def test_counts_of_liu_2020_table_4():
    """By age alone: under 55, 3 of 28 mutants and 11 of 16 wildtypes wrong; from 55 on, 8 and 0."""
    truth = [1] * 28 + [0] * 16 + [1] * 8 + [0] * 16
    called = [0] * 3 + [1] * 25 + [1] * 11 + [0] * 5 + [0] * 24
    young, old = errors_by_age(truth, called, [54.9] * 44 + [55] * 24)

    assert (young.name, young.n_mutant, young.n_wildtype) == ("< 55", 28, 16)
    assert (young.errors_mutant, young.errors_wildtype) == (3, 11)
    assert (old.errors_mutant, old.errors_wildtype) == (8, 0)
    assert young.accuracy.value == pytest.approx(30 / 44)
    assert old.accuracy.value == pytest.approx(16 / 24)


def test_patients_without_an_age_are_a_group_of_their_own():
    """Nobody is dropped."""
    groups = age_groups([40, np.nan, 60, 55], 50)
    counted = errors_by_age([1, 0, 0, 0], [0.5, 0.6, 0.4, 0.2], [40, np.nan, 60, 55])

    assert {name: own.tolist() for name, own in groups.items()} == {
        "< 50": [True, False, False, False],
        ">= 50": [False, False, True, True],
        UNKNOWN: [False, True, False, False],
    }
    assert [one.errors_wildtype for one in counted] == [0, 0, 1]
    assert sum(one.n_mutant + one.n_wildtype for one in counted) == 4


def test_an_empty_group_has_no_accuracy():
    """None, not NaN; its counts are 0."""
    old = errors_by_age([1, 0], [0.9, 0.1], [30, 40])[1]

    assert old.accuracy is None
    assert (old.n_mutant, old.n_wildtype) == (0, 0)


@pytest.mark.parametrize(
    ("scores", "age", "message"),
    [
        pytest.param([0.5], [30, 40], "2 labels", id="scores"),
        pytest.param([0.5, 0.5], [30], "2 labels, but 1 ages", id="ages"),
        pytest.param([0.5, np.nan], [30, 40], "NaN", id="missing score"),
        pytest.param([[0.5, 0.4], [0.1, 0.2]], [30, 40], "average the repeats", id="repeats"),
        pytest.param([0.5, 0.4], [[30, 40]], "one row of numbers", id="table"),
    ],
)
def test_bad_input_is_refused(scores, age, message):
    """One line that says what was found."""
    with pytest.raises(SampleError, match=message):
        errors_by_age([1, 0], scores, age)
