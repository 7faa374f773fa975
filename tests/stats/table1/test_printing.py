"""Table 1 as data frames: every figure once, and every dash with its reason."""

import numpy as np
import pandas as pd

from idhray.stats.hypothesis.contingency import FISHER
from idhray.stats.table1.characteristics import characteristics
from idhray.stats.table1.printing import (
    all_notes,
    characteristics_frame,
    printed_characteristics,
)
from idhray.stats.table1.summaries import Categorical, Continuous

CASES = pd.DataFrame(
    {
        "group": ["wild"] * 4 + ["real"] * 4 + ["gan"] * 2,
        "age": [50, 60, 70, 75, 30, 35, 40, np.nan, np.nan, np.nan],
        "margin": ["clear", "indistinct", "indistinct", "indistinct"] + ["clear"] * 6,
    }
)
ROWS = characteristics(
    CASES,
    [
        Continuous(name="age", label="Age (years)"),
        Categorical(
            name="margin", label="Margin", levels={"clear": "Clear", "indistinct": "Indistinct"}
        ),
    ],
    group="group",
    groups={"wild": "Wildtype", "real": "Mutant", "gan": "Synthetic"},
    comparisons=[("wild", "real"), ("wild", "gan")],
)


def test_printed_cells_are_those_of_a_paper():
    """Median [IQR], n (%), a variable's P and test in its first row, dashes for what is not."""
    frame = printed_characteristics(ROWS)
    age, margin, clear, indistinct = frame.to_dict("records")

    assert list(frame.columns[:5]) == ["Variable", "Level", "Wildtype", "Mutant", "Synthetic"]
    assert (age["Variable"], age["Wildtype"]) == ("Age (years)", "65 [58\u201371]")
    assert (age["Mutant"], age["Synthetic"]) == ("35 [33\u201338]", "\u2013")
    assert (age["Wildtype vs Synthetic: P"], age["Wildtype vs Synthetic: test"]) == ("-", "none")
    assert (margin["Variable"], margin["Wildtype"]) == ("Margin", "")
    assert margin["Wildtype vs Mutant: test"] == FISHER
    assert margin["Wildtype vs Mutant: P"] == "0.143"  # 5 + 5 of the 70 choices
    assert margin["Wildtype vs Mutant: standardized difference"] == "2.45"  # .75 / sqrt(.1875 / 2)
    assert (clear["Level"], clear["Wildtype"]) == ("Clear", "1 (25.0%)")
    assert (indistinct["Wildtype"], indistinct["Wildtype vs Mutant: P"]) == ("3 (75.0%)", "")


def test_numbers_are_one_figure_per_column():
    """For CSV and JSON."""
    age, clear, indistinct = characteristics_frame(ROWS).to_dict("records")

    assert (age["variable"], age["level"], age["Wildtype: median"]) == ("age", "", 65.0)
    assert (age["Mutant: n"], age["Mutant: missing"], age["Synthetic: n"]) == (3, 1, 0)
    assert np.isnan([age["Wildtype: count"], clear["Wildtype: median"]]).all()
    assert (clear["level"], clear["Wildtype: count"], clear["Wildtype: share"]) == (
        "clear",
        1,
        0.25,
    )
    assert clear["Wildtype vs Mutant: p"] == ROWS[1].comparisons[0].test.p
    assert np.isnan(indistinct["Wildtype vs Mutant: p"])
    assert age["notes"] == " ".join(all_notes(ROWS[0]))


def test_every_dash_has_a_note():
    """With the groups that it is about."""
    notes = all_notes(ROWS[0])

    assert "Mutant: missing in 1 of 4 cases, left out here." in notes
    assert "Wildtype vs Synthetic: No values in Synthetic: nothing to compare." in notes


def test_an_empty_table_is_an_empty_frame():
    """No variables, no columns."""
    assert printed_characteristics([]).empty
    assert characteristics_frame([]).empty
