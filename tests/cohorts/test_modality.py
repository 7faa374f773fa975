"""Rows of a manifest that one modality uses, and their split."""

import logging

from idhray.cohorts.modality import with_split_if_enough
from tests.cohorts.made_cohort import made_patients


def test_a_cohort_too_small_for_a_split_keeps_an_empty_one(caplog):
    """To try one slide is the first thing that a user does."""
    with caplog.at_level(logging.WARNING):
        cohort = with_split_if_enough(made_patients(2, 1), 0, "m.csv")

    assert set(cohort["split"]) == {""}
    assert "m.csv: 2 mutant and 1 wildtype patients are too few for a split" in caplog.text


def test_a_larger_cohort_is_split(caplog):
    """Three patients of a label fill three sets."""
    cohort = with_split_if_enough(made_patients(3, 8), 0, "m.csv")

    assert set(cohort["split"]) == {"train", "val", "test"}
    assert caplog.text == ""
