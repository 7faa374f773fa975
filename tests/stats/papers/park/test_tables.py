"""A whole reader study: against R, against Park's table 1, and on what must not shift a figure."""

import json

import numpy as np
import pandas as pd
import pytest

from idhray.stats.papers.park.features import FEATURES
from idhray.stats.papers.park.printed import print_agreement
from idhray.stats.papers.park.readings_table import read_readings
from idhray.stats.papers.park.tables import park_files, park_tables
from idhray.stats.sample import SampleError
from idhray.stats.settings import PRESETS, StatsSettings

NAMES = [feature.name for feature in FEATURES]
QUICK = {"bootstrap_draws": 100, "optimism_resamples": 4}
SPLITS = {"train": "train", "valid": "test"}


def readings_of(cohort):
    """READINGS of two readers who both see what the cohort's consensus is, and the patients."""
    kinds = {
        "case": cohort["id"],
        "patient": cohort["id"].where(cohort["group"] != "synthetic", ""),
        "idh": cohort["idh"].map({0: "wildtype", 1: "mutant"}),
        "split": cohort["set"].map(SPLITS),
        "real": (cohort["group"] != "synthetic").map({True: "1", False: "0"}),
        **{name: cohort[name] for name in NAMES},
    }
    rows = [pd.DataFrame({**kinds, "reader": f"reader {number}"}) for number in (1, 2)]
    people = pd.DataFrame({name: kinds[name] for name in ("patient", "idh", "split")})
    people["age"] = cohort["age"]
    return pd.concat(rows, ignore_index=True), people[kinds["patient"] != ""]


@pytest.fixture
def simulated(reference_data):
    """The cohort of `park_like.csv` as READINGS."""
    rows, people = readings_of(reference_data("park_like"))
    return read_readings(rows, people)


@pytest.fixture(scope="module")
def tables(reader_study):
    """All tables of the made-up study, made once; tests only read them."""
    return park_tables(read_readings(*reader_study()), StatsSettings(**QUICK))


def test_the_regressions_of_every_model_are_those_of_r_glm(simulated, reference):
    """glm at a tight tolerance, on the three training sets; by feature, and all together."""
    settings = StatsSettings(kappa_gate=-1, alpha=0.9999, elimination="none", **QUICK)
    table = park_tables(simulated, settings).table2
    cases = {case["id"]: case for case in reference("logistic")}
    for model in (1, 2, 3):
        for name in NAMES:
            case = cases[f"park M{model} uni {name}"]
            rows = table[(table["model"] == model) & (table["analysis"] == "univariable")]
            rows = rows[rows["feature"] == name].set_index("level")
            levels = [term.removeprefix(name) for term in case["terms"][1:]]
            rows = rows.loc[levels]

            assert rows["beta"].to_numpy() == pytest.approx(case["coef"][1:], abs=1e-6)
            assert rows["se"].to_numpy() == pytest.approx(case["se"][1:], abs=1e-6)
            assert rows["wald_p"].to_numpy() == pytest.approx(case["p"][1:], abs=1e-6)
            assert rows["r2_nagelkerke"].iloc[0] == pytest.approx(case["r2_nagelkerke"], abs=1e-6)
        case = cases[f"park M{model} full"]
        final = table[(table["model"] == model) & (table["analysis"] == "final")]
        names = (final["feature"] + final["level"]).tolist()
        found = dict(zip(names, final["beta"], strict=True))
        expected = dict(zip(case["terms"], case["coef"], strict=True))
        assert found == pytest.approx(expected, abs=1e-6)


def test_elimination_is_that_of_r(simulated, reference):
    """Backward by likelihood ratio at .05 from all five features, in every model."""
    settings = StatsSettings(kappa_gate=-1, alpha=0.05, **QUICK)
    table = park_tables(simulated, settings).models.set_index("model")
    for model, case in enumerate(reference("stepwise"), start=1):
        assert table.loc[model, "candidates"].split(", ") == NAMES  # all are significant alone
        kept = set(table.loc[model, "kept"].split(", "))
        assert kept == set(case["p_backward_LR_0.05"]["final"])


def test_table_1_is_that_of_park(reader_study):
    """Readers without errors: the margins are Park's, so all its sound P values are."""
    tables = park_tables(
        read_readings(*reader_study(errors=0)), StatsSettings(tests="park2021", **QUICK)
    )
    p = {
        (one.first, one.second, row.variable.name): one.test.p
        for row in tables.characteristics["train"]
        for one in row.comparisons
    }

    # P+, P* and P** of table 1, by Pearson's chi-square; ../facts in benchmarks/README.md.
    assert p["Mutant", "Mutant (GAN)", "enhancement"] == pytest.approx(0.010608, abs=1e-6)
    assert p["Wildtype", "Mutant", "location"] == pytest.approx(0.010023, abs=1e-6)
    assert p["Wildtype", "Mutant", "necrosis"] == pytest.approx(0.000159, abs=1e-6)
    assert p["Wildtype", "Mutant (GAN)", "margin"] < 1e-13
    assert np.isnan(p["Mutant", "Mutant (GAN)", "age"])  # a synthetic image has no age


def test_synthetic_cases_are_judged_in_no_set(tables):
    """Only patients count: 44 in the test set, whatever the models were trained on."""
    test = tables.table3[tables.table3["split"] == "test"]

    assert set(test["model"]) == {1, 2, 3}
    assert set(test["n_mutant"] + test["n_wildtype"]) == {44}
    assert set(tables.by_patient["patient"].str[0]) == {"V"}


