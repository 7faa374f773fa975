"""Both papers recomputed (benchmarks/papers): the committed output, R's figures, and the rules."""

import csv
import io
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks.papers import replicate
from benchmarks.papers.age_expected import expected_performance
from benchmarks.papers.areas import lattice_areas
from benchmarks.papers.cells import (
    best_convention,
    counts_in,
    fractions_that_print,
    status_of,
    typed,
)
from benchmarks.papers.liu_age import age_model
from benchmarks.papers.liu_patients import pooled_mean_sd
from benchmarks.papers.liu_tables import class_sizes_that_fit, counts_of_row
from benchmarks.papers.park_features import explanation, lost_digit, splits_that_give
from benchmarks.papers.park_intervals import RULES, interval_of
from benchmarks.papers.park_table1 import TESTS, exchanged_with
from benchmarks.papers.park_table3 import shares_of
from benchmarks.papers.render import WIDTH, csv_of, text_of
from benchmarks.papers.untested import best_mcnemar, nagelkerke, paired_area_p
from idhray.stats.audit.contrasts import log_odds_ratio, wald_p

RESULTS = Path(replicate.__file__).parent / "results"
PARK3 = {
    "train M1": ("training", "1"),
    "train M2": ("training", "2"),
    "train M3": ("training", "3"),
    "valid R1 M1": ("validation, reader 1", "1"),
    "valid R1 M2": ("validation, reader 1", "2"),
    "valid R1 M3": ("validation, reader 1", "3"),
    "valid R2 M3": ("validation, reader 2", "3"),
    "age R1 all models": ("validation with age, reader 1", "2"),
    "age R2 M1 (columns swapped)": ("validation with age, reader 2", "1"),
    "age R2 M2,M3 (columns swapped)": ("validation with age, reader 2", "3"),
}


@pytest.fixture(scope="module")
def blocks():
    """All blocks of each paper, made once."""
    return {name: blocks_of() for name, blocks_of in replicate.PAPERS.items()}


def cells(blocks, paper, title):
    """The cells of the block whose title starts so."""
    return next(b for b in blocks[paper] if b.title.startswith(title)).cells


@pytest.mark.parametrize("paper", replicate.PAPERS)
def test_every_committed_cell_is_recomputed(blocks, paper):
    """The proof that our statistics reproduce the papers; values may differ in the last digit."""
    committed = list(csv.DictReader((RESULTS / f"{paper}.csv").read_text().splitlines()))
    rows = list(csv.DictReader(io.StringIO(csv_of(blocks[paper]))))

    assert len(rows) == len(committed) > 180
    for row, other in zip(rows, committed, strict=True):
        value, expected = row.pop("value"), other.pop("value")
        assert row == other
        assert bool(value) == bool(expected)
        assert not value or float(value) == pytest.approx(float(expected), rel=1e-9, abs=1e-12)
    text = text_of(blocks[paper])
    assert text == (RESULTS / f"{paper}.txt").read_text()
    assert max(map(len, text.splitlines())) <= WIDTH


def test_table_1_of_park_is_that_of_r(blocks, reference):
    """chisq.test and fisher.test on all 20 tables, whose cells were typed twice."""
    expected = reference("published_park")["table1"]
    rows = [row for row in typed("park2021_table1") if row["counts"]]
    recomputed = [cell for cell in cells(blocks, "park2021", "Table 1") if cell.recomputed]

    for row, cell, other in zip(rows, recomputed, expected, strict=True):
        counts = counts_in(row["counts"])
        assert [list(level) for level in counts] == other["counts"]
        assert row["p"] == other["published_P"]
        assert cell.status == {"no": "mismatch"}.get(other["status_pearson"], cell.status)
        for p_of, name in zip(TESTS.values(), ("pearson", "yates", "fisher"), strict=True):
            if (p := other[f"{name}_P"]) is not None:
                assert p_of(counts) == pytest.approx(p, rel=1e-6 if p < 1e-3 else 0, abs=1e-6)


def test_table_2_of_park_is_that_of_r(blocks, reference):
    """21 fits of glm, with their verdicts."""
    expected = reference("published_park")["table2_univariate"]
    recomputed = cells(blocks, "park2021", "Table 2, univariable")

    for beta, p, other in zip(recomputed[::2], recomputed[1::2], expected, strict=True):
        assert beta.value == pytest.approx(other["beta"], abs=1e-6)
        assert p.value == pytest.approx(other["wald_P"], rel=1e-6, abs=0)
        for cell, status in ((beta, other["status_beta"]), (p, other["status_P"])):
            assert cell.status == {"no": "mismatch"}.get(status, status), cell


