"""Columns of the CSV files: each figure is the one of its own module, under a name that says so."""

from itertools import pairwise

import numpy as np
import pytest

from idhray.stats.columns import (
    area_columns,
    calibration_columns,
    decision_rows,
    predictive_columns,
    reliability_rows,
)
from idhray.stats.probabilities.reliability import hosmer_lemeshow
from idhray.stats.roc.intervals import exact_auc_interval, hanley_mcneil_interval
from idhray.stats.sample import Scored

LABELS = np.array([1] * 20 + [0] * 40)
P = np.concatenate([np.linspace(0.2, 0.9, 20), np.linspace(0.05, 0.7, 40)])


def test_predictive_values_are_shares_of_those_who_are_called():
    """15 of 20 mutants and 10 of 40 wildtypes called: PPV 15/25, NPV 30/35, LR+ 3, LR- 1/3."""
    p = np.array([0.9] * 15 + [0.1] * 5 + [0.9] * 10 + [0.1] * 30)
    found = predictive_columns(Scored(LABELS, p), 0.5)

    assert found["ppv"] == pytest.approx(15 / 25)
    assert found["npv"] == pytest.approx(30 / 35)
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert (found["lr_positive"], found["lr_negative"]) == pytest.approx((3, 1 / 3))
    assert found["ppv_exact_low"] < found["ppv_low"] < found["ppv"] < found["ppv_high"]


def test_what_does_not_exist_is_nan_with_a_note():
    """Nobody is called mutant: there is no PPV."""
    found = predictive_columns(Scored(LABELS, P * 0), 0.5)

    assert np.isnan(found["ppv"])
    assert "Nobody is called mutant" in found["predictive_notes"]


def test_intervals_of_the_area_are_those_of_their_names():
    """Hanley and McNeil's, cut at 1, and the exact binomial one."""
    found = area_columns(Scored(LABELS, LABELS + P))

    low, high = hanley_mcneil_interval(1.0, 20, 40)
    assert (low, high) == (1.0, 1.0)
    assert (found["auc_hanley_mcneil_low"], found["auc_hanley_mcneil_high"]) == (low, high)
    assert found["auc_exact_low"] == pytest.approx(exact_auc_interval(1.0, 60)[0])


def test_calibration_is_that_of_new_patients():
    """Nothing was fitted to them, so Hosmer and Lemeshow's df is the number of groups."""
    found = calibration_columns(Scored(LABELS, P))
    hosmer = hosmer_lemeshow(Scored(LABELS, P))

    assert (found["hosmer_lemeshow_p"], found["hosmer_lemeshow_df"]) == (hosmer.p, hosmer.df)
    assert found["brier"] == pytest.approx(np.square(LABELS - P).mean())


def test_rows_cover_all_thresholds_and_all_patients():
    """19 thresholds; every patient in one group, the expected shares rising."""
    groups = reliability_rows(Scored(LABELS, P))

    assert [row["threshold"] for row in decision_rows(Scored(LABELS, P))][::9] == [0.05, 0.5, 0.95]
    assert sum(row["n"] for row in groups) == 60
    assert sum(row["mutant"] for row in groups) == 20
    assert all(a["expected"] < b["expected"] for a, b in pairwise(groups))
