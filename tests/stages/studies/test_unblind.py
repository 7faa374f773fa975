"""Areas before all trainings are done: shown only if the protocol records it, which the verdict
says."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from idhray.cli import run
from idhray.cohorts.manifest import patients_of, read_manifest
from idhray.experiment.protocol import merged_protocol, protocol_from, protocol_values
from idhray.stages.runtime.folder import DONE
from idhray.stages.studies.areas_so_far import areas_so_far
from idhray.stages.studies.experiment_statistics import fit_sweep
from idhray.stages.studies.progress_page import write_progress
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stats.settings import StatsSettings
from idhray.storage import publish_json, read_json
from idhray.table_parts import part_path
from tests.stages.growing_study import stub_trainings
from tests.stages.in_process import without_ray
from tests.stages.made_up_experiment import SETTINGS
from tests.stages.studies.study_of_tables import ARMS
from tests.stages.test_sweep import inputs as inputs

DAY = "2026-11-30"
SENTENCE = f"Areas of the arms were shown since {DAY}, before all trainings were done (--unblind)"


@pytest.fixture
def study(table_study, tmp_path):
    """A study whose sweep lacks the last training of fold 3 and repeat 3."""
    folder = Path(shutil.copytree(table_study, tmp_path / "study"))
    (folder / "sweep" / DONE).unlink()
    Path(part_path(str(folder / "sweep"), "fold=3 repeat=3 arm=real")).unlink()
    return folder


def unblinded(study):
    """Record in the protocol that areas are shown."""
    path = str(study / "sweep" / "protocol.json")
    protocol = replace(protocol_from(read_json(path)), unblinded=DAY)
    publish_json(path, protocol_values(protocol))
    return protocol


def test_no_area_is_shown_without_the_record(study):
    """Neither on the page nor in the file for programs."""
    write_progress(str(study), running=True)
    texts = [(study / name).read_text() for name in ("progress.html", "status.json")]

    assert areas_so_far(str(study / "sweep")) == {}
    for text in texts:
        assert "AUC" not in text
        assert not [arm for arm in ARMS if arm != "real" and arm in text]


def test_areas_are_means_over_complete_blocks(study):
    """An arm that lacks a training is compared on the others' easier folds otherwise."""
    unblinded(study)
    shown = areas_so_far(str(study / "sweep"))
    rows = pd.read_csv(study / "statistics" / "predictions.csv")
    rows = rows[(rows["split"] == "test") & ~((rows["fold"] == 3) & (rows["repeat"] == 3))]
    areas = []
    for _, block in rows[rows["arm"] == "real"].groupby(["fold", "repeat"]):
        mutant = block.loc[block["idh"] == "mutant", "p_mutant"].to_numpy()
        others = block.loc[block["idh"] == "wildtype", "p_mutant"].to_numpy()
        pairs = [(a > b) + 0.5 * (a == b) for a in mutant for b in others]
        areas.append(sum(pairs) / len(pairs))

    assert (shown["blocks"], shown["planned"], shown["since"]) == (8, 9, DAY)
    assert shown["arms"]["real"] == f"{sum(areas) / 8:.3f}"
    write_progress(str(study), running=True)
    page = (study / "progress.html").read_text()
    assert shown["difference"] in page
    assert "Not a result" in page


def test_a_finished_experiment_shows_its_areas_in_the_report_alone(study):
    """The page is for studies that are not finished."""
    unblinded(study)
    (study / "sweep" / DONE).write_text("{}")

    assert areas_so_far(str(study / "sweep")) == {}


def test_the_verdict_says_it_also_from_the_exported_file(table_study, tmp_path, capsys):
    """A reader of the result must know that somebody looked."""
    folder = Path(shutil.copytree(table_study, tmp_path / "study"))
    unblinded(folder)
    cohort = patients_of(read_manifest(str(folder / "cohort.parquet")))
    out = str(tmp_path / "statistics")
    result, _ = fit_sweep(out, str(folder / "sweep"), cohort, StatsSettings())
    flags = ["--predictions", f"{out}/predictions.csv", "--out", str(tmp_path / "again")]

    assert SENTENCE in result["sentence"]
    assert run(["fit-stats", *flags]) == 0
    assert SENTENCE in capsys.readouterr().out


def test_a_blinded_protocol_and_its_statistics_are_as_earlier_versions_wrote_them(table_study):
    """A new field must make no finished study out of date."""
    protocol = read_json(str(table_study / "sweep" / "protocol.json"))
    rule = read_json(str(table_study / "statistics" / "_settings.json"))["rule"]

    assert "unblinded" not in protocol
    assert "unblinded" not in rule
    assert "unblinded" not in pd.read_csv(table_study / "statistics" / "predictions.csv")


def test_the_record_stays_when_a_run_continues(table_study, tmp_path):
    """Who looked once has looked."""
    folder = Path(shutil.copytree(table_study, tmp_path / "study"))
    earlier = unblinded(folder)
    planned = replace(earlier, unblinded="")
    merged = merged_protocol(
        earlier, planned, defaults={}, has_results=True, amend="", today="2027-01-01"
    )

    assert merged.unblinded == DAY
    assert protocol_from(protocol_values(merged)) == merged


@pytest.mark.parametrize("unblind", [True, False])
def test_a_sweep_records_that_areas_are_shown(inputs, tmp_path, monkeypatch, unblind):
    """And a later run without the flag does not take it back."""
    stub_trainings(monkeypatch)
    out = tmp_path / "out"
    flags = SweepFlags(out=str(out), settings=SETTINGS, unblind=unblind, **inputs)
    with without_ray():
        sweep(flags)
        first = json.loads((out / "protocol.json").read_text())
        sweep(replace(flags, unblind=not unblind))
    again = json.loads((out / "protocol.json").read_text())

    assert bool(first.get("unblinded")) == unblind
    assert again == first  # the second run found all trainings done
