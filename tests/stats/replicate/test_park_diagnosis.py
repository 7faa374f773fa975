"""Park's table 3: counts, contradictions, and methods of its intervals."""

import pytest

from idhray.stats.replicate.areas import PrintedArea, highest_area, interval_finding, lattice_areas
from idhray.stats.replicate.park_diagnosis import table3
from idhray.stats.replicate.park_shares import shares_of
from idhray.stats.replicate.typed import typed

READER2 = "validation, reader 2"


@pytest.fixture(scope="module")
def block():
    return table3()


def row_of(which, model):
    return next(r for r in typed("park2021_table3") if (r["set"], r["model"]) == (which, model))


@pytest.mark.parametrize(
    ("which", "model", "tp", "tn", "swapped"),
    [
        ("training", "1", 22, 76, False),
        ("training", "2", 32, 74, False),
        ("training", "3", 55, 73, False),
        ("validation, reader 1", "1", 4, 33, False),
        ("validation, reader 1", "2", 7, 33, False),
        (READER2, "3", 7, 31, False),
        ("validation with age, reader 1", "1", 7, 33, False),
        ("validation with age, reader 2", "1", 9, 26, True),
        ("validation with age, reader 2", "2", 10, 23, True),
        ("validation with age, reader 2", "3", 10, 23, True),
    ],
)
def test_counts_are_the_only_ones_that_print_so(which, model, tp, tn, swapped):
    """With age, reader 2's two columns fit their classes only when exchanged."""
    found = shares_of(row_of(which, model))

    assert (found.sensitivity * found.mutants, found.specificity * found.wildtypes) == (tp, tn)
    assert found.swapped is swapped
    assert found.right == tp + tn


def test_counts_are_those_of_the_reference(reference):
    """Typed and counted a second time, for R."""
    known = {
        "train M1": ("training", "1"),
        "train M2": ("training", "2"),
        "train M3": ("training", "3"),
        "valid R1 M1": ("validation, reader 1", "1"),
        "valid R1 M2": ("validation, reader 1", "2"),
        "valid R1 M3": ("validation, reader 1", "3"),
        "valid R2 M3": (READER2, "3"),
        "age R1 all models": ("validation with age, reader 1", "2"),
        "age R2 M1 (columns swapped)": ("validation with age, reader 2", "1"),
        "age R2 M2,M3 (columns swapped)": ("validation with age, reader 2", "3"),
    }
    rows = {case["row"]: case for case in reference("published_park")["table3"]}

    for name, place in known.items():
        found, case = shares_of(row_of(*place)), rows[name]
        assert f"{found.right}/{row_of(*place)['n']}" == case["accuracy"]
        assert float(found.sensitivity) == pytest.approx(case["sens"], abs=1e-12)
        assert float(found.specificity) == pytest.approx(case["spec"], abs=1e-12)


def test_reader_2_has_a_sensitivity_that_no_count_gives(block, cell):
    """62.7% is neither k/11 nor k/33; and 38/44 cannot be reached beside 21/33."""
    for model in ("1", "2"):
        found = cell([block], "Table 3", f"model {model}, {READER2}", "sensitivity")
        assert (found.status, found.remark) == (
            "impossible",
            "no count of 11 or of 33 gives 62.7%",
        )
    accuracy = cell([block], "Table 3", f"model 1, {READER2}", "accuracy")
    assert (accuracy.status, accuracy.recomputed) == ("mismatch", "28/44 = 63.6%")
    assert "no sensitivity reaches more than 32/44" in accuracy.remark


def test_41_of_44_contradicts_its_own_row(block, cell):
    """7/11 and 31/33 are 38/44; any split of 41/44 would beat the printed Youden point."""
    found = cell([block], "Table 3", f"model 3, {READER2}", "accuracy")

    assert (found.published, found.recomputed) == ("41/44 (93.2%)", "38/44 = 86.4%")
    assert found.status == "mismatch"
    assert "0.727 or more, this row's optimum 0.576" in found.remark


