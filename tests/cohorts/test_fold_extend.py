"""Newcomers join folds; nobody moves."""

import pandas as pd
import pytest

from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.fold_extend import extended_folds
from idhray.cohorts.folds import read_folds, write_folds
from idhray.errors import ManifestError
from tests.cohorts.made_cohort import made_patients, roles_of, sizes_of, with_newcomers


@pytest.mark.parametrize("newcomers", [(1, 0), (0, 1), (25, 15)])
@pytest.mark.parametrize("by", ["patient", "site"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_newcomers_move_nobody(tmp_path, newcomers, by, count):
    """A patient who moves from a test part to training is judged by a network that knows them."""
    cohort = made_patients(40, 33, sites=12)
    folds = draw_folds(cohort, count=count, seed=2, by=by if count > 1 else "patient")
    joined = made_patients(*newcomers, sites=14, seed=9, unlabeled=2, prefix="A")
    larger = extended_folds(folds, with_newcomers(cohort, joined), seed=7)
    write_folds(str(tmp_path / "folds.csv"), larger)

    before, after = roles_of(folds), roles_of(read_folds(str(tmp_path / "folds.csv")))
    pd.testing.assert_frame_equal(after.loc[before.index], before)
    assert len(after) == len(before) + sum(newcomers)
    again = extended_folds(larger, with_newcomers(cohort, joined), seed=8)
    assert again.table.equals(larger.table)


@pytest.mark.parametrize("by", ["patient", "site"])
def test_places_of_newcomers_do_not_depend_on_the_order_of_rows(by):
    """Two machines that read the same manifest must come to the same folds."""
    cohort, joined = made_patients(40, 33), made_patients(20, 10, seed=9, prefix="A")
    folds, larger = draw_folds(cohort, count=4, seed=2, by=by), with_newcomers(cohort, joined)
    forward = extended_folds(folds, larger, seed=7)

    pd.testing.assert_frame_equal(
        extended_folds(folds, larger.iloc[::-1], seed=7).table, forward.table
    )


def test_newcomers_fill_the_folds_evenly():
    """Forty newcomers at one end of the alphabet must not all be tested in fold 1."""
    cohort, joined = made_patients(50, 45), made_patients(30, 10, seed=3, prefix="A")
    larger = with_newcomers(cohort, joined)
    folds = extended_folds(draw_folds(cohort, count=5, seed=0), larger, seed=1)

    tests, validation = sizes_of(folds, "test"), sizes_of(folds, "val")
    assert (tests.max() - tests.min() <= 3).all()
    assert ((validation - pd.Series({"mutant": 10, "wildtype": 55 / 8})).abs() <= 3).all(axis=None)
    graded = folds.table.merge(larger[["patient", "grade"]], on="patient")
    strata = graded[graded["role"] == "test"].groupby(["idh", "grade", "fold"]).size().unstack()
    assert (strata.max(axis=1) - strata.min(axis=1) <= 1).all()


def test_a_new_site_goes_whole_and_a_known_site_stays_whole():
    """Folds by site promise that no test site was trained on, also in later runs."""
    cohort = made_patients(60, 60, sites=12)
    folds = draw_folds(cohort, count=4, seed=0, by="site")
    joined = made_patients(20, 20, sites=12, seed=5, prefix="A")
    joined["site"] = joined["site"].where(joined.index % 2 == 0, "NEW" + joined["site"].str[1:2])
    larger = with_newcomers(cohort, joined)
    sited = extended_folds(folds, larger, seed=0).table.merge(larger[["patient", "site"]])

    tested = sited[sited["role"] == "test"]
    assert (tested.groupby("site")["fold"].nunique() == 1).all()
    roles = sited.groupby(["fold", "site"])["role"].agg(set)
    assert all(len(each) == 1 or "test" not in each for each in roles)


def test_patients_who_left_the_manifest_keep_their_roles():
    """They are in older results; if they come back, they must come back to the same place."""
    cohort = made_patients(20, 20)
    folds = draw_folds(cohort, count=3, seed=0)
    joined = made_patients(3, 0, prefix="A")
    larger = extended_folds(folds, with_newcomers(cohort.iloc[10:], joined), seed=0)

    pd.testing.assert_frame_equal(roles_of(larger).loc[cohort["patient"]], roles_of(folds))


def test_contradictions_between_folds_and_cohort_are_refused():
    """A patient of another label is in the wrong stratum; a torn site was trained on."""
    cohort = made_patients(20, 20)
    folds = draw_folds(cohort, count=3, seed=0, by="site")
    other = cohort.assign(idh=cohort["idh"].where(cohort.index > 0, "wildtype"))
    moved = with_newcomers(cohort.assign(site="S01"), made_patients(1, 0, sites=1, prefix="A"))

    with pytest.raises(ManifestError, match="P000: mutant in the folds, wildtype in the manifest"):
        extended_folds(folds, other, seed=0)
    with pytest.raises(ManifestError, match="the column `site` has changed"):
        extended_folds(folds, moved.assign(site="S01"), seed=0)
