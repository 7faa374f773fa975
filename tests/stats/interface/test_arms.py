"""Arms of an experiment through the API: against MRMCaov, and broken tables."""

import numpy as np
import pandas as pd
import pytest

from idhray.errors import IdhrayError
from idhray.stats.api import arm_trend, compare_arms
from tests.stats.interface.test_api import arms_table

DESIGNS = ("one_split", "five_folds", "eight_folds_ties", "imbalanced")


@pytest.mark.parametrize("design", DESIGNS)
def test_arms_by_fold_are_mrmcaov(mrmc_reference, design):
    """MRMCaov 0.3.0 by fold, summed over folds. Case numbers begin anew in every fold."""
    table = mrmc_reference(f"{design}.csv")
    table["case"] = table["fold"].astype(str) + "-" + table["case"].astype(str)
    row = compare_arms(table, patient="case", label="truth").frame().iloc[0]
    answer = mrmc_reference("folds.json")[design]
    names = ["difference", "standard_error", "df", "t", "p_value", "lower", "upper"]

    assert row[["estimate", "se", "df", "t", "p", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [answer[name] for name in names], abs=1e-9, rel=1e-9
    )


def test_arms_are_compared_with_the_baseline():
    """One row per arm; the text has each of them."""
    answer = compare_arms(arms_table())

    assert answer.frame()["arm"].tolist() == ["synthetic:400", "synthetic:800"]
    assert list(answer.figures) == ["synthetic:400", "synthetic:800"]
    assert "synthetic:800 - real: " in answer.summary()
    assert len(compare_arms(arms_table(), arms=["synthetic:800"]).frame()) == 1


def test_a_trend_of_two_counts_is_their_difference():
    """The slope through two points is the difference over the distance."""
    table = arms_table()
    difference = compare_arms(table, arms=["synthetic:400"]).figures["synthetic:400"]
    trend = arm_trend(table, {"real": 0, "synthetic:400": 400}, per=400).figures

    assert (trend.difference, trend.se, trend.p) == pytest.approx(
        (difference.difference, difference.se, difference.p)
    )


def test_a_repeat_with_a_gap_is_left_out_and_counted():
    """Its arm is judged on the other repeats."""
    table = arms_table(repeats=4)
    gap = table["repeat"].eq(1) & table["arm"].eq("synthetic:400") & table["patient"].eq(5)
    answer = compare_arms(table[~gap])

    assert answer.frame()["repeats"].tolist() == [3, 4]
    assert "1 of 24 blocks" in answer.summary()


def test_few_repeats_describe_only():
    """The number needed is part of the message."""
    assert "a claim needs 3 or more" in compare_arms(arms_table(repeats=2)).summary()
    assert "no interval" in compare_arms(arms_table(repeats=1)).summary()


def test_a_table_without_folds_is_one_fold():
    """A single split is the common case."""
    answer = compare_arms(arms_table().drop(columns="fold"))

    assert answer.frame()["folds"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.drop(columns="arm"), "no column arm", id="column"),
        pytest.param(lambda t: pd.concat([t, t.iloc[:1]]), "repeated", id="twice"),
        pytest.param(lambda t: t.assign(p_mutant=np.nan), "p_mutant", id="NaN"),
        pytest.param(lambda t: t.assign(fold=t["repeat"]), "tested in two folds", id="folds"),
        pytest.param(lambda t: t[t["arm"] != "real"], "no predictions of arm 'real'", id="arm"),
        pytest.param(lambda t: t.assign(label="grade 3"), "write mutant or wildtype", id="label"),
        pytest.param(
            lambda t: t[t["label"].eq(0) | t["patient"].isin([1, 3, 5])],
            "needs 2 or more of each class",
            id="one mutant in a fold",
        ),
    ],
)
def test_broken_tables_are_refused(change, message):
    """Each message says what to change."""
    with pytest.raises(IdhrayError, match=message):
        compare_arms(change(arms_table()))


def test_a_trend_needs_two_counts():
    """One count has no slope."""
    with pytest.raises(IdhrayError, match="two or more different counts"):
        arm_trend(arms_table(), {"real": 0})