def test_table_3_of_park_has_the_counts_of_the_reference(reference):
    """Typed and counted a second time; with age, reader 2's columns fit only when exchanged."""
    expected = {case["row"]: case for case in reference("published_park")["table3"]}

    for name, (which, model) in PARK3.items():
        row = next(r for r in typed("park2021_table3") if (r["set"], r["model"]) == (which, model))
        shares, exchanged = shares_of(row)
        assert [float(s) for s in shares] == pytest.approx(
            [expected[name]["sens"], expected[name]["spec"]], abs=1e-12
        )
        assert exchanged is ("swapped" in name)


def test_tables_1_to_3_of_liu_are_those_of_the_reference(blocks, reference):
    """Counts, pairs and intervals of 26 rows, typed twice."""
    three = (c for n in (1, 2, 3) for c in cells(blocks, "liu2020", f"Table {n}"))
    recomputed = iter([cell for cell in three if cell.item != "added share"])
    expected = reference("published_liu")["rows"]

    for row, case in zip(typed("liu2020_table123"), expected, strict=True):
        sensitivity, specificity, accuracy, area = (next(recomputed) for _ in range(4))
        assert counts_of_row(row) == (case["tp"], case["tn"])
        assert (sensitivity.published, specificity.published) == (
            f"{case['sens']:.3f}",
            f"{case['spec']:.3f}",
        )
        assert accuracy.recomputed.split(" ")[0] == case["accuracy_count"]
        assert (area.status == "match") is case["auc_on_lattice"]
        assert not case["auc_on_lattice"] or area.value == case["U_of_288"]
        exact, hanley = case["accuracy_clopper_pearson"], case["hanley_mcneil_ci"]
        assert f"{exact[0]:.3f}-{exact[1]:.3f}" in accuracy.remark
        assert f"{hanley[0]:.3f}-{hanley[1]:.3f}" in area.remark


@pytest.mark.parametrize(
    ("cohort", "threshold", "lower", "linear", "shares", "auc", "accuracy"),
    [
        ("TCGA", 50.4, -196, 49.9, (0.688, 0.649), 0.731, 0.669),
        ("local", 54.9, 28.1, 49.6, (0.817, 0.501), 0.666, 0.668),
        ("combined", 51.6, -26, 49.8, (0.721, 0.599), 0.717, 0.664),
    ],
)
def test_age_models_are_those_of_r(cohort, threshold, lower, *, linear, shares, auc, accuracy):
    """Thresholds, second roots and expected performance from means and SDs alone (R 4.2.2)."""
    model = age_model(cohort)
    expected = expected_performance(model)

    assert model.threshold() == pytest.approx(threshold, abs=0.05)
    assert min(model.roots()) == pytest.approx(lower, abs=0.5)
    assert age_model(cohort, shared=True).threshold() == pytest.approx(linear, abs=0.05)
    assert (expected.sensitivity, expected.specificity) == pytest.approx(shares, abs=5e-4)
    assert (expected.auc_by_age, expected.accuracy) == pytest.approx((auc, accuracy), abs=5e-4)


@pytest.mark.parametrize(
    ("published", "value", "status"),
    [
        pytest.param("0.36", 0.356117, "match", id="rounded"),
        pytest.param("0.35", 0.356117, "truncated", id="cut off"),
        pytest.param("0.34", 0.356117, "mismatch", id="neither"),
        pytest.param("0.813", Fraction(13, 16), "match", id="half goes up"),
        pytest.param("0.92", -0.91876, "mismatch", id="lost sign"),
        pytest.param("<0.001", 0.00276, "mismatch", id="bound broken"),
        pytest.param("0.285", 0.1 + 0.185, "match", id="noise of a sum"),
        pytest.param("0.04", float("nan"), "not recomputable", id="nothing to compare"),
    ],
)
def test_a_status_is_what_rounding_allows(published, value, status):
    """Half up is how both papers print; cutting off is told apart from a wrong value."""
    assert status_of(published, value) == status


def test_the_convention_with_most_cells_is_chosen():
    """Cells that a convention does not apply to count for none; the first wins a tie."""
    published = ["0.01", "0.02", "0.03"]
    values = {"one": [0.01, 0.5, 0.5], "two": [0.01, 0.02, float("nan")]}

    assert best_convention(published, values) == "two"
    assert best_convention(["0.01"], {"cut": [0.019], "rounded": [0.011], "again": [0.012]}) == (
        "rounded"
    )


def test_counts_are_the_only_ones_that_fit():
    """57.9% of 38 can only be 22, 62.7% is no count of 11; 18 + 16 is the only split of 34."""
    rows = typed("liu2020_table123")

    assert fractions_that_print("57.9%", 38) == [Fraction(22, 38)]
    assert fractions_that_print("62.7%", 11) == []
    assert class_sizes_that_fit(rows) == [(18, 16)]
    assert class_sizes_that_fit([{**rows[0], "accuracy": "0.700"}, *rows[1:]]) == []


