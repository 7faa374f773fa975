"""Changes of a manifest in words, and the refusal of one that lost many rows."""

import pytest

from idhray.cohorts.manifest import manifest_frame
from idhray.cohorts.manifest_changes import changes_training, manifest_changes, refuse_many_gone
from idhray.errors import ManifestError


def manifest(*rows):
    return manifest_frame(
        [{"patient": p, "idh": idh, "age": age, "slide": f"/a/{p}.svs"} for p, idh, age in rows]
    )


ROWS = (("A", "mutant", "40"), ("B", "wildtype", "50"), ("C", "mutant", ""))
BEFORE = manifest(*ROWS)


def test_each_kind_of_change_has_one_line_with_an_example():
    """The user must see what a manifest changes before days are spent on it."""
    after = manifest(("A", "wildtype", "41"), ("B", "wildtype", "50"), ("D", "mutant", "60"))

    assert manifest_changes(BEFORE, after) == [
        "1 patients leave (C)",
        "1 patients join (D)",
        "idh of 1 patients (A: mutant, now wildtype)",
        "age of 1 patients (A: 40, now 41)",
    ]


def test_order_paths_and_unused_columns_are_no_change():
    """A moved archive is the same archive."""
    moved = BEFORE.iloc[::-1].assign(slide="/b/" + BEFORE["patient"] + ".svs", scanner="new")

    assert manifest_changes(BEFORE, moved) == []
    refuse_many_gone(BEFORE, moved, "manifest.csv")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BEFORE.iloc[::-1].assign(slide="/b/" + BEFORE["patient"] + ".svs", age="41"), False),
        (manifest(*ROWS, ("D", "", "60")), False),
        (manifest(*ROWS, ("D", "mutant", "60")), True),
        (manifest(*ROWS[:2]), True),
        (BEFORE.assign(idh="mutant"), True),
        (BEFORE.assign(split="train"), True),
        (BEFORE.assign(slide="/a/" + BEFORE["patient"] + "-2.svs"), True),
    ],
)
def test_trainings_read_patients_slides_labels_and_splits_only(after, expected):
    """An age, a moved archive or a patient without a label concerns no training."""
    assert changes_training(BEFORE, after) == expected


def test_a_manifest_that_lost_more_than_a_fifth_of_its_rows_is_refused():
    """A truncated file must not empty a study."""
    with pytest.raises(ManifestError, match=r"1 of 3 rows .* are gone \(C, \.\.\.\).*--update"):
        refuse_many_gone(BEFORE, BEFORE.iloc[:2], "manifest.csv")
    renamed = BEFORE.assign(patient=["X", "Y", "Z"])
    refuse_many_gone(BEFORE, renamed, "manifest.csv")
