"""All tables of a study together: small, perfect, incomplete and shuffled cohorts."""

import json

import numpy as np
import pandas as pd
import pytest

from idhray.errors import ConfigError, TableError
from idhray.stats.papers.liu.printed import printed_tables
from idhray.stats.papers.liu.tables import liu_files, liu_tables
from idhray.stats.settings import StatsSettings


@pytest.fixture(scope="module")
def small(study):
    """All tables of 16 patients a split, made once; tests only read them."""
    return liu_tables(*study())


@pytest.fixture(scope="module")
def larger(study):
    """All tables of 20 patients a split, made once; tests only read them."""
    return liu_tables(*study(patients=20))


def test_every_predictor_is_judged_on_both_sets(small):
    """Table 3 has six rows; validation chose image and fusion, and is marked there."""
    table = small.table3

    assert list(table["predictor"]) == ["Age", "Image", "Age & image"] * 2
    assert list(table["split"]) == ["val"] * 3 + ["test"] * 3
    assert list(table["fitted_here"]) == [False, True, True, False, False, False]


def test_table4_counts_every_patient_once(larger):
    """Pooled, both age groups hold all validation and test patients; errors agree with accuracy."""
    tables = larger
    image = tables.table4.query("set == 'val + test' and predictor == 'Image'")
    wrong = (tables.by_patient["p_image"] >= 0.5) != (tables.by_patient["label"] == 1)

    assert image["n"].sum() == 40
    assert image["errors"].sum() == wrong.sum()
    assert list(image["errors"]) == list(image["errors_mutant"] + image["errors_wildtype"])
    assert list(image["accuracy"]) == pytest.approx(list(1 - image["errors"] / image["n"]))


def test_a_patient_of_55_is_in_the_older_group(study):
    """Liu 2020, table 4: < 55 and >= 55."""
    rows, people = study()
    ages = people["age"].where(people["split"] == "train", 55.0)
    table = liu_tables(rows, people.assign(age=ages)).table4

    assert set(table["group"]) == {">= 55"}


@pytest.mark.parametrize("noise", [pytest.param(1.0, id="noisy"), pytest.param(0.0, id="perfect")])
@pytest.mark.parametrize("repeats", [1, 2])
def test_four_and_four_patients_are_enough_to_run(study, noise, repeats):
    """The demonstration's cohort: every table exists and no interval is a single point."""
    tables = liu_tables(*study(patients=8, noise=noise, repeats=repeats))
    frames = [tables.table1, tables.table2, tables.table3]

    assert all((frame["auc_high"] - frame["auc_low"] > 0.01).all() for frame in frames)
    assert all(frame["auc"].notna().all() for frame in frames)
    assert (noise == 0) == (tables.table2["auc_ci_method"] == "exact binomial").all()


def test_patients_without_an_age_are_left_out_of_age_rows_only(study):
    """Counted in a note, in tables 1 and 2 still."""
    rows, people = study()
    people.loc[people["patient"].isin(["P016", "P017", "P032", "P000"]), "age"] = np.nan
    tables = liu_tables(rows, people)
    test = tables.table3.query("split == 'test'")

    assert tables.missing_age == {"val": 2, "test": 1}
    assert list(test["n_mutant"] + test["n_wildtype"]) == [15] * 3
    assert (tables.table2["n_wildtype"] == 8).all()
    assert tables.age_model is not None
    assert tables.age_model.missing == 1
    assert any("2 patients of val without an age" in note for note in tables.notes)


def test_a_cohort_without_ages_has_an_image_row(study):
    """No age is invented; a note says why the other rows are missing."""
    rows, people = study()
    tables = liu_tables(rows, people.assign(age=np.nan))

    assert list(tables.table3["predictor"]) == ["Image", "Image"]
    assert tables.table4.empty
    assert any(
        "ages are missing: they are known of 0 mutant and 0 wildtype training patients of 8 and 8"
        in note
        for note in tables.notes
    )
    assert not any("check the split" in note for note in tables.notes)
    assert printed_tables(tables)["table4"].empty


def test_ages_of_training_alone_make_no_fusion(study):
    """The note says whose ages are missing, not that the split is wrong."""
    rows, people = study()
    ages = people["age"].where(people["split"] == "train")
    tables = liu_tables(rows, people.assign(age=ages))

    assert tables.age_model is not None
    assert tables.fusion is None
    assert any("0 wildtype validation patients of 8 and 8" in note for note in tables.notes)


