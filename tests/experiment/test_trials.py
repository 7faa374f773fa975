"""Trials and the generators that serve them."""

import pytest

from idhray.errors import ConfigError
from idhray.experiment.trials import generators_of_trial, planned_trials

BY_CLASS = {"wildtype": ["w1", "w2", "w3"], "mutant": ["m1", "m2", "m3"]}


def test_trials_come_in_complete_blocks():
    """An experiment that ends early has whole repeats, which are what is judged."""
    trials = planned_trials([1, 2], [1, 2], ["real", "synthetic:4"], ["network"])

    assert [t.name for t in trials[:4]] == [
        "fold=1 repeat=1 arm=real",
        "fold=1 repeat=1 arm=synthetic:4",
        "fold=2 repeat=1 arm=real",
        "fold=2 repeat=1 arm=synthetic:4",
    ]
    assert {t.repeat for t in trials[4:]} == {2}


def test_each_repeat_has_its_own_generators():
    """A repeat is a whole training; one lucky generator must not serve them all."""
    chosen = [
        generators_of_trial(BY_CLASS, fold=1, repeat=r, repeats=3, scope="per fold and repeat")
        for r in (1, 2, 3)
    ]

    assert chosen == [("w1", "m1"), ("w2", "m2"), ("w3", "m3")]


def test_too_few_generators_are_refused_with_the_number_that_is_needed():
    """A generator used twice would be counted as two trainings."""
    with pytest.raises(ConfigError, match=r"3 wildtype generators .* 5 repeats needs 5"):
        generators_of_trial(BY_CLASS, fold=1, repeat=1, repeats=5, scope="per fold and repeat")


def test_one_generator_may_serve_a_fold_where_the_protocol_says_so():
    """The sentence is then about these images only."""
    chosen = generators_of_trial(BY_CLASS, fold=1, repeat=3, repeats=5, scope="per fold")

    assert chosen == ("w1", "m1")
