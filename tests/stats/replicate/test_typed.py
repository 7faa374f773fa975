"""The typed tables: against R's copy of them, and against each other."""

from fractions import Fraction

import pytest

from idhray.stats.replicate.typed import counts_in, fractions_that_print, number_in, typed
from idhray.stats.sample import SampleError

NAMES = (
    "park2021_table1",
    "park2021_table2",
    "park2021_table3",
    "park2021_text",
    "liu2020_table123",
    "liu2020_table4",
    "liu2020_table56",
    "liu2020_text",
)
SHORT = {"sensitivity": "sens", "specificity": "spec", "accuracy": "acc", "auc": "auc"}


@pytest.mark.parametrize("name", NAMES)
def test_rows_have_names_of_their_own(name):
    """A finding names its row; two of one name in a set could not be told apart."""
    rows = typed(name)
    labels = [(row["source"], row["set"], row["row"]) for row in rows]

    assert len(set(labels)) == len(rows) > 5
    assert all(row["row"] for row in rows)
    assert all(value == value.strip() for row in rows for value in row.values())


def test_table_1_of_park_is_that_of_the_reference(reference):
    """Counts and P values were typed twice, once here and once for R."""
    rows = [row for row in typed("park2021_table1") if row["counts"]]
    expected = reference("published_park")["table1"]

    assert len(rows) == len(expected) == 20
    for row, other in zip(rows, expected, strict=True):
        assert [list(level) for level in counts_in(row["counts"])] == other["counts"]
        assert row["p"] == other["published_P"]


def test_tables_1_to_3_of_liu_are_those_of_the_reference(reference):
    """The same for Liu's 26 rows."""
    rows = typed("liu2020_table123")
    expected = reference("published_liu")["rows"]

    assert len(rows) == len(expected) == 26
    for row, other in zip(rows, expected, strict=True):
        assert (row["source"][-1], row["set"]) == (other["table"][-1], other["set"])
        for name, short in SHORT.items():
            assert float(row[name]) == other[short]


def test_contrasts_of_table_2_have_the_counts_of_table_1():
    """They are copied out of it, level by level; model 3 pools the mutants."""
    levels = {}
    for row in typed("park2021_table1"):
        if row["counts"] and row["set"] == "training":
            for level, counts in zip(
                row["levels"].split("; "), counts_in(row["counts"]), strict=True
            ):
                levels.setdefault((row["variable"], level), {})[row["contrast"]] = counts
    rows = [row for row in typed("park2021_table2") if row["analysis"] == "univariable"]

    assert len(rows) == 21
    for row in rows:
        for level, counts in zip(
            (row["level"], row["reference"]), counts_in(row["counts"]), strict=True
        ):
            of = levels[row["variable"], level]
            wild, real = of["P*"]
            mutants = {"1": real, "2": of["P**"][1], "3": real + of["P**"][1]}[row["model"]]
            assert counts == (wild, mutants)
            assert of["P+"] == (real, of["P**"][1])


def test_cells_are_read_as_counts_and_fractions():
    """57.9% of 38 can only be 22; 62.7% is no count of 11."""
    assert counts_in("47/19; 28/8; 5/11") == [(47, 19), (28, 8), (5, 11)]
    assert fractions_that_print("57.9%", 38) == [Fraction(22, 38)]
    assert fractions_that_print("62.7%", 11) == []
    assert fractions_that_print("0.813", 16) == [Fraction(13, 16)]


def test_a_slip_in_a_table_is_named():
    """Not a traceback of `Fraction`."""
    with pytest.raises(SampleError, match="'0,5' is not a number"):
        number_in("0,5")