def test_the_threshold_comes_from_training(reader_study, tables):
    """Other labels in the test set change no threshold and no model."""
    rows, people = reader_study()
    swapped = {"VM00": "wildtype", "VW00": "mutant"}
    for frame in (rows, people):
        frame["idh"] = frame["patient"].map(swapped).fillna(frame["idh"])
    other = park_tables(read_readings(rows, people), StatsSettings(**QUICK))

    pd.testing.assert_frame_equal(tables.models, other.models)
    pd.testing.assert_frame_equal(tables.table2, other.table2)
    assert tables.table3["threshold"].tolist() == other.table3["threshold"].tolist()


def test_without_synthetic_cases_there_is_model_1_and_no_verdict(reader_study):
    """A baseline alone is a study, too."""
    rows, people = reader_study()
    found = park_tables(read_readings(rows[rows["real"] == "true"], people), StatsSettings(**QUICK))

    assert found.models["model"].tolist() == [1]
    assert found.verdict.answer == "this cohort cannot tell"
    assert "there is no synthetic mutant among the training cases" in found.verdict.sentence
    assert [note for note in found.notes if "does not exist" in note] == [
        f"Model {number} does not exist: there is no synthetic mutant among the training cases."
        for number in ("2 (synthetic)", "3 (real and synthetic)")
    ]


def test_without_ages_there_are_no_rows_with_age(reader_study):
    """And the notes say why."""
    rows, _ = reader_study()
    found = park_tables(read_readings(rows), StatsSettings(**QUICK))

    assert not found.table3["age"].any()
    assert any("no known age" in note for note in found.notes)


def test_readers_who_do_not_agree_have_no_model(reader_study):
    """Features under the gate are not analyzed; nothing is left, and it is said."""
    found = park_tables(
        read_readings(*reader_study(errors=0.95)), StatsSettings(kappa_gate=0.9, **QUICK)
    )

    assert not found.agreement["passes"].any()
    assert found.models.empty
    assert sum("does not exist" in note for note in found.notes) == 3


def test_training_needs_both_classes(reader_study):
    """One line, before anything is fitted."""
    rows, people = reader_study()

    with pytest.raises(SampleError, match="training has 0 mutant and 80 wildtype cases"):
        park_tables(read_readings(rows[(rows["idh"] == "wildtype")], people))


def test_the_files_hold_every_table_and_no_nan(tables):
    """JSON knows no NaN; whoever reads the files finds what the page shows."""
    files = park_files(tables)
    everything = json.loads(files["statistics.json"])

    assert {"table1.csv", "table2.csv", "table3.csv", "turing.csv", "comparisons.csv"} <= set(files)
    assert everything["verdict"]["sentence"]
    assert everything["table3"][0]["auc"] > 0.5
    assert PRESETS["park2021"].tests == "park2021"


@pytest.mark.parametrize("share", [1.0, 0.5], ids=["empty", "half empty"])
def test_a_feature_that_readers_left_out_is_a_dash_with_its_reason(reader_study, share):
    """Half a feature stopped all tables; the others are as if nobody had asked for it."""
    rows, people = reader_study()
    cases = sorted(rows["case"].unique())
    left_out = rows["case"].isin(cases[: int(share * len(cases))])
    rows = rows.assign(margin=rows["margin"].where(~left_out, ""))
    tables = park_tables(read_readings(rows, people), StatsSettings(**QUICK))
    agreement = tables.agreement.set_index("feature")

    assert not agreement.loc["margin", "passes"]
    assert np.isnan(agreement.loc["margin", "kappa"])
    assert agreement.loc["margin", "reason"].startswith("margin is empty in ")
    assert agreement.drop(index="margin")["kappa"].notna().all()
    assert len(tables.table3) > 0
    assert "margin" not in set(tables.discordant["feature"])
    assert any("the feature is in no model" in note for note in tables.notes)
    assert park_files(tables)
    assert "Margin is empty in" in print_agreement(tables.agreement).notes[0]


def test_one_reader_has_tables_without_agreement(reader_study):
    """A pilot with one reader has models and figures; kappa is a dash with its reason."""
    rows, people = reader_study()
    tables = park_tables(
        read_readings(rows[rows["reader"] == "reader 1"], people), StatsSettings(**QUICK)
    )

    assert tables.agreement["kappa"].isna().all()
    assert tables.agreement["passes"].all()
    assert tables.agreement["reason"].str.startswith("one reader only, reader 1").all()
    assert "reader 1" in set(tables.table3["reader"])
    assert np.isfinite(tables.verdict.difference)
    assert tables.discordant.empty
    assert any(note.startswith("One reader only, reader 1") for note in tables.notes)
    assert park_files(tables)


def test_capped_ages_are_told_in_table_1_and_the_notes(reader_study):
    """89+ is not 89."""
    rows, people = reader_study()
    people = people.assign(age_censored=["yes", "yes"] + [""] * (len(people) - 2))
    tables = park_tables(read_readings(rows, people), StatsSettings(**QUICK))
    labels = [table[0].variable.label for table in tables.characteristics.values()]

    assert any("capped at 89 or 90" in label for label in labels)
    assert any(note.startswith("2 ages are capped for privacy") for note in tables.notes)
