"""The plan of an experiment: powers, the numbers needed, refusals, and its text."""

from dataclasses import replace

import pytest

from idhray.errors import ConfigError
from idhray.planning.experiment.design import ExperimentDesign
from idhray.planning.experiment.errors import ScoreModel
from idhray.planning.experiment.plan import experiment_plan
from idhray.planning.experiment.printing import experiment_summary, experiment_text
from idhray.planning.experiment.simulation import simulated_contrasts

MODEL = ScoreModel(auc=0.8, correlation=0.8, training_correlation=0.9, training_sd=0.15)
DESIGN = ExperimentDesign(n_mutant=31, n_wildtype=31, folds=5, repeats=3)


def test_patients_and_repeats_needed_give_the_planned_power():
    """Simulated anew with other random numbers, over all three contrasts; 4 points of power."""
    [column] = experiment_plan(DESIGN, {"one": MODEL}, gains=[0.1], studies=1000).columns
    [row] = column.gains
    larger = DESIGN.resized(row.patients_needed)
    [at_size] = simulated_contrasts(MODEL, larger, [0.1], studies=2000, seed=5)

    assert row.power_of_all < row.power < 0.9
    assert larger.patients == row.patients_needed
    assert at_size.power_of_all() == pytest.approx(0.8, abs=0.04)
    if row.repeats_needed is not None:
        repeated = replace(DESIGN, repeats=row.repeats_needed)
        [at_repeats] = simulated_contrasts(MODEL, repeated, [0.1], studies=2000, seed=5)
        assert at_repeats.power_of_all() >= 0.76


def test_the_detectable_gain_is_found_with_the_planned_power():
    """Simulated anew with other random numbers."""
    [column] = experiment_plan(DESIGN, {"one": MODEL}, gains=(), studies=2000).columns
    [simulated] = simulated_contrasts(MODEL, DESIGN, [column.detectable_gain], studies=2000, seed=7)
    [null] = simulated_contrasts(MODEL, DESIGN, [0.0], studies=2000, seed=7)

    assert simulated.power() == pytest.approx(0.8, abs=0.03)
    assert (null.margins() < column.detectable_margin).mean() == pytest.approx(0.8, abs=0.03)


def test_no_number_helps_where_the_luck_of_trainings_is_the_limit():
    """A gain of .02 with an SD of .5 in d' between trainings and K 1, R 5."""
    design = ExperimentDesign(n_mutant=200, n_wildtype=200, folds=1, repeats=5)
    model = replace(MODEL, training_sd=0.5)
    [column] = experiment_plan(design, {"one": model}, gains=[0.02]).columns

    assert column.gains[0].patients_needed is None
    assert not experiment_plan(design, {"one": model}, gains=()).simulated


def test_text_and_summary_name_the_design():
    """What a person reads."""
    plan = experiment_plan(DESIGN, {"r = 0.8": MODEL}, gains=[0.1], studies=200)
    text = experiment_text(plan)
    summary = experiment_summary(31, 31, folds=5, repeats=3)

    assert "62 patients (31 mutant, 31 wildtype)" in text
    assert "5 folds, 3 repeats" in text
    assert "over baseline, duplicate and more-real with power" in text
    assert "with 5 folds, 3 repeats and 80% power" in summary
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": 20}, "1 to 15 folds are possible"),
        ({"folds": 0}, "1 to 15 folds"),
        ({"repeats": 2}, "with 5 folds needs 3 or more"),
        ({"folds": 1, "repeats": 3}, "with 1 fold needs 5 or more"),
    ],
)
def test_designs_without_a_verdict_are_refused(change, message):
    """The number that is possible or needed stands in the message."""
    values = {"n_mutant": 31, "n_wildtype": 31, "folds": 5, "repeats": 3, **change}
    with pytest.raises(ConfigError, match=message):
        ExperimentDesign(**values)
