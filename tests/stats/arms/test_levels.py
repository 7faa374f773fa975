"""Simulated experiments through the decision code: the benchmark's machinery, on few studies.

The bars themselves are asserted in `test_levels_slow.py`.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.levels import binormal
from benchmarks.levels.cells import (
    PER_FOLD,
    SHARED,
    Cell,
    all_cells,
    allowed,
    designs,
    retrained_cells,
)
from benchmarks.levels.results import above_bars, summary
from benchmarks.levels.studies import answers
from idhray.stats.roc.delong import components

CELL = Cell(patients=62, folds=5, repeats=3, training_sd=0.25, generator_sd=0.1)


def test_the_grid_has_no_forbidden_and_no_duplicate_cell():
    """One split needs five repeats; 34 patients in 8 folds have 2 of a class in each."""
    cells = list(designs())
    keys = [cell.key for cell in all_cells()]

    assert len(cells) == len(set(cells)) == 928
    assert len(keys) == len(set(keys))
    assert not [cell for cell in cells if cell.folds == 1 and cell.repeats == 3]
    assert not [cell for cell in cells if cell.generators == SHARED and not cell.generator_sd]
    assert not allowed(Cell(patients=30, folds=8, repeats=5))
    assert len(list(retrained_cells())) == 40


@pytest.mark.parametrize("generators", ["per fold and repeat", PER_FOLD, SHARED])
def test_made_up_areas_have_the_true_mean(generators):
    """The luck of trainings and generators changes areas and not their mean: no effect is none."""
    cell = replace(
        CELL, patients=400, training_sd=0.5, generator_sd=0.5, generators=generators, gain=0.05
    )
    folds, truth = binormal.sample(cell, 300, np.random.default_rng(0))
    areas = []
    for fold in folds:
        of_mutants, _ = components(fold.labels, fold.test.reshape(-1, fold.test.shape[-1]))
        areas.append(of_mutants.mean(axis=1).reshape(fold.test.shape[:3]))
    means = np.mean(areas, axis=(0, 1, 3))  # of both arms

    assert means[0] == pytest.approx(cell.auc, abs=0.006)
    assert means[1] - means[0] == pytest.approx(truth.mean(), abs=0.012)
    assert generators == SHARED or (truth == 0.05).all()


def test_a_clear_gain_helps_and_rivals_as_good_refuse_it():
    """The same gain with rivals far below, and with rivals that are equal."""
    cell = replace(CELL, patients=200, gain=0.12, training_sd=0.05)
    alone = answers(cell, 60)
    rivals = answers(replace(cell, rivals="equal"), 60)

    assert alone.helps.mean() > 0.9
    assert rivals.helps.mean() < 0.1
    assert (rivals.ci_low > 0).mean() > 0.9


def test_a_count_chosen_by_the_judged_trainings_looks_better_than_it_is():
    """Five counts without effect; the other repeats choose without this bias."""
    cell = replace(CELL, patients=200, training_sd=0.5, generator_sd=0.0, counts=5)
    wrong = answers(replace(cell, selection="same trainings"), 150).difference.mean()
    right = answers(replace(cell, selection="other repeats"), 150).difference.mean()

    assert wrong > 0.015
    assert abs(right) < 0.015


def test_stopping_uses_fewer_repeats_and_still_answers():
    """Trainings that agree end early, by the widths alone, and the answer is a verdict."""
    cell = replace(
        CELL,
        repeats=8,
        training_sd=0.0,
        generator_sd=0.0,
        same_arm=0.99,
        other_arm=0.5,
        stopping=True,
    )
    stopped = answers(cell, 40)

    assert stopped.repeats.min() >= 3
    assert stopped.repeats.mean() < 7
    assert not stopped.no_verdict.any()


def test_one_seed_gives_the_same_studies():
    """A cell can be run again."""
    cell = next(iter(retrained_cells()))
    first, second = answers(cell, 3), answers(cell, 3)

    np.testing.assert_array_equal(first.difference, second.difference)


def test_rows_above_a_bar_are_named():
    """A rate of 5 % wrong answers in 2000 studies is above 2.5 % and three errors."""
    row = summary(CELL, answers(CELL, 40))
    rows = pd.DataFrame(
        [
            {
                **row,
                "studies": 2000,
                "helps_wrongly": 0.025,
                "above_truth": 0.025,
                "coverage": 0.95,
            },
            {**row, "studies": 2000, "helps_wrongly": 0.05, "above_truth": 0.05, "coverage": 0.9},
        ]
    )
    broken = above_bars(rows)

    assert list(broken["bars"]) == ["helps"]  # folds of six of a class have no bar of coverage
