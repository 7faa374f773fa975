"""What cannot be analyzed: the study goes on without it, and every gap has its true reason."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.papers.park.demographics import print_characteristics
from idhray.stats.papers.park.feature_choice import jointly_usable
from idhray.stats.papers.park.features import FEATURES
from idhray.stats.papers.park.models import reader_models
from idhray.stats.papers.park.notes import omission_notes
from idhray.stats.papers.park.printed import print_agreement
from idhray.stats.papers.park.printed_regressions import print_regressions
from idhray.stats.papers.park.readings import CONSENSUS
from idhray.stats.papers.park.readings_table import read_readings
from idhray.stats.papers.park.tables import park_files, park_tables
from idhray.stats.sample import SampleError
from idhray.stats.settings import StatsSettings

QUICK = StatsSettings(bootstrap_draws=100, optimism_resamples=2, kappa_gate=-1)
NAMES = [feature.name for feature in FEATURES]


def tables_of(rows, people, settings=QUICK):
    return park_tables(read_readings(rows, people), settings)


def without(rows, **cells):
    """The rows that have none of these values."""
    gone = np.logical_or.reduce([rows[name] == value for name, value in cells.items()])
    return rows[~gone]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param("yes", "no", "no in all 118 training cases", id="constant"),
        pytest.param("other", "frontal_insula", "reference level other is in no", id="reference"),
        pytest.param(
            "thalamus_brainstem",
            "frontal_insula",
            "thalamus_brainstem is in no training case, but in patients to be judged",
            id="level of patients to be judged",
        ),
    ],
)
def test_an_unusable_feature_is_left_out_with_its_reason(reader_study, old, new, reason):
    """The others make the three models; the row in table 2 says why."""
    rows, people = reader_study()
    name = "necrosis" if old == "yes" else "location"
    train = rows["split"] == "train"
    rows[name] = rows[name].mask(train & (rows[name] == old), new)
    found = tables_of(rows, people)
    row = found.table2.query("model == 1 and feature == @name").iloc[0]
    printed = print_regressions(found.table2, found.models)

    assert set(found.models["model"]) == {1, 2, 3}
    assert reason in row["not_analysed"]
    assert np.isnan(row["beta"])
    assert printed.frame["Beta"].str.startswith("not analyzed\u00a0").sum() == 3
    assert any("not analyzed: " in note and reason in note for note in printed.notes)
    assert any(name in note and reason in note for note in found.notes)
    assert not found.models["candidates"].str.contains(name).any()


def test_a_feature_that_fails_the_gate_has_a_row_with_its_kappa(reader_study):
    """Park et al. analyze only what readers agree on."""
    rows, people = reader_study(errors=0)
    rng = np.random.default_rng(0)
    second = rows["reader"] == "reader 2"
    rows.loc[second, "margin"] = rng.permutation(rows.loc[second, "margin"])
    found = tables_of(
        rows, people, StatsSettings(**{**vars(QUICK), "kappa_gate": 0.5, "discordant": FIRST})
    )
    row = found.table2.query("model == 1 and feature == 'margin'").iloc[0]

    assert row["not_analysed"].startswith("kappa ")
    assert set(found.models["model"]) == {1, 2, 3}


FIRST = "first reader"


def test_of_collinear_features_the_later_one_is_left_out(reader_study):
    """Surrounding says what necrosis says, in other words: one of them is enough."""
    rows, people = reader_study(errors=0)
    rows["surrounding"] = rows["necrosis"].map({"yes": "tumor", "no": "edema", "": ""})
    found = tables_of(rows, people)
    cases = rows[rows["reader"] == "reader 1"].query("split == 'train'")

    assert set(found.models["model"]) == {1, 2, 3}
    assert not found.models["candidates"].str.contains("surrounding").any()
    assert any("surrounding is not in the multivariable model" in note for note in found.notes)
    kept, dropped = jointly_usable(cases, ["necrosis", "surrounding", "margin"])
    assert (kept, list(dropped)) == (["necrosis", "margin"], ["surrounding"])


def test_models_without_their_mutants_do_not_exist(reader_study):
    """Model 3 of synthetic mutants alone would be model 2 under another name."""
    rows, people = reader_study()
    rows = rows[~rows["case"].str.startswith("case-M")]
    found = tables_of(rows, people)

    assert found.models["model"].tolist() == [2]
    assert "there is no real mutant among the training cases" in found.verdict.sentence
    assert sum("does not exist: there is no real mutant" in note for note in found.notes) == 2


@pytest.mark.parametrize(
    ("gone", "reason"),
    [
        pytest.param("case-VM", "the test set has 0 mutant and 33 wildtype patients", id="class"),
        pytest.param("case-V", "there are no validation or test patients", id="set"),
    ],
)
def test_the_verdict_gives_the_actual_reason(reader_study, gone, reason):
    """Not that "models could not both be judged", whatever it was."""
    rows, people = reader_study()
    found = tables_of(rows[~rows["case"].str.startswith(gone)], people)

    assert reason in found.verdict.sentence
    assert any(reason[4:] in note for note in found.notes)


def test_no_significant_feature_is_the_reason_if_it_is(reader_study):
    """At alpha 1e-12 nothing qualifies."""
    found = tables_of(*reader_study(), StatsSettings(**{**vars(QUICK), "alpha": 1e-12}))

    assert (
        "as none of location, necrosis, enhancement, surrounding, margin has"
        in found.verdict.sentence
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda p: p.assign(age=50.0), "all training patients have the age 50", id="1"),
        pytest.param(
            lambda p: p.assign(age=p["age"].where(p["idh"] == "mutant")),
            "ages are known of 38 mutant and 0 wildtype training patients",
            id="class",
        ),
        pytest.param(
            lambda p: p.assign(age=p["age"].where(p["split"] == "train")),
            "No rows with age for the test set: ages are known of 0 mutant and 0 wildtype",
            id="test set",
        ),
    ],
)
def test_missing_rows_with_age_have_their_reason_in_the_notes(reader_study, change, reason):
    """In the page and in statistics.json, as both show the notes."""
    rows, people = reader_study()
    found = tables_of(rows, change(people))

    assert not found.table3["age"].any()
    assert any(reason in note for note in found.notes)


def test_doubts_about_a_model_are_among_the_notes(reader_study):
    """Separation and few events per variable, by model."""
    rows, people = reader_study(errors=0)
    rows["margin"] = (
        rows["idh"]
        .map({"mutant": "clear", "wildtype": "indistinct"})
        .where(rows["margin"] != "", "")
    )
    readings = read_readings(rows, people)
    models, missing = reader_models(readings, dict.fromkeys(set(NAMES) - {"margin"}, "not"), QUICK)
    notes = omission_notes(readings, models, missing, [])

    assert any(note.startswith("Models 1, 2, 3: Complete separation by margin") for note in notes)


def test_judgments_alone_make_the_turing_test_alone(reader_study):
    """Readers who read no feature; all else is empty, and the verdict says why."""
    rows, people = reader_study()
    rows = without(rows, reader=CONSENSUS)
    rows[NAMES] = ""
    found = tables_of(rows, people)

    assert len(found.turing) == 3
    assert found.table3.empty
    assert found.discordant.empty
    assert "the visual Turing test alone" in found.verdict.sentence
    assert {"turing.csv", "table1.csv"} <= set(park_files(found))


def test_no_reading_of_a_judged_patient_moves_the_gate(reader_study):
    """Readers who agree in training and nowhere else: the features pass all the same."""
    rows, people = reader_study(errors=0)
    test = (rows["split"] == "test") & (rows["reader"] == "reader 2")
    rows.loc[test, "necrosis"] = rows.loc[test, "necrosis"].map({"yes": "no", "no": "yes"})
    found = tables_of(rows, people, StatsSettings(**{**vars(QUICK), "kappa_gate": 0.99}))
    row = found.agreement.set_index("feature").loc["necrosis"]

    assert (row["n"], row["n_all"]) == (156, 200)
    assert row["passes"]
    assert row["kappa"] == pytest.approx(1)
    assert row["kappa_all"] < 0.8
    assert print_agreement(found.agreement).frame["Kappa, all cases"].iloc[1].endswith("(n = 200)")


def test_a_constant_reader_and_three_readers_have_reasons_below_the_table(reader_study):
    """No `0.76 (-)`, no dash without a footnote."""
    rows, people = reader_study()
    third = rows[rows["reader"] == "reader 2"].assign(reader="reader 3", judged_real="")
    settings = StatsSettings(**{**vars(QUICK), "discordant": FIRST})
    found = tables_of(pd.concat([without(rows, reader=CONSENSUS), third]), people, settings)
    three = print_agreement(found.agreement)
    rows.loc[rows["reader"] == "reader 2", "margin"] = "clear"
    constant = print_agreement(
        tables_of(without(rows, reader=CONSENSUS), people, settings).agreement
    )

    assert three.frame["Kappa (95% CI)"].str.fullmatch(r"0\.\d\d\s\u1d43").all()
    assert "No interval" in three.notes[0]
    assert constant.frame["P"].iloc[-1] == "-\u00a0\u1d43"
    assert "reader 2 gave 'clear' only" in constant.notes[0]


def test_table_1_names_the_test_of_every_row(reader_study):
    """And gives the standardized difference, and a reason for a dash."""
    found = tables_of(*reader_study(), StatsSettings(**{**vars(QUICK), "tests": "park2021"}))
    printed = print_characteristics(found.characteristics["train"])
    cells = printed.frame["Wildtype vs Mutant"]
    cells = cells[cells != ""]

    assert cells.str.fullmatch(
        r"P (0\.\d{3}|<0\.001) \((chi-square|Mann-Whitney)\), d -?\d\.\d\d"
    ).all()
    assert printed.frame["Mutant vs Mutant (GAN)"].iloc[0] == "-\u00a0\u1d43"
    assert printed.notes == ["\u1d43 a synthetic image has no age"]


def test_table_2_shows_the_model_before_and_after_elimination(reader_study):
    """And no odds ratio of an intercept, which is none."""
    found = tables_of(*reader_study(errors=0))
    printed = print_regressions(found.table2, found.models).frame
    intercept = printed[printed["Feature"] == "(Intercept)"].iloc[0]
    full = found.table2.query("model == 1 and analysis == 'multivariable'")

    assert intercept["Final odds ratio (95% CI)"] == ""
    assert intercept["Final beta"] != ""
    shown = printed["Multivariable P"].iloc[: len(printed) // 3]
    assert (shown != "").sum() == len(full)


def test_files_hold_what_the_printed_tables_have_no_room_for(reader_study):
    """Predictive values, intervals by name, two tests of calibration, reliability."""
    found = tables_of(*reader_study())
    row = found.table3.query("split == 'test'").iloc[0]

    assert row["ppv_low"] < row["ppv"] < row["ppv_high"]
    assert row["lr_positive"] == pytest.approx(row["sensitivity"] / (1 - row["specificity"]))
    assert row["auc_hanley_mcneil_low"] < row["auc"] < row["auc_exact_high"]
    assert {"hosmer_lemeshow_p", "spiegelhalter_p"} <= set(found.calibration)
    assert {"reliability.csv"} <= set(park_files(found))
    groups = found.reliability.groupby(["split", "reader", "age", "model"])["n"].sum()
    assert set(groups) == {44}


def test_training_without_a_class_is_refused(reader_study):
    """One line, not three missing models."""
    rows, people = reader_study()

    with pytest.raises(SampleError, match="both classes are needed"):
        tables_of(rows[rows["idh"] == "mutant"], people)
