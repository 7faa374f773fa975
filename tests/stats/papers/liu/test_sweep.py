"""Tables 1 and 2: the choice of the count, Holm, and what repeats do."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.papers.liu.predictions import checked_predictions
from idhray.stats.papers.liu.sweep import (
    baseline_table,
    best_count,
    by_repeat,
    holm_adjusted,
    sweep_table,
)


def areas(**by_count):
    """A table of AUCs: `areas(val=[...], test=[...])`, counts 0, 1000, 2000."""
    return pd.DataFrame(
        [
            {"split": split, "n_synthetic": 1000 * number, "auc": area}
            for split, values in by_count.items()
            for number, area in enumerate(values)
        ]
    )


def test_the_count_is_chosen_on_validation():
    """Whatever the test set would prefer."""
    assert best_count(areas(val=[0.7, 0.9, 0.8], test=[0.9, 0.1, 0.95])) == 1000


def test_equal_areas_choose_the_fewest_images():
    """.1 + .2 and .3 are the same area, summed in another order."""
    assert best_count(areas(val=[0.3, 0.1 + 0.2, 0.3])) == 0


def test_holm_by_hand():
    """P of .01, .04, .03 with three counts: .03, .06 (2 x .03), .06. The baseline has none."""
    adjusted = holm_adjusted(pd.Series([np.nan, 0.01, 0.04, 0.03]))

    assert np.isnan(adjusted[0])
    assert list(adjusted[1:]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_comparison_without_p_counts_as_one_in_holm():
    """It was made, so the others pay for it."""
    assert list(holm_adjusted(pd.Series([np.nan, 0.02, np.nan]))[1:]) == pytest.approx([0.04, 1])


def test_table2_has_the_mean_of_its_repeats(study):
    """A row's AUC and accuracy are the means of the single trainings, its SD their spread."""
    predictions = checked_predictions(study()[0])
    table = sweep_table(predictions, "resnet50", 0.5).set_index(["split", "n_synthetic"])
    single = by_repeat(predictions, "resnet50", 0.5)
    one = single[(single["split"] == "test") & (single["n_synthetic"] == 2000)]
    row = table.loc[("test", 2000)]

    assert row["auc"] == pytest.approx(one["auc"].mean())
    assert row["auc_sd"] == pytest.approx(one["auc"].std())
    assert row["accuracy"] == pytest.approx(one["accuracy"].mean())
    assert row["difference"] == pytest.approx(row["auc"] - table.loc[("test", 0), "auc"])
    assert pd.isna(table.loc[("test", 0), "difference"])
    assert table["chosen"].sum() == 2


def test_table1_compares_models_without_synthetic_images(study):
    """One row per split and model; a model that only knows synthetic counts is not in it."""
    rows, _ = study()
    other = rows[rows["n_synthetic"] == 0].assign(model="vgg19")
    grown = rows[rows["n_synthetic"] == 1000].assign(model="other")
    table = baseline_table(checked_predictions(pd.concat([rows, other, grown])), 0.5)

    assert list(zip(table["split"], table["model"], strict=True)) == [
        ("val", "resnet50"),
        ("val", "vgg19"),
        ("test", "resnet50"),
        ("test", "vgg19"),
    ]
    assert table["auc"][0] == table["auc"][1]
