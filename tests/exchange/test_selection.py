"""Choice of images by name, and proposals of a pattern for their patients."""

import pytest

from idhray.errors import StorageError
from idhray.exchange.proposals import proposed_pattern
from idhray.exchange.selection import NameSelection

NAMES = ["train/A_1.tif", "train/A_1_mask.tif", "test/B_1.png"]


@pytest.mark.parametrize(
    ("include", "exclude", "chosen"),
    [
        ((), (), NAMES),
        (("*.tif",), (), NAMES[:2]),
        ((), ("*_mask.tif",), [NAMES[0], NAMES[2]]),
        (("train/*",), ("*_mask.*",), NAMES[:1]),
        (("A_*", "B_*"), (), NAMES),
        ((), ("train/*",), NAMES[2:]),
    ],
)
def test_patterns_choose_by_file_name_or_by_path(include, exclude, chosen):
    """A pattern with a slash means the path, as people write it."""
    selection = NameSelection(include=include, exclude=exclude)
    selection.refuse_unused(NAMES, "images")

    assert [name for name in NAMES if selection.admits(name)] == chosen


def test_a_pattern_that_matches_nothing_is_refused():
    """A misspelled exclusion would let the masks in."""
    with pytest.raises(StorageError, match=r"--exclude \*_msk\.tif matches none of 3 images"):
        NameSelection(exclude=("*_msk.tif",)).refuse_unused(NAMES, "images")


@pytest.mark.parametrize(
    ("names", "patients", "example"),
    [
        (["x/TCGA_CS_4941_1996_1.tif"], ["TCGA-CS-4941"], ("TCGA_CS_4941", "TCGA-CS-4941")),
        (["P007/1.png", "P008/1.png"], ["7P", "P7", "P8"], ("P007", "P7")),
        (["slice_12_0007.png"], ["7"], ("0007", "7")),
        (["brats-gli-00005-100.png"], ["BraTS-GLI-00005"], ("brats-gli-00005", "BraTS-GLI-00005")),
    ],
)
def test_a_pattern_is_proposed_where_names_are_spelled_otherwise(names, patients, example):
    """The names seen say where the patient stands."""
    proposal = proposed_pattern(names, patients)

    assert proposal is not None
    assert proposal.matched == len(names)
    assert proposal.example == example


def test_no_pattern_is_proposed_for_strangers():
    """A pattern that finds few would mislead."""
    assert proposed_pattern(["Q1_1.png", "Q2_1.png", "A_1.png"], ["A", "B"]) is None
