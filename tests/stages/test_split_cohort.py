"""`split-cohort`: split, folds, and newcomers."""

import pandas as pd
import pytest

from idhray.cohorts.folds import read_folds
from idhray.cohorts.manifest import patients_of, read_manifest
from idhray.errors import ConfigError, ManifestError, StorageError
from idhray.stages.split_cohort import SplitCohortFlags, split_cohort
from tests.cohorts.made_cohort import made_patients, roles_of, with_newcomers


def written(tmp_path, patients, name="manifest.csv"):
    path = str(tmp_path / name)
    patients.to_csv(path, index=False)
    return path


def run(manifest, tmp_path, **flags):
    return split_cohort(
        SplitCohortFlags(manifest=manifest, out=str(tmp_path / "split.csv"), **flags)
    )


@pytest.mark.parametrize("by", ["patient", "site"])
def test_newcomers_join_the_files_and_nobody_moves(tmp_path, by):
    """A cohort grows over years; earlier results must stay comparable."""
    cohort, joined = made_patients(60, 50), made_patients(25, 15, prefix="A", seed=4)
    first = run(written(tmp_path, cohort), tmp_path, fold_count=4, by=by)
    split = patients_of(read_manifest(first["out"])).set_index("patient")["split"]
    roles = roles_of(read_folds(first["folds"]))
    larger = written(tmp_path, with_newcomers(cohort, joined), "larger.csv")
    second = run(larger, tmp_path, extend=True)

    after = patients_of(read_manifest(second["out"])).set_index("patient")["split"]
    folds = read_folds(second["folds"])
    pd.testing.assert_series_equal(after[split.index], split)
    pd.testing.assert_frame_equal(roles_of(folds).loc[roles.index], roles)
    assert second["joined"] == 40
    assert folds.by == by
    assert sum(second["tested"].values()) == 150
    assert second["train"] + second["val"] + second["test"] == 150


def test_folds_can_be_added_to_a_split_that_exists(tmp_path):
    """A user of the single split turns to cross-validation later."""
    path = written(tmp_path, made_patients(20, 20))
    first = run(path, tmp_path)
    second = run(path, tmp_path, extend=True, fold_count=3)

    assert "folds" not in first
    assert second["joined"] == 0
    assert read_folds(second["folds"]).numbers() == (1, 2, 3)


def test_requests_that_would_move_patients_are_refused(tmp_path):
    """Each of these would mix an old draw with a new one."""
    cohort = made_patients(20, 20)
    path = written(tmp_path, cohort)
    with pytest.raises(StorageError, match="no such file to extend"):
        run(path, tmp_path, extend=True)
    with pytest.raises(ConfigError, match="--fold-count 1: give 2 or more"):
        run(path, tmp_path, fold_count=1)
    with pytest.raises(ConfigError, match="--by site concerns folds"):
        run(path, tmp_path, by="site")
    with pytest.raises(ConfigError, match="--strata age: choose from grade, cohort"):
        run(path, tmp_path, fold_count=3, strata=("age",))
    run(path, tmp_path, fold_count=3)
    before = (tmp_path / "split.csv").read_bytes(), (tmp_path / "folds.parquet").read_bytes()

    with pytest.raises(StorageError, match="exists already; a split is drawn once"):
        run(path, tmp_path, fold_count=3)
    with pytest.raises(ConfigError, match="has 3 folds, not 4"):
        run(path, tmp_path, fold_count=4, extend=True)
    with pytest.raises(ConfigError, match="was drawn by patient"):
        run(path, tmp_path, by="site", extend=True)
    with pytest.raises(ConfigError, match="give one"):
        run(path, tmp_path, extend=True, overwrite=True)
    moved = {"train": "test", "val": "test", "test": "train"}
    split = patients_of(read_manifest(str(tmp_path / "split.csv")))["split"]
    other = cohort.assign(split=split.map(moved).where(cohort.index == 0, ""))
    other_path = written(tmp_path, other, "other.csv")
    with pytest.raises(ManifestError, match="another split than the manifest for P000"):
        run(other_path, tmp_path, extend=True)
    after = (tmp_path / "split.csv").read_bytes(), (tmp_path / "folds.parquet").read_bytes()
    assert after == before


def test_folds_that_cannot_be_drawn_leave_no_file(tmp_path):
    """A manifest without the folds that were asked for would pass for a finished run."""
    path = written(tmp_path, made_patients(20, 5))
    with pytest.raises(ManifestError, match="the largest number of folds that works is 2"):
        run(path, tmp_path, fold_count=5)

    assert not (tmp_path / "split.csv").exists()
