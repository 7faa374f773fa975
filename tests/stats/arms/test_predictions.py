"""Predictions of any program: names of columns, refusals, and blocks that are left out."""

import numpy as np
import pandas as pd
import pytest

from idhray.errors import ConfigError, LeakageError, TableError
from idhray.stats.arms.columns import prediction_rows
from idhray.stats.arms.predictions import arm_predictions
from idhray.stats.sample import SampleError

ARMS = {"real": 0.0, "synthetic:60": 0.1, "duplicate:60": 0.0}


def test_words_and_other_column_names_mean_the_same(experiment):
    """Other programs write `case` and `truth`, words, and one split without a fold."""
    rows = experiment(ARMS, folds=1)
    words = rows.rename(columns={"patient": "case", "label": "truth"}).drop(columns="fold")
    words["truth"] = words["truth"].map({1: "Mutant", 0: "wildtype"})

    by_number, by_word = arm_predictions(rows), arm_predictions(words.astype(str))
    assert by_number.folds[0].patients == by_word.folds[0].patients
    assert by_number.folds[0].labels.tolist() == by_word.folds[0].labels.tolist()
    assert np.allclose(by_number.scores("real", (1, 2, 3))[0], by_word.scores("real", (1, 2, 3))[0])


def test_a_table_without_arms_takes_them_from_its_counts(experiment):
    """Sweeps that were run before arms had names stay readable."""
    rows = experiment(ARMS, folds=1)
    rows["n_synthetic"] = rows["arm"].map({"real": 0, "synthetic:60": 60, "duplicate:60": 120})

    assert arm_predictions(rows.drop(columns="arm")).arms == (
        "real",
        "synthetic:120",
        "synthetic:60",
    )


def test_an_incomplete_block_is_left_out_and_counted(experiment):
    """One lost prediction must not remove a patient from all arms, nor pass unsaid."""
    rows = experiment(ARMS)
    lost = (rows["arm"] == "real") & (rows["repeat"] == 2) & (rows["patient"] == "P004")
    absent = (rows["arm"] == "duplicate:60") & (rows["repeat"] == 3) & (rows["fold"] == 1)
    predictions = arm_predictions(rows[~lost & ~absent])

    assert len(predictions.dropped) == 2
    assert predictions.complete_repeats(["real", "synthetic:60"]) == (1, 3)
    assert predictions.complete_repeats(["real", "duplicate:60"]) == (1,)
    assert predictions.complete_repeats(["synthetic:60"]) == (1, 2, 3)
    assert "2 of 27 blocks" in predictions.dropped_sentence()
    assert "no prediction of P004" in predictions.dropped_sentence()
    assert sum(len(fold.patients) for fold in predictions.folds) == 60


def test_a_patient_may_be_validated_in_one_fold_and_tested_in_another(experiment):
    """Cross-validation does this; only two splits of one fold are a leak."""
    rows = experiment(ARMS)
    val = rows[rows["fold"] == 1].assign(fold=2, split="val")
    both = pd.concat([rows.assign(split="test"), val])

    assert len(arm_predictions(both).folds) == 3
    with pytest.raises(LeakageError, match="two splits of one fold: P000"):
        arm_predictions(pd.concat([both, val.assign(fold=1)]))


def test_all_problems_are_named_at_once(experiment):
    """One run per problem would cost an afternoon."""
    rows = experiment(ARMS)
    rows.loc[2, "p_mutant"] = np.nan
    rows.loc[3, "p_mutant"] = 1.5
    rows.loc[rows["patient"] == "P007", "label"] = [0, 1] * 4 + [0]
    twice = rows[(rows["fold"] == 1) & (rows["patient"] == "P000")].assign(fold=2)

    with pytest.raises(TableError) as error:
        prediction_rows(pd.concat([rows, twice, rows.tail(2)]))
    for part in (
        "2 values of p_mutant",
        "two labels: P007",
        "tested in two folds: P000",
        "2 rows are repeated",
    ):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arm": None}, r"no column arm"),
        ({"patient": None}, r"no column patient \(or case\)"),
        ({"label": "IDH-mut"}, "label must be mutant, wildtype"),
        ({"split": "holdout"}, "split must be test"),
        ({"repeat": "first"}, "values of repeat are no whole numbers"),
    ],
)
def test_columns_of_another_kind_are_refused(experiment, change, message):
    """A guess here would be a wrong figure later."""
    rows = experiment(ARMS)
    for name, value in change.items():
        rows = rows.drop(columns=name) if value is None else rows.assign(**{name: value})

    with pytest.raises(TableError, match=message):
        arm_predictions(rows)


def test_a_fold_without_a_class_and_two_models_are_refused(experiment):
    """Neither has an area, and two classifiers are not repeats of one."""
    rows = experiment(ARMS)
    one_class = rows[(rows["fold"] != 2) | (rows["label"] == 1)]

    with pytest.raises(SampleError, match="fold 2: 10 mutant and 0 wildtype"):
        arm_predictions(one_class)
    two = pd.concat([rows.assign(model="a"), rows.assign(model="b")])
    with pytest.raises(ConfigError, match="2 models: a, b"):
        arm_predictions(two)
    assert arm_predictions(two, model="b").arms == tuple(sorted(ARMS))


def test_patients_without_a_label_are_in_no_figure(experiment):
    """An unknown status is no wildtype."""
    rows = experiment(ARMS)
    rows["label"] = rows["label"].astype(object)
    rows.loc[rows["patient"] == "P001", "label"] = ""
    predictions = arm_predictions(rows)

    assert predictions.unlabeled == ("P001",)
    assert "P001" not in predictions.patient_labels().index
