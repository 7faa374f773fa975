"""Park's table 2: contrasts of the univariable betas, and what explains the wrong ones."""

import pytest

from idhray.stats.replicate.explain import (
    explanation,
    lost_digit,
    splits_that_give,
    wildtypes_that_fit,
)
from idhray.stats.replicate.park_features import (
    feature_counts,
    likelihood_ratio_p,
    log_odds_ratio,
    wald_p,
)
from idhray.stats.replicate.park_univariable import contrasts, univariable
from idhray.stats.sample import SampleError

EDEMA = "Edema-dominant surrounding high signal intensity"
# Statuses of beta and P by model: m match, t truncated, x mismatch; every other cell matches.
NOT_MATCHING = {
    ("Thalamus or brainstem", 1): "mt",
    ("Frontal or insula", 2): "mt",
    ("Absence of necrosis", 2): "tm",
    ("Thick nodular", 2): "mt",
    ("Thalamus or brainstem", 3): "tt",
    ("Absence of necrosis", 3): "tm",
    ("Distinct", 1): "xm",
    ("Distinct", 3): "xm",
    **{(EDEMA, model): "xx" for model in (1, 2, 3)},
}


@pytest.fixture(scope="module")
def block():
    return univariable()


def pairs(block):
    """(beta, P) cells by row label."""
    cells = iter(block.cells)
    return {beta.row: (beta, p) for beta, p in zip(cells, cells, strict=True)}


def test_betas_and_p_values_are_those_of_r_glm(block, reference):
    """21 fits of glm, with their verdicts."""
    expected = reference("published_park")["table2_univariate"]

    for (beta, p), other in zip(pairs(block).values(), expected, strict=True):
        assert beta.value == pytest.approx(other["beta"], abs=1e-6)
        assert p.value == pytest.approx(other["wald_P"], rel=1e-6, abs=0)
        for cell, status in ((beta, other["status_beta"]), (p, other["status_P"])):
            assert cell.status == {"no": "mismatch"}.get(status, status), cell


def test_verdicts_are_the_known_ones(block):
    """13 betas match, 3 are cut off, 5 are wrong; P 14, 4 and 3."""
    letters = {"match": "m", "truncated": "t", "mismatch": "x"}
    found = {row: letters[b.status] + letters[p.status] for row, (b, p) in pairs(block).items()}
    expected = {f"{label}, model {model}": code for (label, model), code in NOT_MATCHING.items()}

    assert len(found) == 21
    assert {row: code for row, code in found.items() if code != "mm"} == expected
    assert block.findings[0] == (
        "Betas: 13 match, 3 truncated, 5 mismatch. P: 14 match, 4 truncated, 3 mismatch."
    )


def test_the_thalamus_row_was_fitted_against_frontal(block):
    """With the printed reference it would be 0.34 with P .66, and in model 3 -0.16, P .80."""
    found = pairs(block)
    first, third = (found[f"Thalamus or brainstem, model {m}"][0] for m in (1, 3))

    assert "Thalamus or brainstem vs Frontal or insula, sign dropped" in first.convention
    assert "would give 0.34 (P 0.66)" in first.remark
    assert "would give -0.16 (P 0.80)" in third.remark
    assert "vs Other" in found["Frontal or insula, model 1"][0].convention


def test_p_values_are_wald_and_not_likelihood_ratio(block):
    """Decided by model 2's thalamus: Wald .0599 prints .06, the likelihood ratio is below .05."""
    levels = feature_counts()["Tumor location"]
    frontal = contrasts(levels, "Thalamus or brainstem", "Frontal or insula")[0]
    groups = frontal.groups(2)

    assert wald_p(groups) == pytest.approx(0.05989, abs=1e-5)
    assert likelihood_ratio_p(groups) < 0.05
    assert {p.convention for _, p in pairs(block).values()} == {"Wald P"}


def test_wrong_betas_are_explained_where_a_slip_explains_them(block):
    """Model 1's edema is the swapped wildtype row, its margin 19/19 for 20/18."""
    found = {row: beta.remark for row, (beta, _) in pairs(block).items()}

    assert "IDH-wild row swapped (35/45) gives -0.9188" in found[f"{EDEMA}, model 1"]
    assert "19/19 instead of 20/18" in found["Distinct, model 1"]
    assert "gives 2.9444" in found["Distinct, model 1"]
    assert "3.427 with a digit lost" in found["Distinct, model 3"]
    assert "47/29: 3.427, 48/28: 3.483" in found["Distinct, model 3"]
    assert "wild 39/41 and mutant 1/37" in found[f"{EDEMA}, model 2"]
    assert "no split of 80 wildtypes and 76 mutants" in found[f"{EDEMA}, model 3"]


def test_no_table_gives_the_edema_row(block):
    """Neither -0.91 and -3.56 from one wildtype row, nor -1.62 with a P that prints .001."""
    assert wildtypes_that_fit((80, 38), ["-0.91", "-3.56"]) == set()
    assert splits_that_give((80, 76), "-1.62", "0.001") == []
    assert any(EDEMA in text and "other data than table 1" in text for text in block.findings)


def test_the_search_finds_what_is_there():
    """A table that does give its beta must be found, or `none` would mean nothing."""
    groups = [(45, 35), (9, 29)]
    beta, p = f"{log_odds_ratio(groups)[0]:.2f}", f"{wald_p(groups):.4f}"

    assert (45, 9) in splits_that_give((80, 38), beta, p)
    assert 45 in wildtypes_that_fit((80, 38), [beta, beta])


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        pytest.param([(35, 45), (9, 29)], "the IDH-wild row swapped (35/45)", id="wildtypes"),
        pytest.param([(45, 35), (29, 9)], "the real IDH-mutant row swapped (29/9)", id="mutants"),
        pytest.param([(45, 35), (10, 28)], "10/28 instead of 9/29 in real IDH-mutant", id="moved"),
    ],
)
def test_slips_are_told_apart(edited, words):
    """A swap of a row, or one patient counted in the other level."""
    beta, p = f"{log_odds_ratio(edited)[0]:.3f}", f"{wald_p(edited):.3g}"

    assert words in explanation([(45, 35), (9, 29)], 1, beta, p)


def test_a_lost_digit_is_not_a_cut_off_one():
    """3.47 from 3.427, but 3.42 from 3.427 is only cut off."""
    assert lost_digit("3.47", 3.42729)
    assert not lost_digit("3.42", 3.42729)
    assert not lost_digit("3.50", 3.42729)


def test_the_closed_form_is_the_saturated_model_and_refuses_empty_cells():
    """log(29/25 : 42/10) of table 1; a zero would make beta infinite."""
    beta, se = log_odds_ratio([(29, 42), (25, 10)])

    assert (beta, se) == pytest.approx((1.2866645201710494, 0.44530021606800674), abs=1e-12)
    with pytest.raises(SampleError, match="an empty cell"):
        log_odds_ratio([(0, 33), (6, 5)])
