"""Marks in cells and what stands below the table."""

import pandas as pd

from idhray.stats.footnotes import Footnotes, marks_in


def test_a_reason_has_one_letter_however_often_it_is_met():
    """The footnotes come in the order in which their marks do."""
    reasons = Footnotes()
    marks = [reasons.mark(text) for text in ("no age.", "no P", "no age")]

    assert marks == ["\u00a0\u1d43", "\u00a0\u1d47", "\u00a0\u1d43"]
    assert reasons.notes == ["\u1d43 no age", "\u1d47 no P"]


def test_the_thirteenth_reason_has_a_number():
    """Letters end at l."""
    reasons = Footnotes()
    marks = [reasons.mark(f"reason {number}") for number in range(13)]

    assert len(set(marks)) == 13
    assert marks[-1].endswith("[13]")


def test_only_marks_that_occur_are_explained():
    """A footnote to nothing would send the reader searching."""
    frame = pd.DataFrame({"AUC": ["0.9 *", 0.8]})

    assert marks_in(frame, {"*": "exact", "\u2020": "flatters"}) == ["* exact"]
