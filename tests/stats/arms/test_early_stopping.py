"""Stopping depends on the two parts of the variance and on nothing else."""

import pytest

from idhray.stats.arms.early_stopping import may_stop
from idhray.stats.mrmc.contrast import contrast


@pytest.mark.parametrize(
    ("trainings", "patients", "folds", "repeats", "stop"),
    [
        (0.9e-5, 1e-4, 5, 3, True),
        (1.1e-5, 1e-4, 5, 3, False),
        (0.9e-5, 1e-4, 5, 2, False),
        (0.9e-5, 1e-4, 1, 4, False),
        (0.9e-5, 1e-4, 1, 5, True),
        (0.9e-5, -1e-4, 5, 3, False),
    ],
)
def test_repeats_end_when_trainings_add_under_a_tenth(trainings, patients, folds, repeats, stop):
    """Never before 5 repeats with one fold or 3 with more, and never by the difference."""
    for difference in (-0.2, 0.0, 0.2):
        test = contrast(difference, trainings, patients, folds=folds, repeats=repeats)

        assert may_stop([test]) is stop


def test_all_contrasts_of_the_claim_must_allow_it():
    """A control whose interval still narrows keeps the experiment going."""
    narrow = contrast(0.0, 1e-6, 1e-4, folds=5, repeats=3)
    wide = contrast(0.0, 1e-4, 1e-4, folds=5, repeats=3)

    assert may_stop([narrow, narrow])
    assert not may_stop([narrow, wide])
