"""Folds follow a manifest: patients leave, join and get another label, and nobody else moves."""

import pandas as pd
import pytest

from idhray.cohorts.fold_draw import draw_folds
from idhray.cohorts.fold_follow import followed_folds
from idhray.errors import ManifestError


def cohort_of(names):
    """Patients named after their class."""
    labels = ["mutant" if name[0] == "M" else "wildtype" for name in names]
    return pd.DataFrame({"patient": names, "idh": labels, "grade": "4", "site": ""})


NAMES = [f"{letter}{number:02d}" for letter in "MW" for number in range(12)]
COHORT = cohort_of(NAMES)
FOLDS = draw_folds(COHORT, count=3, seed=1)


def test_whoever_stays_has_the_same_roles_when_others_leave_and_join():
    """Generators and trainings of a fold that nobody entered or left must stay valid."""
    present = cohort_of([*NAMES[1:], "M99"])
    followed = followed_folds(FOLDS, present, 1)

    for fold in FOLDS.numbers():
        before, after = FOLDS.roles(fold), followed.roles(fold)
        assert set(after) == set(present["patient"])
        assert {name: before[name] for name in NAMES[1:]} == {
            name: after[name] for name in NAMES[1:]
        }
    tested = [fold for fold in FOLDS.numbers() if followed.roles(fold)["M99"] == "test"]
    assert len(tested) == 1


def test_a_changed_label_moves_nobody():
    """The correction of one status must not draw the cohort anew."""
    corrected = COHORT.assign(idh=COHORT["idh"].where(COHORT["patient"] != "M03", "wildtype"))
    followed = followed_folds(FOLDS, corrected, 1)

    assert followed.labels() == {**FOLDS.labels(), "M03": "wildtype"}
    for fold in FOLDS.numbers():
        assert followed.roles(fold) == FOLDS.roles(fold)


def test_an_unchanged_cohort_keeps_its_folds_in_any_order_of_rows():
    """The same command continues."""
    followed = followed_folds(FOLDS, COHORT.sample(frac=1, random_state=0), 1)

    pd.testing.assert_frame_equal(followed.table, FOLDS.table)


def test_folds_that_cannot_compare_classes_are_refused():
    """An AUC of one patient has no variance."""
    tested = [name for name, role in FOLDS.roles(2).items() if role == "test" and name[0] == "M"]
    present = COHORT[~COHORT["patient"].isin(tested[1:])]
    with pytest.raises(ManifestError, match="fold 2 would have 1 mutant patients in test"):
        followed_folds(FOLDS, present, 1)


def test_the_manifest_of_another_cohort_is_refused():
    """All would leave."""
    with pytest.raises(ManifestError, match="no patient of the folds is in the manifest"):
        followed_folds(FOLDS, cohort_of(["M77", "W77"]), 1)
