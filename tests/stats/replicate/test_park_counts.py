"""Park's table 1: the verdicts on 20 P values."""

import pytest

from idhray.stats.hypothesis.contingency import FISHER, PEARSON, YATES
from idhray.stats.replicate.cells import tally
from idhray.stats.replicate.park_counts import candidate_tests, exchanged_with, table1
from idhray.stats.replicate.typed import counts_in, typed


@pytest.fixture(scope="module")
def block():
    return table1()


def counted(block):
    return [cell for cell in block.cells if cell.recomputed]


def test_p_values_and_verdicts_are_those_of_r(block, reference):
    """chisq.test and fisher.test on all 20 tables, with their verdicts."""
    expected = reference("published_park")["table1"]
    rows = [row for row in typed("park2021_table1") if row["counts"]]
    tests = candidate_tests([counts_in(row["counts"]) for row in rows])
    by_name = dict(zip(("pearson", "yates", "fisher"), tests, strict=True))

    for i, (cell, other) in enumerate(zip(counted(block), expected, strict=True)):
        verdict = {"no": "mismatch"}.get(other["status_pearson"], other["status_pearson"])
        assert cell.status == verdict, cell
        for name, test in by_name.items():
            if other[f"{name}_P"] is not None:
                p = other[f"{name}_P"]
                assert test.values[i] == pytest.approx(p, rel=1e-6 if p < 1e-3 else 0, abs=1e-6)


def test_pearson_without_yates_is_found_to_be_the_test(block):
    """16 match and 1 is cut off; Yates' correction gives 6 of 12, Fisher's test 11 of 20."""
    rows = [row for row in typed("park2021_table1") if row["counts"]]
    published = [row["p"] for row in rows]
    pearson, yates, fisher = candidate_tests([counts_in(row["counts"]) for row in rows])

    assert [test.name for test in (pearson, yates, fisher)] == [PEARSON, YATES, FISHER]
    assert tally(published, pearson) == {"match": 16, "truncated": 1, "mismatch": 3}
    assert tally(published, yates)["match"] == 6
    assert sum(n for s, n in tally(published, yates).items() if s != "not recomputable") == 12
    assert tally(published, fisher) == {"match": 11, "mismatch": 9}
    assert {cell.convention for cell in counted(block)} == {PEARSON}


def test_the_three_wrong_cells_are_named(block):
    """Two P values of the enhancement category exchanged; necrosis is below .001 by any test."""
    wrong = {(c.row, c.item): c for c in block.cells if c.status == "mismatch"}

    assert set(wrong) == {
        ("Enhancement category", "P*"),
        ("Enhancement category", "P**"),
        ("Necrosis", "P*"),
    }
    assert "swapped with P**" in wrong["Enhancement category", "P*"].remark
    assert "swapped with P*:" in wrong["Enhancement category", "P**"].remark
    assert "<0.001 under every test" in wrong["Necrosis", "P*"].remark


def test_what_decides_the_test_is_marked(block):
    """Cells that no other test gives."""
    alone = {(c.row, c.item) for c in block.cells if c.remark.startswith("only this test")}

    assert ("Necrosis", "P validation") in alone
    assert ("Surrounding high signal intensity", "P+") in alone
    assert ("Margin of non-enhancing lesion", "P*") not in alone


def test_a_swap_needs_both_cells_to_fit_crosswise():
    """One wrong cell beside a right one is no swap."""
    rows = [{"p": "0.01", "group": "a"}, {"p": "0.50", "group": "a"}, {"p": "0.01", "group": "b"}]

    assert exchanged_with(0, rows, [0.5, 0.01, 0.5]) == 1
    assert exchanged_with(0, rows, [0.5, 0.5, 0.01]) is None
    assert exchanged_with(0, rows, [0.3, 0.01, 0.3]) is None


def test_ages_are_not_made_up(block):
    """No table prints them, and synthetic images have none."""
    ages = [cell for cell in block.cells if cell.row.startswith("Median age")]

    assert [cell.status for cell in ages] == ["not recomputable"] * 3
    assert "synthetic images have no age" in ages[1].remark
    assert any("expected counts below 5 (lowest 1.25)" in text for text in block.findings)
