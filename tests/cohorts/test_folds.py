"""Folds: reading, writing and refusals."""

import pandas as pd
import pytest

from idhray.cohorts.folds import folds_of_roles, folds_of_split, read_folds, write_folds
from idhray.errors import ManifestError

LABELS = {"A": "mutant", "B": "mutant", "C": "wildtype", "D": "wildtype"}
ROLES = {
    1: {"A": "test", "B": "train", "C": "test", "D": "val"},
    2: {"A": "train", "B": "test", "C": "train", "D": "test"},
}


def folds_file(tmp_path, *changes):
    """CSV of `ROLES` with some rows replaced: (row index, column, value) or (row index, None)."""
    table = folds_of_roles(LABELS, ROLES).table.astype(object)
    for row, column, value in changes:
        table.loc[row, column] = value
    path = tmp_path / "folds.csv"
    table.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv"])
@pytest.mark.parametrize("by", ["patient", "site"])
def test_folds_survive_writing_and_reading(tmp_path, ending, by):
    """All trainings of a study, and later runs, read the folds from the file."""
    folds = folds_of_roles(LABELS, ROLES, by)
    write_folds(str(tmp_path / f"folds.{ending}"), folds)
    again = read_folds(str(tmp_path / f"folds.{ending}"))

    pd.testing.assert_frame_equal(again.table, folds.table)
    assert (again.by, again.numbers()) == (by, (1, 2))
    assert again.roles(2) == ROLES[2]
    assert again.labels() == LABELS
    with pytest.raises(ManifestError, match="no fold 3; the folds are 1 to 2"):
        again.roles(3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param([(0, "patient", "B")], "fold 1: more than one row for B", id="twice"),
        pytest.param([(0, "patient", "B")], "fold 1: no row for A", id="missing"),
        pytest.param([(0, "role", "tset")], "role is 'tset'; write train", id="role"),
        pytest.param([(0, "idh", "")], "idh is ''; write mutant", id="no label"),
        pytest.param([(0, "idh", "wildtype")], "two labels for A", id="two labels"),
        pytest.param([(0, "fold", "0")], "fold is '0'; number", id="fold 0"),
        pytest.param([(k, "fold", "3") for k in range(4)], "fold 1 has no rows", id="gap"),
        pytest.param([(0, "role", "val")], "tested in no fold: A", id="never tested"),
        pytest.param([(1, "role", "test")], "tested in more than one fold: B", id="tested twice"),
        pytest.param([(0, "by", "ward")], "by is ", id="by"),
    ],
)
def test_folds_that_contradict_themselves_are_refused(tmp_path, changes, message):
    """Each of these would test a patient in training, twice, or never."""
    with pytest.raises(ManifestError, match=message):
        read_folds(folds_file(tmp_path, *changes))


def test_a_table_without_the_columns_or_without_rows_is_refused(tmp_path):
    """A manifest given by mistake has no folds."""
    (tmp_path / "manifest.csv").write_text("patient,idh,split\nA,mutant,test\n")
    (tmp_path / "empty.csv").write_text("patient,idh,fold,role\n")

    with pytest.raises(ManifestError, match="no column fold, role"):
        read_folds(str(tmp_path / "manifest.csv"))
    with pytest.raises(ManifestError, match="no rows"):
        read_folds(str(tmp_path / "empty.csv"))


def test_a_split_is_one_fold_of_the_labeled_patients(tmp_path):
    """The paper's design is an experiment with one fold; most patients are never tested."""
    cohort = pd.DataFrame(
        [
            ("A", "mutant", "train"),
            ("A", "mutant", "train"),
            ("B", "wildtype", "test"),
            ("C", "", "train"),
        ],
        columns=["patient", "idh", "split"],
    )
    folds = folds_of_split(cohort)
    write_folds(str(tmp_path / "folds.parquet"), folds)

    assert folds.roles(1) == {"A": "train", "B": "test"}
    assert read_folds(str(tmp_path / "folds.parquet")).roles(1) == folds.roles(1)
    with pytest.raises(ManifestError, match="no split for B"):
        folds_of_split(cohort.assign(split=["train", "train", "", "train"]))
    with pytest.raises(ManifestError, match="no patient has an IDH status"):
        folds_of_split(cohort.assign(idh=""))
