"""Park's text: odds ratios that are betas, the Turing test, kappas, sums, untested gains."""

from math import comb

import pytest

from idhray.stats.replicate.gains import best_mcnemar, paired_area_p
from idhray.stats.replicate.park_turing import images_that_fit, word_of
from idhray.stats.replicate.park_untested import nagelkerke
from idhray.stats.sample import SampleError

TEXT = "Abstract and text"


@pytest.mark.parametrize(
    ("row", "ratio"),
    [
        ("Frontal or insula, model 1", 3.8),
        ("Frontal or insula, model 2", 4.6),
        ("Distinct, model 1", 14.6),
        ("Distinct, model 2", 48.4),
    ],
)
def test_odds_ratios_of_the_abstract_are_betas(park, cell, row, ratio):
    """1.34, 1.52, 2.68 and 3.88 are table 2's coefficients."""
    found = cell(park, TEXT, row, "odds ratio")

    assert found.status == "mismatch"
    assert "the beta itself" in found.remark
    assert found.value == pytest.approx(ratio, abs=0.05)


def test_text_and_tables_disagree_where_known(park):
    """Areas, P values and sums that are not those of the tables."""
    block = next(b for b in park if b.title.startswith(TEXT))
    wrong = {c.row for c in block.cells if c.status == "mismatch" and c.item != "odds ratio"}

    assert wrong == {
        "model 1, training",  # .80 for .789
        "Necrosis less frequent, patients (highest P)",
        "Distinct margin more common, patients (highest P)",
        "Distinct margin more common, synthetic",
    }


def test_the_gan_saw_all_mutants(park, cell):
    """49 = 38 + 11, training and validation."""
    found = cell(park, TEXT, "IDH-mutant glioblastomas that trained the GAN", "number")

    assert (found.status, found.recomputed) == ("match", "49")
    assert "leakage" in found.remark


def test_rim_enhancement_alone_does_not_differ(park, cell):
    """P .37 for rim against the rest; the effect comes from patch, P .0008."""
    row = "Rim enhancing less frequent, patients (highest P)"
    found = cell(park, TEXT, row, "P in the text")

    assert "Rim enhancing P 0.37" in found.remark
    assert "Patch enhancing P 0.00077" in found.remark


def test_the_turing_test_had_100_images_per_reader(park, cell):
    """45 errors at 55% and 38 at 62%; 200 would be 77.5% and 81%."""
    fits = images_that_fit({"accuracy": "55%", "errors": "22/23"})
    block = next(b for b in park if "Turing" in b.title)

    assert fits == [99, 100, 101]
    assert "exact for 100" in block.findings[0]
    assert "77.5% and 81%" in block.findings[0]
    assert cell(park, "Text: visual", "Turing test, reader 2", "stopping rule").status == "mismatch"


@pytest.mark.parametrize(
    ("reader", "p", "interval"),
    [(1, 0.368201617326697, "0.447-0.650"), (2, 0.0209787356778516, "0.517-0.715")],
)
def test_turing_p_values_are_those_of_r_binom_test(park, cell, reader, p, interval):
    """binom.test(55, 100) and (62, 100), exact intervals (R 4.2.2)."""
    found = cell(park, "Text: visual", f"Turing test, reader {reader}", "P against 50%")

    assert found.value == pytest.approx(p, abs=1e-6)
    assert interval in found.recomputed


def test_both_readers_together_tell_real_from_synthetic(park, cell):
    """117 of 200: twice the upper tail of a fair coin, summed term by term."""
    found = cell(park, "Text: visual", "Turing test, both readers", "P against 50%")
    tail = sum(comb(200, k) for k in range(117, 201)) / 2**200

    assert found.value == pytest.approx(2 * tail, rel=1e-9)
    assert found.recomputed.startswith("0.019 ")


@pytest.mark.parametrize(
    ("kappa", "word"),
    [(0.67, "substantial"), (0.61, "substantial"), (0.56, "moderate"), (0.41, "moderate"),
     (0.81, "almost perfect"), (0.21, "fair"), (0.2, "slight"), (-0.1, "no")],
)  # fmt: skip
def test_kappa_words_are_those_of_the_papers_scale(kappa, word):
    """Methods: 0-0.20, 0.21-0.40, 0.41-0.60, 0.61-0.80, 0.81-1.0."""
    assert word_of(kappa) == word


def test_three_of_four_kappas_have_the_wrong_word(park):
    """And that of surrounding signal is missing."""
    block = next(b for b in park if "agreement" in b.title)

    assert [c.status for c in block.cells] == ["mismatch"] * 3 + ["match", "not recomputable"]


@pytest.mark.parametrize(
    ("before", "after", "n", "p"),
    [(27, 29, 34, 0.5), (27, 30, 34, 0.25), (29, 30, 34, 1.0), (26, 29, 34, 0.25),
     (37, 40, 44, 0.25), (38, 41, 44, 0.25), (28, 34, 34, 0.03125)],
)  # fmt: skip
def test_the_best_pairing_is_that_of_r_mcnemar(before, after, n, p):
    """mcnemar.exact on the most favorable table (reference vectors)."""
    assert best_mcnemar(before, after, n)[0] == pytest.approx(p, abs=1e-12)


def test_the_best_pairing_is_the_best_of_all():
    """By looking at every table with these margins."""
    from scipy.stats import binomtest

    slow = min(
        binomtest(b, b + c).pvalue
        for b in range(28)
        for c in range(8)
        if c - b == 2 and b <= 27 and c <= 7
    )

    assert best_mcnemar(27, 29, 34)[0] == pytest.approx(slow, abs=1e-12)
    with pytest.raises(SampleError, match="35 of 34"):
        best_mcnemar(30, 35, 34)


def test_gains_in_area_are_within_chance(park, cell):
    """.713 to .748: P .82, .63, .41 for a correlation of 0, .8, .95; .773 to .821 .72, .45, .19."""
    title = "What the paper did not test"
    first = cell(park, title, "validation, reader 1: 0.713 to 0.748", "paired P")
    second = cell(park, title, "validation, reader 2: 0.773 to 0.821", "paired P")

    assert first.recomputed == "0.82, 0.63, 0.41"
    assert second.recomputed == "0.72, 0.45, 0.19"
    assert paired_area_p((0.8, 0.8), (0.1, 0.1), 0.5) == 1.0


def test_nagelkerke_from_counts_is_that_of_table_1(park, cell):
    """Announced in Methods, never printed; recomputed with R from the counts."""
    title = "What the paper did not test"
    expected = {
        "Enhancement category": "0.125, 0.437, 0.273",
        "Tumor location": "0.106, 0.114, 0.114",
        "Necrosis": "0.150, 0.240, 0.199",
        "Surrounding high signal intensity": "0.130, 0.204, 0.181",
        "Margin of non-enhancing lesion": "0.358, 0.546, 0.451",
    }

    for row, values in expected.items():
        assert cell(park, title, row, "Nagelkerke R2").recomputed == values
    assert nagelkerke([0, 10], [10, 10]) == pytest.approx(1.0)
    with pytest.raises(SampleError, match="both classes"):
        nagelkerke([0, 0], [10, 10])