def test_swapped_columns_are_named(block, cell):
    """78.8% is 26/33 and 81.8% is 9/11."""
    row = "model 1, validation with age, reader 2"

    assert "78.8% is 26/33" in cell([block], "Table 3", row, "sensitivity").remark
    assert "81.8% is 9/11" in cell([block], "Table 3", row, "specificity").remark
    assert cell([block], "Table 3", row, "accuracy").recomputed == "35/44 = 79.5%"


def test_two_interval_methods_stand_in_one_table(block):
    """Exact binomial in training, symmetric about the area in validation."""
    found = {c.row: c for c in block.cells if c.item == "AUC 95% CI"}
    training = [c for row, c in found.items() if row.endswith("training")]

    assert {(c.convention, c.status) for c in training} == {("exact binomial (MedCalc)", "match")}
    others = [c for row, c in found.items() if not row.endswith("training")]
    assert len(others) == 12
    assert all(c.convention.startswith("DeLong-compatible (symmetric)") for c in others)
    assert all(c.status == "not recomputable" for c in others)


@pytest.mark.parametrize(
    ("which", "model", "se"),
    [
        ("validation, reader 1", "1", 0.0911),
        ("validation, reader 1", "2", 0.1176),
        (READER2, "1", 0.1061),
        (READER2, "3", 0.0857),
    ],
)
def test_implied_standard_errors(block, cell, which, model, se):
    """Half of the printed width over 1.96."""
    found = cell([block], "Table 3", f"model {model}, {which}", "AUC 95% CI")

    assert found.value == pytest.approx(se, abs=5e-5)


def test_the_center_of_an_interval_tells_neighboring_areas_apart():
    """.747 with the center .7475 is 271.5 of 363 pairs, cut off; alone it would be 271."""
    alone = lattice_areas(PrintedArea(auc="0.747", n_mutant=11, n_wildtype=33))
    inside = lattice_areas(
        PrintedArea(auc="0.747", n_mutant=11, n_wildtype=33, low="0.517", high="0.978")
    )

    assert (alone[0], [float(a * 363) for a in alone[1]]) == ("match", [271.0])
    assert (inside[0], [float(a * 363) for a in inside[1]]) == ("truncated", [271.5])


def test_all_areas_of_the_validation_set_are_on_the_lattice(block):
    """k/2 of 363 pairs, all eight of them."""
    areas = [c for c in block.cells if c.item == "AUC" and "validation" in c.row]

    assert len(areas) == 12
    assert {c.status for c in areas} == {"match", "truncated"}


def test_an_asymmetric_interval_has_no_method_here():
    """Neither method tried gives it, and it cannot be DeLong's."""
    found = interval_finding(
        PrintedArea(auc="0.800", n_mutant=20, n_wildtype=20, low="0.700", high="0.820")
    )

    assert (found.status, found.method) == ("mismatch", "no method found")


def test_hanley_mcneil_is_recognized():
    """265 of 288 pairs with 18 and 16 patients: .824 to 1 (Liu's baseline, table 1)."""
    found = interval_finding(
        PrintedArea(auc="0.920", n_mutant=18, n_wildtype=16, low="0.824", high="1.000")
    )

    assert (found.status, found.method) == ("match", "Hanley-McNeil")


def test_a_youden_point_bounds_the_area(block):
    """J = .263 allows at most .728, so .773 is impossible; only these two rows break the bound."""
    broken = {c.row: c for c in block.cells if c.item == "AUC, its point"}

    assert set(broken) == {f"model {model}, {READER2}" for model in ("1", "2")}
    assert broken[f"model 1, {READER2}"].value == pytest.approx(0.728, abs=5e-4)
    assert "at most 0.736" in broken[f"model 1, {READER2}"].remark
    assert highest_area(1, 1) == 1.0
    assert highest_area(0.5, 0.5) == 0.5


def test_rows_printed_twice_are_found(block):
    """Models 2 and 3 of reader 1, models 1 and 2 of reader 2, and both with age."""
    twins = [text for text in block.findings if "same five figures" in text]

    assert len(twins) == 4
    assert "Models 1 and 2 print the same five figures: validation, reader 2." in twins