def test_the_center_of_an_interval_tells_neighboring_areas_apart():
    """.747 with the center .7475 is 271.5 of 363 pairs, cut off; alone it would be 271."""
    row = {"auc": "0.747", "n_mutant": "11", "n_wildtype": "33"}
    status, areas = lattice_areas({**row, "auc_low": "0.517", "auc_high": "0.978"})

    assert lattice_areas(row) == ("match", [Fraction(271, 363)])
    assert (status, areas) == ("truncated", [Fraction(543, 726)])


def test_a_swap_needs_both_cells_to_fit_crosswise():
    """One wrong cell beside a right one is no swap."""
    rows = [{"p": "0.01", "group": "a"}, {"p": "0.50", "group": "a"}, {"p": "0.01", "group": "b"}]

    assert exchanged_with(0, rows, [0.5, 0.01, 0.5]) is rows[1]
    assert exchanged_with(0, rows, [0.5, 0.5, 0.01]) is None
    assert exchanged_with(0, rows, [0.3, 0.01, 0.3]) is None


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        pytest.param([(35, 45), (9, 29)], "the IDH-wild row swapped (35/45)", id="wildtypes"),
        pytest.param([(45, 35), (29, 9)], "the real IDH-mutant row swapped (29/9)", id="mutants"),
        pytest.param([(45, 35), (10, 28)], "10/28 instead of 9/29 in real IDH-mutant", id="moved"),
    ],
)
def test_slips_are_told_apart(edited, words):
    """A swap of a row, or one patient counted in the other level; the search finds either."""
    counts = tuple(zip(*edited, strict=True))
    beta, p = f"{log_odds_ratio(counts):.3f}", f"{wald_p(counts):.3g}"
    sizes = (sum(edited[0]), sum(edited[1]))

    assert words in explanation([(45, 35), (9, 29)], {"model": "1", "estimate": beta, "p": p})
    assert counts[0] in splits_that_give(sizes, beta, p)


def test_a_lost_digit_is_not_a_cut_off_one():
    """3.47 from 3.427, but 3.42 from 3.427 is only cut off."""
    assert lost_digit("3.47", 3.42729)
    assert not lost_digit("3.42", 3.42729)
    assert not lost_digit("3.50", 3.42729)


def test_the_rule_of_an_interval_is_recognized_and_others_are_not():
    """An interval made with SE/sqrt(n) follows that rule, and no other."""
    beta, half = 1.34, 1.96 * 0.576 / 118**0.5
    row = {"n": "118", "estimate": f"{beta:.3f}", "p": "0.020"}
    interval = interval_of({**row, "low": f"{beta - half:.3f}", "high": f"{beta + half:.3f}"})

    assert [rule for rule in RULES if interval.follows(rule)] == ["1.96*SE/sqrt(n)"]


@pytest.mark.parametrize(
    ("before", "after", "n", "p"),
    [(27, 29, 34, 0.5), (27, 30, 34, 0.25), (29, 30, 34, 1.0), (38, 41, 44, 0.25)],
)
def test_the_best_pairing_is_that_of_r_mcnemar(before, after, n, p):
    """mcnemar.exact on the most favorable table (reference vectors)."""
    assert best_mcnemar(before, after, n)[0] == pytest.approx(p, abs=1e-12)


def test_closed_forms_by_hand():
    """Pooled SD of 1, 2, 3 and 7, 9; a perfect predictor; equal areas."""
    assert pooled_mean_sd((3, 2), (2.0, 8.0), (1.0, 2**0.5)) == pytest.approx((4.4, 11.8**0.5))
    assert nagelkerke([0, 10], [10, 10]) == pytest.approx(1.0)
    assert paired_area_p((0.8, 0.8), (0.1, 0.1), 0.5) == 1.0


def test_typed_rows_are_named_and_table_2_repeats_the_counts_of_table_1():
    """A finding names its row; the contrasts were copied level by level, mutants pooled."""
    for path in sorted((RESULTS.parent / "published").glob("*.csv")):
        labels = [(row["source"], row["set"], row["row"]) for row in typed(path.stem)]
        assert len(set(labels)) == len(labels) > 5
    training = {
        (row["variable"], row["contrast"]): dict(
            zip(row["levels"].split("; "), counts_in(row["counts"]), strict=True)
        )
        for row in typed("park2021_table1")
        if row["counts"] and row["set"] == "training"
    }
    for row in (r for r in typed("park2021_table2") if r["counts"]):
        names = (row["level"], row["reference"])
        for level, counts in zip(names, counts_in(row["counts"]), strict=True):
            (wild, real), (_, synthetic) = (
                training[row["variable"], c][level] for c in ("P*", "P**")
            )
            assert counts == (
                wild,
                {"1": real, "2": synthetic, "3": real + synthetic}[row["model"]],
            )
            assert training[row["variable"], "P+"][level] == (real, synthetic)
