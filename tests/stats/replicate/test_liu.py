"""Liu's tables 1 to 6: counts, lattice, the misprint, the split, and the age model."""

import pytest

from idhray.stats.probabilities.age_expected import expected_performance
from idhray.stats.replicate.expected_age import age_model
from idhray.stats.replicate.liu_cohort import pooled_mean_sd
from idhray.stats.replicate.liu_groups import errors_of_table3, errors_of_table4
from idhray.stats.replicate.liu_rows import class_sizes_that_fit, counts_of_row, tables123
from idhray.stats.replicate.typed import typed

ROWS = typed("liu2020_table123")
SHARES = ("sensitivity", "specificity", "accuracy")


@pytest.fixture(scope="module")
def cells():
    """Cells of tables 1 to 3 by (table, set, row) and item, in the order of print."""
    found = iter([c for block in tables123() for c in block.cells if c.item != "added share"])
    return [
        {one.item: one for one in group} for group in zip(found, found, found, found, strict=True)
    ]


def test_all_cells_are_those_of_the_reference(cells, reference):
    """Counts, pairs and intervals of 26 rows."""
    for found, case in zip(cells, reference("published_liu")["rows"], strict=True):
        assert found["sensitivity"].value * 18 == pytest.approx(case["tp"], abs=1e-9)
        assert found["specificity"].value * 16 == pytest.approx(case["tn"], abs=1e-9)
        assert found["accuracy"].recomputed.split(" ")[0] == case["accuracy_count"]
        assert all(found[name].status == "match" for name in SHARES) is case["consistent"]
        assert (found["AUC"].status == "match") is case["auc_on_lattice"]
        if case["auc_on_lattice"]:
            assert found["AUC"].value == case["U_of_288"]
        exact, hanley = case["accuracy_clopper_pearson"], case["hanley_mcneil_ci"]
        assert f"{exact[0]:.3f}-{exact[1]:.3f}" in found["accuracy"].remark
        assert f"{hanley[0]:.3f}-{hanley[1]:.3f}" in found["AUC"].remark


@pytest.mark.parametrize(
    ("place", "tp", "tn", "pairs"),
    [
        (("Table 1", "val", "ResNet50"), 13, 13, 237),
        (("Table 1", "val", "IncepResNet_V2"), 15, 11, 247.5),
        (("Table 1", "test", "VGG19"), 14, 13, 233),
        (("Table 2", "test", "+2 K"), 15, 14, 262),
        (("Table 2", "test", "+3 K"), 16, 13, 267),
        (("Table 3", "val", "Age"), 12, 9, 208.5),
        (("Table 3", "test", "Age & image"), 17, 13, 268),
    ],
)
def test_counts_and_pairs(cells, place, tp, tn, pairs):
    """Restated from the reference, so that some rows are checked without it."""
    index = next(
        i for i, row in enumerate(ROWS) if (row["source"], row["set"], row["row"]) == place
    )

    assert counts_of_row(ROWS[index]) == (tp, tn)
    assert cells[index]["AUC"].value == pairs


def test_only_one_area_cannot_be(cells):
    """+4K test .893: 257 pairs give .892, 257.5 give .894."""
    wrong = [i for i, found in enumerate(cells) if found["AUC"].status != "match"]

    assert [(ROWS[i]["set"], ROWS[i]["row"]) for i in wrong] == [("test", "+4 K")]
    assert cells[wrong[0]]["AUC"].status == "impossible"
    assert "257 pairs give 0.8924 and 257.5 pairs give 0.8941" in cells[wrong[0]]["AUC"].remark


def test_18_and_16_patients_are_the_only_split_of_34():
    """The paper does not print them for either set."""
    assert class_sizes_that_fit(ROWS) == [(18, 16)]
    for name in ("sensitivity", "accuracy"):
        assert class_sizes_that_fit([{**ROWS[0], name: "0.700"}, *ROWS[1:]]) == []


def test_three_thousand_is_ahead_by_one_pair(liu):
    """+1K, +2K and +3K all have 29/34."""
    findings = next(b for b in liu if b.title.startswith("Table 2")).findings

    assert "+1 K, +2 K, +3 K tie at 29/34" in findings[0]
    assert "1 of 288 pairs" in findings[0]


def test_28_to_17_must_be_28_to_16(liu, cell):
    """45 patients in a group of 44; both sets have 32 wildtypes, 16 of them in the other group."""
    found = cell(liu, "Table 4", "Number of patients, < 55", "mutant:wildtype")
    other = cell(liu, "Table 4", "Number of patients, >= 55", "mutant:wildtype")

    assert (found.published, found.recomputed) == ("44 (28:17)", "44 (28:16)")
    assert (found.status, other.status) == ("impossible", "match")


@pytest.mark.parametrize(
    ("predictor", "four", "three", "status"),
    [
        ("Age", (11, 11), (11, 11), "match"),
        ("Image", (4, 5), (4, 6), "mismatch"),
        ("Age & image", (3, 5), (3, 6), "mismatch"),
    ],
)
def test_table_4_misses_one_wildtype_of_table_3(liu, cell, predictor, *, four, three, status):
    """In the image's rows; age agrees class by class."""
    assert errors_of_table4(typed("liu2020_table4"), predictor) == four
    assert errors_of_table3(predictor) == three
    assert cell(liu, "Table 4", f"{predictor}, both groups", "errors").status == status


