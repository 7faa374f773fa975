"""Draw of folds: balance, and refusals with the number of folds that works."""

import pandas as pd
import pytest

from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.folds import folds_of_split, read_folds, write_folds
from idhray.cohorts.manifest import with_split
from idhray.errors import ManifestError
from tests.cohorts.made_cohort import made_patients, roles_of, sizes_of


@pytest.mark.parametrize("by", ["patient", "site"])
@pytest.mark.parametrize("count", [2, 5])
def test_each_labeled_patient_is_tested_once_and_unlabeled_patients_are_left_out(
    tmp_path, by, count
):
    """All patients count, none twice; the file that is read back passes its own checks."""
    cohort = made_patients(50, 40, unlabeled=7)
    folds = draw_folds(cohort, count=count, seed=1, by=by)
    write_folds(str(tmp_path / "folds.parquet"), folds)
    again = read_folds(str(tmp_path / "folds.parquet"))

    roles = roles_of(again)
    assert set(roles.index) == set(cohort.loc[cohort["idh"] != "", "patient"])
    assert ((roles == "test").sum(axis=1) == 1).all()
    assert again.numbers() == tuple(range(1, count + 1))
    for role in ("train", "val", "test"):
        assert (sizes_of(again, role) >= 2).all(axis=None)


@pytest.mark.parametrize("seed", range(3))
def test_folds_by_patient_balance_labels_and_grades(seed):
    """An unbalanced fold has a wide interval, and grades are the strongest rival of the image."""
    cohort = made_patients(136, 130, seed=seed)
    folds = draw_folds(cohort, count=5, seed=seed)

    for role, spread in (("test", 1), ("val", 0), ("train", 1)):
        sizes = sizes_of(folds, role)
        assert (sizes.max() - sizes.min() <= spread).all()
    assert sizes_of(folds, "val").loc[1].to_dict() == {"mutant": 17, "wildtype": 16}
    graded = folds.table.merge(cohort[["patient", "grade"]], on="patient")
    by_grade = graded.groupby(["role", "idh", "grade", "fold"]).size().unstack(fill_value=0)
    spread = by_grade.max(axis=1) - by_grade.min(axis=1)
    assert (spread[["test"]] <= 1).all()
    assert (spread[["val"]] <= 1).all()


def test_folds_depend_on_seed_and_names_and_not_on_the_order_of_rows():
    """A re-sorted spreadsheet must give the same study."""
    cohort = made_patients(30, 30)
    for by in ("patient", "site"):
        forward = draw_folds(cohort, count=3, seed=3, by=by)
        backward = draw_folds(cohort.iloc[::-1], count=3, seed=3, by=by)
        other = draw_folds(cohort, count=3, seed=4, by=by)

        pd.testing.assert_frame_equal(forward.table, backward.table)
        assert not forward.table.equals(other.table)


def test_one_fold_is_the_split_of_the_manifest():
    """The paper's design is an experiment with one fold."""
    cohort = made_patients(136, 130)
    drawn = draw_folds(cohort, count=1, seed=0)
    folds = draw_folds(with_split(cohort, seed=5), count=1, seed=0)

    assert sizes_of(drawn, "train").loc[1].to_dict() == {"mutant": 100, "wildtype": 98}
    pd.testing.assert_frame_equal(folds.table, folds_of_split(with_split(cohort, seed=5)).table)
    with pytest.raises(ManifestError, match="one fold is the split by patient"):
        draw_folds(cohort, count=1, seed=0, by="site")


@pytest.mark.parametrize(
    ("sizes", "count", "advice"),
    [
        pytest.param((50, 12), 7, "the largest number of folds that works is 6", id="TCGA MRI"),
        pytest.param((9, 40), 5, "the largest number of folds that works is 4", id="odd class"),
        pytest.param((3, 40), 2, "no number of folds works; add patients", id="class of three"),
        pytest.param((0, 40), 2, "no number of folds works; add patients", id="one class"),
    ],
)
def test_a_fold_that_would_test_fewer_than_two_of_a_class_is_refused(sizes, count, advice):
    """Such a fold has no variance of its AUC; the number that works is told, and does work."""
    cohort = made_patients(*sizes)

    with pytest.raises(ManifestError, match=advice):
        draw_folds(cohort, count=count, seed=0)
    if advice[-1].isdigit():
        assert (sizes_of(draw_folds(cohort, count=int(advice[-1]), seed=0), "test") >= 2).all(
            axis=None
        )


@pytest.mark.parametrize("seed", range(3))
def test_folds_by_site_tear_no_site(seed, caplog):
    """A network that knows a site's scanner knows its share of mutants (Howard et al. 2021)."""
    cohort = made_patients(136, 130, sites=25, seed=seed)
    folds = draw_folds(cohort, count=5, seed=seed, by="site")

    sited = folds.table.merge(cohort[["patient", "site"]], on="patient")
    assert (sited.groupby(["fold", "site"])["role"].nunique() == 1).all()
    sizes = sizes_of(folds, "test")
    assert (sizes.max() - sizes.min() <= 6).all()
    assert (sizes_of(folds, "val") >= 8).all(axis=None)
    assert not caplog.messages


def test_validation_patients_share_sites_with_training_only_with_a_warning(caplog):
    """With two sites, one is tested and the other must both train and validate."""
    cohort = made_patients(20, 20)
    cohort["site"] = ["north", "south"] * 20
    folds = draw_folds(cohort, count=2, seed=0, by="site")

    sited = folds.table.merge(cohort[["patient", "site"]], on="patient")
    assert (sited[sited["role"] == "test"].groupby("fold")["site"].nunique() == 1).all()
    assert [text[:7] for text in caplog.messages] == ["fold 1:", "fold 2:"]
    assert "validation patients share sites with training patients" in caplog.text


def test_a_class_that_one_site_holds_alone_is_refused_with_the_reason():
    """Other folds would lack the class; by patient the draw works."""
    cohort = made_patients(20, 20)
    cohort["site"] = [
        "north" if label == "mutant" else f"s{i % 4}" for i, label in enumerate(cohort["idh"])
    ]

    with pytest.raises(ManifestError) as refusal:
        draw_folds(cohort, count=3, seed=0, by="site")
    assert "mutant patients are at 1 site(s) (north: 20)" in str(refusal.value)
    assert "no number of folds works; add patients, or draw by patient" in str(refusal.value)


def test_the_largest_number_of_folds_by_site_is_told():
    """Three sites hold both classes, so three folds are the most."""
    cohort = made_patients(20, 20)
    cohort["site"] = [f"s{i % 3}" for i in range(40)]

    with pytest.raises(ManifestError, match="the largest number of folds that works is 3"):
        draw_folds(cohort, count=5, seed=0, by="site")
    assert (sizes_of(draw_folds(cohort, count=3, seed=0, by="site"), "test") >= 2).all(axis=None)


def test_a_patient_without_a_site_is_refused_by_site():
    """Nobody can tell whether the patient's site is in the training part."""
    cohort = made_patients(20, 20)
    cohort.loc[3, "site"] = ""

    with pytest.raises(ManifestError, match="no site for P003; fill in"):
        draw_folds(cohort, count=3, seed=0, by="site")
    assert draw_folds(cohort, count=3, seed=0).numbers() == (1, 2, 3)
