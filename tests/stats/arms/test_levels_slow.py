"""Level, coverage and power of the verdict, simulated: the bars of the benchmark on few cells.

`python -m benchmarks.experiment_levels` runs the whole grid. A bar stands with three Monte Carlo
errors. A cell has one seed, so each test passes or fails the same way on every machine.
"""

from dataclasses import replace

import pandas as pd
import pytest

from benchmarks.levels.cells import (
    BINORMAL_AUC,
    PER_FOLD,
    SHARED,
    Cell,
    power_cells,
    retrained_cells,
    stopping_cells,
)
from benchmarks.levels.results import above_bars, summary
from benchmarks.levels.studies import answers
from idhray.planning.experiment.design import ExperimentDesign
from idhray.planning.experiment.errors import ScoreModel
from idhray.planning.experiment.simulation import simulated_contrasts

pytestmark = pytest.mark.slow

WORST = {"training_sd": 0.5, "generator_sd": 0.25}
STUDIES = 2000


def broken(cells: list[Cell], studies: int = STUDIES) -> list[str]:
    """The cells that break a bar, with the bar's name."""
    rows = pd.DataFrame([summary(cell, answers(cell, studies)) for cell in cells])
    return [f"{row['key']}: {row['bars']}" for _, row in above_bars(rows).iterrows()]


def test_helps_keeps_its_level_and_intervals_cover():
    """The largest luck of trainings and generators, every design and sharing of generators."""
    cells = [
        Cell(patients=patients, folds=folds, repeats=repeats, generators=generators, **WORST)
        for patients, folds, repeats in ((400, 1, 5), (400, 5, 3), (62, 5, 5), (34, 8, 3))
        for generators in ("per fold and repeat", PER_FOLD, SHARED)
        if not (folds == 1 and generators == PER_FOLD)
    ]
    cells += [Cell(patients=200, folds=5, repeats=3), Cell(patients=34, folds=1, repeats=5)]

    assert broken(cells) == []


def test_rivals_as_good_and_rivals_without_effect_keep_the_level():
    """No effect at all, and an effect that duplicates and further real images have too."""
    for rivals, gain in (("no effect", 0.0), ("equal", 0.08)):
        for design in ((62, 5, 5), (200, 5, 3)):
            patients, folds, repeats = design
            cell = Cell(
                patients=patients, folds=folds, repeats=repeats, rivals=rivals, gain=gain, **WORST
            )
            rate = answers(cell, STUDIES).helps.mean()

            assert rate <= 0.025 + 3 * (0.025 * 0.975 / STUDIES) ** 0.5, cell.key


def test_less_than_the_margin_is_rarely_said_of_the_margin():
    """The true difference is the margin; 5 % of studies may call it less."""
    cells = [
        Cell(patients=400, folds=5, repeats=5, gain=sign * margin, margin=margin)
        for margin in (0.02, 0.05)
        for sign in (-1, 1)
    ]

    assert broken(cells) == []


def test_stopping_by_widths_keeps_the_level():
    """Ten repeats or fewer, where trainings agree so well that many studies stop."""
    cells = [cell for cell in stopping_cells() if cell.patients == 200 and not cell.training_sd]

    assert cells
    assert broken(cells, 1000) == []


def test_fresh_trainings_and_other_repeats_keep_the_level_and_the_same_do_not():
    """Five counts, and an SD of .25 between trainings."""
    cell = Cell(
        patients=200,
        folds=5,
        repeats=5,
        training_sd=0.25,
        generator_sd=0.1,
        counts=5,
        selection="fresh",
    )

    assert broken([cell]) == []
    assert answers(replace(cell, selection="other repeats"), STUDIES).helps.mean() < 0.05
    assert answers(replace(cell, selection="same trainings"), STUDIES).helps.mean() > 0.05


def test_retrained_classifiers_that_share_patients_keep_the_level():
    """Each fold's trainings share most of their patients with those of the other folds."""
    cells = [
        cell
        for cell in retrained_cells()
        if cell.question == "retrained level" and (cell.patients, cell.repeats) == (200, 3)
    ]

    assert len(cells) == 4
    assert broken(cells, 1000) == []


@pytest.mark.parametrize(
    ("design", "share", "generator_sd", "power"),
    [
        pytest.param((200, 5, 3), 0.7, 0.12, 0.21, id="gain .023"),
        pytest.param((200, 5, 3), 0.9, 0.0, 0.47, id="gain .031"),
        pytest.param((200, 5, 3), 0.9, 0.12, 0.35, id="gain .030"),
    ],
)
def test_power_is_that_of_trainings_as_readers_by_fold(design, share, generator_sd, power):
    """Simulated elsewhere, to 1.5 points; 1000 studies err by 1.6 more."""
    cell = Cell(
        world="retrained",
        patients=design[0],
        folds=design[1],
        repeats=design[2],
        baseline_share=0.4,
        primary_share=share,
        generator_sd=generator_sd,
    )
    result = answers(cell, 1000)
    claims = ((result.ci_low > 0) | (result.ci_high < 0)).mean()

    assert claims == pytest.approx(power, abs=0.03 + 3 * 0.016)


def test_the_plan_gives_the_power_of_simulated_studies():
    """3 points: the planner's simulation and the decision code on other random numbers."""
    for cell in power_cells():
        if cell.patients > 200:
            continue
        mutants = round(cell.patients * cell.mutant_share)
        design = ExperimentDesign(
            n_mutant=mutants,
            n_wildtype=cell.patients - mutants,
            folds=cell.folds,
            repeats=cell.repeats,
        )
        model = ScoreModel(
            auc=BINORMAL_AUC,
            correlation=cell.other_arm,
            training_correlation=cell.same_arm,
            training_sd=cell.training_sd,
            generator_sd=cell.generator_sd,
        )
        [planned] = simulated_contrasts(model, design, [cell.gain], studies=4000)
        power = planned.power() if cell.rivals == "far below" else planned.power_of_all()

        # Both are simulated: 2000 and 4000 studies err by 1.4 points together.
        assert answers(cell, STUDIES).helps.mean() == pytest.approx(power, abs=0.045), cell.key
