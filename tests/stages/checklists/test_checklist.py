"""Reporting guidelines filled from a finished study, an unfinished one, and one that is amended."""

import csv
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from idhray.cli import run
from idhray.report.checklists.guidelines import FACT, GUIDELINES, elements_of
from idhray.stages.checklists.study_facts import study_facts
from idhray.stages.studies.slide_report import slide_report

ELSEWHERE = {
    "settings.mri",  # a study of MRI
    *("external.cohorts", "external.areas", "models.kept", "cohort.diagnosis"),
}
"""Facts that a study of slides without kept models and external cohorts does not have."""


@pytest.fixture
def study(table_study, tmp_path):
    """A copy, so that a test may change it."""
    return shutil.copytree(table_study, tmp_path / "study")


@pytest.fixture(scope="module")
def reported(table_study, tmp_path_factory):
    """A copy with its report, whose figures are cited."""
    folder = shutil.copytree(table_study, tmp_path_factory.mktemp("reported") / "study")
    slide_report(str(folder))
    return folder


def shares(capsys, study, *flags):
    """Shares that the command prints."""
    assert run(["checklist", "--study", str(study), *flags]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["filled"]


def rows_of(study, name="tripod-ai"):
    with (study / "checklists" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return [*csv.DictReader(file)]


def test_every_fact_that_a_guideline_names_can_be_had(reported):
    """A misspelled fact would leave its element open forever."""
    named = {
        name
        for guideline in GUIDELINES
        for element in elements_of(guideline)
        for name in FACT.findall(element.answer)
    }

    assert named - set(study_facts(str(reported))) == ELSEWHERE


def test_the_printed_share_is_that_of_the_draft(reported, capsys):
    """And it is honest: ethics, funding and the reference standard are never filled."""
    filled = shares(capsys, reported)["TRIPOD+AI"]
    rows = rows_of(reported)
    by_study = [row for row in rows if row["status"] == "filled from the study"]
    never = {"3c", "14", "17", "18a", "18b", "18d", "19", "8b", "8c", "27a", "27b"}

    assert filled["elements"] == len(rows)
    assert filled["by_study"] == len(by_study)
    assert filled["share"] == pytest.approx(len(by_study) / len(rows), abs=1e-4)
    assert not never & {row["item"] for row in by_study}
    assert all(row["source"] and row["answer"] for row in by_study)
    assert not any(row["answer"] for row in rows if row["status"] == "author to complete")
    saved = json.loads((reported / "checklists" / "checklists.json").read_text())
    assert saved["filled"]["TRIPOD+AI"] == filled


def test_the_guide_names_the_shares_that_are_measured(reported, capsys):
    """A share in a guide is a claim."""
    guide = Path(__file__).parents[3] / "docs" / "guides" / "reporting.md"
    text = " ".join(guide.read_text().split())

    for name, share in shares(capsys, reported).items():
        claim = rf"{share['by_study']} of {share['elements']} (parts )?of {re.escape(name)}"
        assert re.search(claim, text), claim


def test_numbers_of_the_draft_are_those_of_the_tables(reported, capsys):
    """Counted again from the tables by plain loops."""
    shares(capsys, reported)
    answers = {f"{row['item']}.{row['part']}": row["answer"] for row in rows_of(reported)}
    cohort = pd.read_parquet(reported / "cohort.parquet").drop_duplicates("patient")
    counts = cohort["idh"].value_counts()
    scores = pd.read_csv(reported / "statistics" / "predictions.csv")
    wrong = 0
    tested = scores[(scores["split"] == "test") & (scores["arm"] == "real")]
    for _, rows in tested.groupby("patient"):
        call = "mutant" if rows["p_mutant"].mean() >= 0.5 else "wildtype"
        wrong += call != rows["idh"].iloc[0]
    claim = {
        f"{row['item']}.{row['part']}": row["answer"] for row in rows_of(reported, "claim-2024")
    }

    assert answers["20a.2"] == (
        f"{counts['mutant']} mutant, {counts['wildtype']} wildtype, {counts['']} of unknown status."
    )
    assert f"real: {wrong} of {tested['patient'].nunique()}" in claim["39.1"]
    assert f"{(cohort['age'].isna()).sum()}" in answers["20b.5"].split("age ")[1].split(",")[0]


def test_an_unfinished_study_fills_less_and_says_nothing_of_results(study, capsys):
    """Before the statistics there is no result to report."""
    whole = shares(capsys, study)
    shutil.rmtree(study / "statistics")
    without_results = shares(capsys, study)
    shutil.rmtree(study / "sweep")
    without_protocol = shares(capsys, study)
    open_now = {row["item"] for row in rows_of(study) if row["status"] == "author to complete"}

    for name in whole:
        first, second, third = (
            s[name]["by_study"] for s in (whole, without_results, without_protocol)
        )
        assert first > second > third > 0
    assert {"23a", "25", "15", "18c", "12c"} <= open_now


def test_answers_of_the_author_stay_when_the_command_runs_again(study, capsys):
    """Nobody writes a statement of funding twice."""
    shares(capsys, study)
    path = study / "checklists" / "answers.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    is_funding = (table["guideline"] == "TRIPOD+AI") & (table["number"] == "18a.1")
    table.loc[is_funding, "text"] = "Grant 12, \u00fcber alles <b>"
    table.to_csv(path, index=False)
    filled = shares(capsys, study)["TRIPOD+AI"]
    again = shares(capsys, study)["TRIPOD+AI"]

    assert filled == again
    assert filled["by_author"] == 1
    text = (study / "checklists" / "tripod-ai.md").read_text()
    assert "Grant 12, \u00fcber alles &lt;b>" in text


def test_drafts_name_no_patient_and_no_file_of_one(reported, capsys):
    """A draft goes to a journal."""
    shares(capsys, reported)
    names = set(pd.read_parquet(reported / "cohort.parquet")["patient"])
    texts = [path.read_text() for path in (reported / "checklists").iterdir()]

    assert len(names) == 60
    assert not [name for name in names for text in texts if name in text]


def test_a_dry_run_writes_nothing_and_a_foreign_folder_is_refused(study, tmp_path, capsys):
    """The share alone is often what one wants to know."""
    filled = shares(capsys, study, "--dry-run")

    assert filled["TRIPOD+AI"]["by_study"] > 0
    assert not (study / "checklists").exists()
    assert run(["checklist", "--study", str(tmp_path / "nothing")]) == 1
    assert "give a folder that idhray study made" in capsys.readouterr().err
