"""All tables of an experiment together: what decides, what only describes, and the files."""

import json

import numpy as np
import pandas as pd
import pytest

from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.tables import experiment_files, experiment_tables

ARMS = {"real": 0.0, "synthetic:60": 0.6, "synthetic:30": 0.3, "duplicate:60": 0.0}
RULE = DecisionRule(
    primary="synthetic:60",
    controls=("duplicate:60",),
    absent_controls={"more-real:60": "all images are in use"},
    generators="per fold and repeat",
)


@pytest.fixture(scope="module")
def rows(experiment):
    """Rows of four arms and five repeats."""
    return experiment(ARMS, repeats=5)


def test_later_repeats_do_not_move_the_planned_verdict(rows):
    """They give a second, descriptive estimate."""
    planned = DecisionRule(**{**vars(RULE), "planned_repeats": 3})
    three = experiment_tables(rows[rows["repeat"] <= 3], None, RULE)
    five = experiment_tables(rows, None, planned)

    assert five.verdict.difference == three.verdict.difference
    assert five.verdict.text == three.verdict.text
    assert any("2 repeats came after the 3 planned ones" in note for note in five.notes)


def test_an_incomplete_block_is_in_the_notes_and_not_in_the_arms_row(rows):
    """Its repeat is not judged; the other arms keep theirs."""
    lost = (rows["arm"] == "real") & (rows["repeat"] == 5) & (rows["patient"] == "P000")
    tables = experiment_tables(rows[~lost], None, RULE)

    assert tables.verdict.repeats == 4
    assert tables.arms.set_index("arm")["repeats"].to_dict() == {
        "real": 4,
        "synthetic:60": 5,
        "synthetic:30": 5,
        "duplicate:60": 5,
    }
    assert any("1 of 60 blocks" in note for note in tables.notes)


def test_an_arm_without_a_complete_repeat_is_left_out_of_all_contrasts(rows):
    """The control could not be judged, and the answer is not help."""
    lost = (rows["arm"] == "duplicate:60") & (rows["patient"] == "P000")
    tables = experiment_tables(rows[~lost], None, RULE)

    assert "duplicate:60" not in set(tables.contrasts["baseline"])
    assert tables.verdict.answer != "helps"
    assert "duplicate:60 could not be judged" in tables.verdict.text


def test_files_hold_the_tables_and_valid_json(rows):
    """NaN is null, and contrasts.csv starts with the columns that scripts read."""
    files = experiment_files(experiment_tables(rows, None, RULE))
    contents = json.loads(files["statistics.json"])
    header = files["contrasts.csv"].decode().splitlines()[0]

    assert header.startswith("arm,baseline,estimate,se,df,t,p,ci_low,ci_high,")
    assert contents["verdict"]["answer"] == "helps"
    assert contents["trend"]["counts"] == [0, 30, 60]
    assert b"NaN" not in files["statistics.json"]


def test_trials_carry_what_they_cost_and_their_generator(rows):
    """One tidy table of trainings."""
    costs = rows.drop_duplicates(["fold", "repeat", "arm"])[["fold", "repeat", "arm"]]
    costs = costs.assign(gpu_seconds=np.arange(len(costs)), steps=10)
    named = rows.assign(generator=np.where(rows["arm"] == "real", "", "gan"))
    trials = experiment_tables(named, None, RULE, trials=costs).trials

    assert len(trials) == 60
    assert set(trials["gpu_seconds"]) == set(range(60))
    assert set(trials.loc[trials["arm"] == "synthetic:60", "generator"]) == {"gan"}


def test_the_trainings_behind_an_arm_average_to_its_row(rows):
    """Means over folds and repeats, by a plain group."""
    tables = experiment_tables(rows, None, RULE)
    means = tables.trials.groupby("arm")[["auc", "accuracy", "sensitivity", "auprc"]].mean()

    pd.testing.assert_frame_equal(
        tables.arms.set_index("arm")[list(means.columns)].sort_index(), means, check_names=False
    )
