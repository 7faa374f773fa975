"""`fit-stats` from predictions with arms: R's answers, files of any program, refusals."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from idhray.cli import run
from tests.stats.arms.conftest import experiment as experiment
from tests.stats.conftest import BESIDE_REPOSITORY

ARMS = {
    "real": 0.0,
    "synthetic:60": 0.8,
    "synthetic:30": 0.4,
    "duplicate:60": 0.0,
    "more-real:60": 0.1,
}
FIRST = ["arm", "baseline", "estimate", "se", "df", "t", "p", "ci_low", "ci_high"]


def fit(folder, *flags):
    """`idhray fit-stats`; its exit code."""
    return run(["fit-stats", "--out", str(folder / "statistics"), *map(str, flags)])


@pytest.fixture
def cohort(experiment):
    """Ages, sex, grade and site of the made-up patients; ages tell mutants well."""
    labels = experiment(ARMS).drop_duplicates("patient").sort_values("patient")
    rng = np.random.default_rng(5)
    mutant = labels["label"].to_numpy() == 1
    return pd.DataFrame(
        {
            "patient": labels["patient"],
            "idh": np.where(mutant, "mutant", "wildtype"),
            "age": rng.normal(np.where(mutant, 35, 65), 6).round(),
            "sex": rng.choice(["f", "m"], len(labels)),
            "grade": rng.choice(["2", "3"], len(labels)),
            "site": rng.choice(["A", "B"], len(labels)),
        }
    )


def exported(rows, **columns):
    """Predictions as the statistics of a sweep write them: repeats 1 to 3 chose the arm."""
    judged = np.where(rows["repeat"] > 3, "yes", "no")
    protocol = {"primary_arm": "synthetic:60", "judged": judged, "exploratory": ""}
    return rows.assign(**{**protocol, **columns})


def test_repeats_that_chose_the_arm_do_not_judge_it_in_an_exported_file(
    experiment, tmp_path, capsys, caplog
):
    """The file of a sweep must not say more than the sweep does."""
    rows = experiment(ARMS, repeats=6)
    exported(rows).to_csv(tmp_path / "predictions.csv", index=False)

    assert fit(tmp_path, "--predictions", tmp_path / "predictions.csv") == 0
    statistics = json.loads((tmp_path / "statistics" / "statistics.json").read_text())
    assert statistics["judged_repeats"] == [4, 5, 6]
    assert statistics["rule"]["primary"] == "synthetic:60"
    assert "Repeats before 4 chose the arm on validation" in capsys.readouterr().out
    assert "is not known" not in caplog.text


def test_an_amended_protocol_stays_exploratory_in_an_exported_file(experiment, tmp_path, capsys):
    """So does another primary arm than the protocol's."""
    rows = exported(experiment(ARMS), judged="yes")
    for name, column in (("amended", "a slip"), ("other", "")):
        (tmp_path / name).mkdir()
        rows.assign(exploratory=column).to_csv(tmp_path / name / "rows.csv", index=False)

    assert fit(tmp_path / "amended", "--predictions", tmp_path / "amended" / "rows.csv") == 0
    assert "changed after results (a slip)" in capsys.readouterr().out
    flags = ["--predictions", tmp_path / "other" / "rows.csv", "--primary", "synthetic:30"]
    assert fit(tmp_path / "other", *flags) == 0
    text = capsys.readouterr().out
    assert "Exploratory" in text
    assert "synthetic:30 in place of synthetic:60, which the protocol names" in text


def test_a_file_without_a_protocol_is_judged_with_a_warning(experiment, tmp_path, caplog):
    """Nobody but the user knows how its arm was chosen."""
    experiment(ARMS).to_csv(tmp_path / "rows.csv", index=False)

    assert fit(tmp_path, "--predictions", tmp_path / "rows.csv", "--primary", "synthetic:60") == 0
    assert "the protocol of these predictions is not known" in caplog.text


def test_a_manifest_that_lacks_predicted_patients_is_refused(experiment, cohort, tmp_path, capsys):
    """Baselines and strata of some of the patients would stand beside a verdict on all."""
    experiment(ARMS).to_csv(tmp_path / "predictions.csv", index=False)
    cohort[5:].to_csv(tmp_path / "manifest.csv", index=False)
    flags = ["--predictions", tmp_path / "predictions.csv", "--primary", "synthetic:60"]

    assert fit(tmp_path, *flags, "--manifest", tmp_path / "manifest.csv") == 1
    error = capsys.readouterr().err
    assert (
        "the manifest lacks 5 patients who have predictions: P000, P001, P002 and 2 more" in error
    )


