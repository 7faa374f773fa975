"""Areas within strata: pairs of one fold, dashes for few patients, and the jackknife."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.arms.predictors import FoldCohort, PredictorScores
from idhray.stats.arms.printed import shown_strata
from idhray.stats.arms.strata import pair_area, strata_table
from idhray.stats.roc.area import auc_with_ci
from idhray.stats.sample import Scored


def made_up(seed=0, folds=3, size=24, shift=0.0):
    """Labels, scores that shift from fold to fold, and grades."""
    rng = np.random.default_rng(seed)
    labels = [np.arange(size) % 2 for _ in range(folds)]
    scores = [y * 0.8 + rng.normal(size=(2, size)) + shift * k for k, y in enumerate(labels)]
    grades = [np.where(rng.random(size) < 0.5, "2", "3") for _ in range(folds)]
    tested = tuple(
        pd.DataFrame({"grade": g, "site": "A", "sex": "", "age": np.arange(size) + 40.0})
        for g in grades
    )
    people = FoldCohort(training=(), tested=tested, ages=pd.Series(dtype=float))
    image = PredictorScores(predictor="image", arm="real", scores=tuple(scores), fitted_on="")
    return labels, image, people, grades


def test_the_area_is_the_share_of_right_pairs_within_folds():
    """A plain loop over pairs and repeats."""
    labels, image, people, grades = made_up()
    table = strata_table([image], labels, people, age_split_years=50)
    row = table[(table["stratum"] == "grade") & (table["level"] == "3")].iloc[0]
    right = pairs = 0
    for y, s, g in zip(labels, image.scores, grades, strict=True):
        for i in np.flatnonzero((y == 1) & (g == "3")):
            for j in np.flatnonzero((y == 0) & (g == "3")):
                pairs += 1
                right += np.mean(s[:, i] > s[:, j])

    assert row["pairs"] == pairs
    assert row["auc"] == pytest.approx(right / pairs)
    assert set(table["stratum"]) == {"grade", "age"}


def test_scores_on_another_scale_in_each_fold_change_nothing():
    """Models of different folds are not on one scale."""
    same, shifted = made_up(), made_up(shift=7.0)
    first, second = (
        strata_table([image], labels, people, age_split_years=50)
        for labels, image, people, _ in (same, shifted)
    )

    pd.testing.assert_frame_equal(first, second)


def test_a_class_with_fewer_than_five_patients_has_a_dash():
    """Five are few enough."""
    labels, image, people, _ = made_up(size=8)
    table = strata_table([image], labels, people, age_split_years=42).set_index("level")

    assert table.loc["< 42", "n_mutant"] == 3
    assert np.isnan(table.loc["< 42", ["auc", "auc_low", "auprc"]].astype(float)).all()
    assert np.isfinite(float(table.loc[">= 42", "auc"]))


def test_the_jackknife_interval_is_near_delongs_with_one_fold():
    """Both estimate the same variance; they differ by terms of 1 / n."""
    rng = np.random.default_rng(4)
    labels = np.arange(80) % 2
    scores = labels + rng.normal(size=80)
    right = (scores[labels == 1, None] > scores[None, labels == 0]).astype(float)
    area, low, high = pair_area([right])
    delong = auc_with_ci(Scored(labels, scores))

    assert area == pytest.approx(delong.auc)
    assert high - low == pytest.approx(delong.ci_high - delong.ci_low, rel=0.03)


def test_folds_without_a_pair_have_no_area():
    """Both classes exist, but never in one fold."""
    assert np.isnan(pair_area([np.zeros((0, 3)), np.zeros((4, 0))])).all()


def test_levels_without_an_area_are_one_row():
    """Twelve small sites were twelve rows of dashes."""
    people = {"pairs": 20, "n_mutant": 6, "n_wildtype": 6, "fitted_here": False, "auprc": 0.7}
    small = {**people, "pairs": 3, "n_mutant": 3, "n_wildtype": 1, "auprc": np.nan}
    rows = [
        {"stratum": "site", "level": level, "predictor": name, "arm": "real", "auc": area, **values}
        for level, area, values in (
            ("A", np.nan, small),
            ("B", 0.7, people),
            ("C", np.nan, small),
        )
        for name in ("age", "image")
    ]
    rows += [{**row, "stratum": "grade", "level": "3"} for row in rows[:2]]

    shown = shown_strata(pd.DataFrame(rows))

    assert shown[["stratum", "level", "predictor", "n_mutant"]].to_numpy().tolist() == [
        ["site", "B", "age", 6],
        ["site", "B", "image", 6],
        ["site", "(2 with too few patients of a class)", "-", 6],
        ["grade", "3", "-", 3],
    ]