def test_files_hold_predictive_values_calibration_and_decision_curves(larger):
    """What the printed tables have no room for; of mean probabilities, per split and count."""
    tables = larger
    row = tables.table2.iloc[0]
    mean = tables.calibration.query("split == 'test' and n_synthetic == 0")

    assert row["ppv_low"] < row["ppv"] < row["ppv_high"]
    assert row["lr_positive"] == pytest.approx(row["sensitivity"] / (1 - row["specificity"]))
    assert row["auc_hanley_mcneil_low"] != row["auc_exact_low"] != row["auc_low"]
    assert {"npv", "balanced_accuracy"} <= set(tables.table1) & set(tables.table3)
    assert len(tables.calibration) == 6
    assert mean["spiegelhalter_p"].notna().all()
    assert mean["hosmer_lemeshow_df"].iloc[0] > 1
    assert len(tables.decision) == 6 * 19
    assert {"calibration.csv", "decision.csv"} <= set(liu_files(tables))


def test_without_a_p_there_is_no_adjusted_one(study):
    """A perfect baseline against scores that are all alike: DeLong's variance is 0."""
    rows, people = study(patients=8, noise=0)
    rows.loc[rows["n_synthetic"] == 1000, "p_mutant"] = 0.5
    text = printed_tables(liu_tables(rows, people))["table2"].iloc[1]

    assert text["P"] == text["P (Holm)"] == "- \u2021"


def test_the_order_of_rows_changes_nothing(study, small):
    """Neither of the predictions nor of the patients."""
    rows, people = study()
    shuffled = (rows.sample(frac=1, random_state=1), people.sample(frac=1, random_state=2))

    assert liu_files(liu_tables(*shuffled)) == liu_files(small)


def test_the_fusion_is_fitted_on_validation_patients_only(study, small):
    """Other test predictions move no weight."""
    rows, people = study()
    other = rows["p_mutant"].where(rows["split"] == "val", 0.3 + 0.1 * rows["p_mutant"])

    assert liu_tables(rows.assign(p_mutant=other), people).fusion == small.fusion


def test_the_json_holds_the_tables_and_no_nan(study):
    """Strict JSON: NaN becomes null."""
    files = liu_files(liu_tables(*study(repeats=1)))
    plain = json.loads(files["statistics.json"], parse_constant=pytest.fail)

    assert plain["table2"][0]["difference"] is None
    assert plain["verdict"]["answer"] == "this cohort cannot tell"
    assert len(plain["age_model"]["roots"]) == 2
    assert files["table2.csv"].decode().count("\n") == 1 + 6


def test_printed_tables_are_text_with_intervals(study):
    """Signs, marks and half-up rounding in place; no cell says nan."""
    tables = liu_tables(*study(patients=8))
    text = printed_tables(tables)

    assert not any((frame == "nan").to_numpy().any() for frame in text.values())
    assert text["table2"]["Difference in AUC"].iloc[0] == "reference"
    assert text["table2"]["Synthetic images"].str.contains("chosen").sum() == 2
    assert text["table3"]["Predictor"].iloc[2] == "Age & image \u2020"
    interval = r"\d\.\d{3} \(\d\.\d{3}\u2013\d\.\d{3}\)"
    assert text["table1"]["Sensitivity"].str.fullmatch(interval).all()


def test_two_models_with_synthetic_images_must_be_told_apart(study):
    """Tables 2 to 4 are about one model; which one is not guessed."""
    rows, people = study()
    both = pd.concat([rows, rows.assign(model="vgg19")])

    with pytest.raises(ConfigError, match="resnet50, vgg19"):
        liu_tables(both, people)
    assert liu_tables(both, people, StatsSettings(model="vgg19")).model == "vgg19"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda p: p[p["patient"] != "P016"], "P016 of val is not in", id="unknown"),
        pytest.param(lambda p: p.drop(columns="age"), "no column age", id="no age column"),
        pytest.param(lambda p: p.assign(idh="mutant"), "P016: IDH status or split", id="idh"),
        pytest.param(lambda p: p.assign(split="val"), "P032: IDH status or split", id="split"),
    ],
)
def test_a_patient_table_that_disagrees_is_refused(study, change, message):
    """Two tables of one study that differ: one of them is wrong."""
    rows, people = study()

    with pytest.raises(TableError, match=message):
        liu_tables(rows, change(people))


def test_settings_refuse_nonsense():
    """A threshold of 1 would call nobody mutant."""
    for wrong in ({"threshold": 1.0}, {"priors": "flat"}, {"age_split_years": -1.0}):
        with pytest.raises(ConfigError):
            StatsSettings(**wrong)
