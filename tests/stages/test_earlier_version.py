"""A sweep of version 0.1 is still read, and never continued.

The folder `sweep_of_version_0_1` is the output of that version (commit 6b7ed95) on a made-up cohort
of 24 patients: predictions of 2 counts x 2 repeats, and the tables that it made of them.
"""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from idhray.errors import SettingsChangedError
from idhray.stages.experiment.settings import PRESETS
from idhray.stages.fit_stats import FitStatsFlags, fit_stats
from idhray.stages.studies.settings import PRESETS as STUDIES
from idhray.stages.studies.settings import StudyFlags
from idhray.stages.study import study
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stats.settings import StatsSettings

OLD = Path(__file__).parent / "sweep_of_version_0_1"


def fit(out, *predictions, manifest=None):
    return fit_stats(
        FitStatsFlags(
            predictions=tuple(str(path) for path in predictions),
            manifest=manifest,
            out=str(out),
            settings=StatsSettings(),
        )
    )


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4", "by_patient"])
def test_its_tables_are_those_it_had(tmp_path, name):
    """All but the mark of figures on patients that chose the epoch, which came later."""
    fit(tmp_path / "out", OLD / "sweep", manifest=str(OLD / "cohort.csv"))
    before = pd.read_csv(OLD / "statistics" / f"{name}.csv")
    now = pd.read_csv(tmp_path / "out" / f"{name}.csv")

    marks = [column for column in ("fitted_here",) if column in before]
    pd.testing.assert_frame_equal(
        now.drop(columns=marks), before.drop(columns=marks), rtol=1e-9, check_exact=False
    )


def test_the_arm_of_its_rows_is_their_count(tmp_path):
    """Its files are predictions of any program, so the arms are compared."""
    result = fit(tmp_path / "out", *sorted((OLD / "sweep").glob("part-*.parquet")))
    arms = pd.read_csv(tmp_path / "out" / "arms.csv")

    assert set(arms["arm"]) == {"real", "synthetic:8"}
    assert result["answer"] == "cannot tell"
    assert "more-real (further real images of the training patients)" in result["sentence"]


def test_it_is_not_continued(tmp_path):
    """In one line, before any work; its trainings have neither folds nor controls."""
    out = tmp_path / "sweep"
    shutil.copytree(OLD / "sweep", out)
    with pytest.raises(SettingsChangedError, match="sweep of an earlier version") as refusal:
        sweep(SweepFlags(images="patches", out=str(out), settings=PRESETS["demo"]))

    assert "\n" not in str(refusal.value)
    assert {path.name for path in out.iterdir()} == {
        path.name for path in (OLD / "sweep").iterdir()
    }


def test_neither_is_a_study_that_holds_it(tmp_path):
    """A list of settings that differ would ask for values that no longer exist."""
    (tmp_path / "_settings.json").write_text('{"stage": "study", "counts": [0, 8], "repeats": 2}')
    flags = StudyFlags(manifest="manifest.csv", out=str(tmp_path), settings=STUDIES["demo"])

    with pytest.raises(SettingsChangedError, match="study of an earlier version"):
        study(flags)