def test_about_85_and_87_percent_fit_table_3(liu, cell):
    """58/68 and 59/68; table 4 would have 87% and 88%."""
    title = "Abstract and text"

    for row in ("with GAN images, about", "with GAN images and age, about"):
        found = cell(liu, title, row, "accuracy")
        assert (found.status, found.convention) == ("match", "table 3, pooled")
    assert cell(liu, title, "older than 55 years, about", "accuracy").recomputed == "95.8%"


def test_only_the_known_cells_do_not_match(liu):
    """Everything else in six tables and the text is reproduced."""
    wrong = {
        (cell.row, cell.item)
        for block in liu
        for cell in block.cells
        if cell.status not in ("match", "added")
    }

    assert wrong == {
        ("+4 K, test", "AUC"),
        ("Number of patients, < 55", "mutant:wildtype"),
        ("Image, both groups", "errors"),
        ("Age & image, both groups", "errors"),
        ("Age (mean±SD), TCGA", "SD"),  # 14.15 printed 14.1: cut off
        ("tiles per TCGA slide, mean", "mean"),
    }


def test_pooled_ages_are_those_of_both_classes():
    """TCGA 49.85 +/- 14.15, local 49.26 +/- 12.40; and of plain numbers."""
    assert pooled_mean_sd((100, 100), (55.5, 44.2), (13.3, 12.7)) == pytest.approx(
        (49.85, 14.1536), abs=1e-4
    )
    assert pooled_mean_sd((30, 36), (53.3, 45.9), (14.7, 9.0)) == pytest.approx(
        (49.2636, 12.4020), abs=1e-4
    )
    # 1, 2, 3 and 7, 9: mean 4.4, sample SD of all five by hand.
    assert pooled_mean_sd((3, 2), (2.0, 8.0), (1.0, 2**0.5)) == pytest.approx((4.4, 11.8**0.5))


def test_the_split_is_rounded_up(liu, cell):
    """198/34/34 of 266 at 6:1:1; two such sets with 18 mutants are a 2% chance."""
    found = cell(liu, "Abstract and text", "split of 266 patients, 6:1:1", "patients")
    block = next(b for b in liu if b.title.startswith("Abstract and text"))

    assert found.status == "match"
    assert found.convention.startswith("rounded up for validation and test")
    assert "probability 0.020" in block.findings[0]
    assert "100 mutant and 98 wildtype" in block.findings[0]


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
    found = expected_performance(model)

    assert model.threshold() == pytest.approx(threshold, abs=0.05)
    assert min(model.roots()) == pytest.approx(lower, abs=0.5)
    assert age_model(cohort, shared=True).threshold() == pytest.approx(linear, abs=0.05)
    assert (found.sensitivity, found.specificity) == pytest.approx(shares, abs=5e-4)
    assert found.auc_by_age == pytest.approx(auc, abs=5e-4)
    assert found.accuracy == pytest.approx(accuracy, abs=5e-4)


def test_combined_model_is_that_of_the_reference(reference):
    """Pooled means and SDs, both priors, expected figures."""
    case = reference("published_liu")["gda"]["combined"]
    equal, empirical = (age_model("combined", empirical=e) for e in (False, True))

    assert equal.mean_wildtype == pytest.approx(case["mean_wild"], abs=5e-5)
    assert equal.sd_mutant == pytest.approx(case["sd_mutant"], abs=5e-5)
    assert equal.threshold() == pytest.approx(case["threshold_equal_priors"], abs=5e-3)
    assert empirical.threshold() == pytest.approx(case["threshold_empirical"], abs=5e-3)


def test_two_roots_make_the_posterior_differ_from_age():
    """The local cohort: .702 by posterior, .666 by age; without a second root both agree."""
    local, tcga = (
        expected_performance(age_model("local")),
        expected_performance(age_model("TCGA", shared=True)),
    )

    assert local.auc_by_posterior == pytest.approx(0.702, abs=5e-4)
    assert tcga.auc_by_posterior == pytest.approx(tcga.auc_by_age, abs=1e-4)


def test_gains_are_not_significant(liu, cell):
    """27 to 29: exact McNemar .50 at best; .920 to .927: P .92 to .65."""
    title = "What the paper did not test"
    gain = cell(liu, title, "Baseline to +3 K, test: 27 to 29 of 34", "paired P")
    fused = cell(liu, title, "Baseline to Age & image, test: 27 to 30 of 34", "paired P")
    area = cell(liu, title, "Baseline to +3 K, test: 0.920 to 0.927", "paired P")

    assert gain.value == 0.5
    assert "(Fisher) P 0.75" in gain.remark
    assert "(Fisher) P 0.51" in fused.remark
    assert area.recomputed == "0.92, 0.82, 0.75, 0.65"