@pytest.mark.parametrize("name", ["one_split", "five_folds", "eight_folds_ties", "imbalanced"])
def test_contrasts_of_a_file_equal_those_of_r(name, tmp_path, capsys):
    """MRMCaov's answers through the command, without a manifest."""
    folder = Path(os.environ.get("IDHRAY_REFERENCE", BESIDE_REPOSITORY)) / "mrmc"
    if not folder.is_dir():
        pytest.skip(f"no reference at {folder}; set IDHRAY_REFERENCE to the folder that has it")
    expected = json.loads((folder / "folds.json").read_text())[name]

    assert fit(tmp_path, "--predictions", folder / f"{name}.csv") == 0
    table = pd.read_csv(tmp_path / "statistics" / "contrasts.csv")
    keys = ("difference", "standard_error", "df", "t", "p_value", "lower", "upper")
    values = [expected[key] for key in keys]
    assert list(table.columns[: len(FIRST)]) == FIRST
    assert table.loc[0, FIRST[2:]].tolist() == pytest.approx(values, abs=1e-9, rel=1e-9)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_a_file_of_any_program_becomes_tables(ending, experiment, cohort, tmp_path, capsys):
    """Words, other names, no fold; the sentence, contrasts and arms are printed."""
    rows = experiment(ARMS).rename(columns={"patient": "case", "label": "truth"})
    path = tmp_path / f"predictions{ending}"
    if ending == ".parquet":
        rows.to_parquet(path)
    else:
        rows["truth"] = rows["truth"].map({1: "mutant", 0: "wildtype"})
        rows.to_csv(path, index=False, sep="," if ending == ".csv" else "\t")
    cohort.to_csv(tmp_path / "manifest.csv", index=False)
    flags = ["--predictions", path, "--primary", "synthetic:60"]

    assert fit(tmp_path, *flags, "--manifest", tmp_path / "manifest.csv") == 0
    text, line = capsys.readouterr().out.rstrip().rsplit("\n", 1)
    result = json.loads(line)
    files = {each.name for each in (tmp_path / "statistics").iterdir()}
    page = (tmp_path / "statistics" / "tables.html").read_text()
    statistics = json.loads((tmp_path / "statistics" / "statistics.json").read_text())

    assert result["answer"] == "helps"
    assert text.startswith("No image classifier here is better than age alone")
    assert "These images help: adding 60 synthetic images" in text
    assert "\n\nContrasts. " in text
    names = ("contrasts", "arms", "trials", "baselines", "strata", "response")
    assert {f"{name}.csv" for name in names} <= files
    assert ">nan<" not in page.lower()
    assert statistics["headline"].startswith("No image classifier here is better than age alone")
    strata = pd.read_csv(tmp_path / "statistics" / "strata.csv")
    assert set(strata["stratum"]) == {"grade", "site", "sex", "age"}


def test_the_same_file_again_is_no_work_and_another_primary_is_refused(experiment, tmp_path):
    """The rule is part of the folder's identity: a second arm is a second analysis."""
    path = tmp_path / "predictions.csv"
    experiment(ARMS).to_csv(path, index=False)
    flags = ["--predictions", path, "--primary", "synthetic:60"]

    assert fit(tmp_path, *flags) == 0
    assert fit(tmp_path, *flags) == 0
    assert fit(tmp_path, "--predictions", path, "--primary", "synthetic:30") == 2
    assert fit(tmp_path, "--predictions", path, "--primary", "synthetic:30", "--overwrite") == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "2 arms are synthetic; name the judged arm by --primary; arms: duplicate:60"),
        (["--primary", "gan"], "predictions have no arm 'gan'"),
        (["--primary", "real"], "primary and baseline are the same arm"),
        (["--primary", "synthetic:60", "--margin", "0"], "margin must lie between 0 and 0.5"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(flags, message, experiment, tmp_path, capsys):
    """One line that says what to do, and no folder."""
    path = tmp_path / "predictions.csv"
    experiment(ARMS).to_csv(path, index=False)

    assert fit(tmp_path, "--predictions", path, *flags) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "statistics").exists()


def test_bad_predictions_are_refused_in_one_line(experiment, tmp_path, capsys):
    """NaN, and a patient in two folds."""
    rows = experiment(ARMS)
    rows.loc[5, "p_mutant"] = np.nan
    rows.loc[(rows["patient"] == "P000") & (rows["repeat"] == 2), "fold"] = 2
    rows.to_csv(tmp_path / "predictions.csv", index=False)

    assert fit(tmp_path, "--predictions", tmp_path / "predictions.csv") == 1
    error = capsys.readouterr().err
    assert "1 values of p_mutant are missing" in error
    assert "patients tested in two folds: P000" in error
