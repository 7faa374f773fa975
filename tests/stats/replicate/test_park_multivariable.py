"""Park's table 2: the rule behind its "95% confidence intervals"."""

import pytest

from idhray.stats.replicate.park_multivariable import multivariable
from idhray.stats.replicate.typed import typed
from idhray.stats.replicate.wald_intervals import RULES, interval_of

EDEMA = "Edema-dominant surrounding high signal intensity"
OUTSIDE = {
    "Frontal or insula, model 2": "mismatch",
    "Thalamus or brainstem, model 2": "mismatch",
    "Distinct, model 2": "mismatch",
    "Absence of necrosis, model 3": "impossible",
    "Thick nodular, model 3": "impossible",
}


@pytest.fixture(scope="module")
def block():
    return multivariable()


def made(beta, se, n, *, p):
    """A row that was made with SE/sqrt(n), printed with three decimals."""
    half = 1.96 * se / n**0.5
    return {
        "row": "made, model 1",
        "n": str(n),
        "estimate": f"{beta:.3f}",
        "low": f"{beta - half:.3f}",
        "high": f"{beta + half:.3f}",
        "p": p,
    }


def test_standard_errors_were_divided_by_the_root_of_n(block):
    """17 of 21 cells: 14 by their P, 2 by a bound on P, 1 once a minus sign is put back."""
    assert any(text.startswith("17 of 21 follow 1.96*SE/sqrt(n)") for text in block.findings)
    assert {c.row: c.status for c in block.cells if c.item == "95% CI" and c.status != "match"} == (
        OUTSIDE
    )


def test_what_is_wrong_with_the_others_is_said(block):
    """Asymmetric, copied, too narrow even if literal, without its estimate, with a lost sign."""
    remarks = {cell.row: cell.remark for cell in block.cells}

    assert "not symmetric" in remarks["Frontal or insula, model 2"]
    assert "0.07 to 2.97" in remarks["Frontal or insula, model 2"]
    assert remarks["Thalamus or brainstem, model 2"] == (
        "the rule would mean P 0.17; P 0.77 is that of model 1"
    )
    assert "SE 0.43 is below the univariable 0.63" in remarks["Distinct, model 2"]
    assert "does not contain its own estimate 1.13" in remarks["Absence of necrosis, model 3"]
    assert "-0.66, -0.49 follows the rule" in remarks["Thick nodular, model 3"]


@pytest.mark.parametrize(
    ("row", "half", "true"),
    [
        ("Frontal or insula, model 1", 0.104, "0.21 to 2.47 (OR 3.82, 1.23 to 11.81)"),
        ("Thalamus or brainstem, model 1", 0.154, "-1.43 to 1.93"),
        ("Absence of necrosis, model 1", 0.144, "0.34 to 3.48"),
        ("Thick nodular, model 1", 0.138, "-3.00 to 0.00"),
        ("Patch enhancing, model 1", 0.168, "-1.79 to 1.86"),
        (f"{EDEMA}, model 1", 0.104, "-1.67 to 0.59"),
        ("Distinct, model 1", None, "1.38 to 3.98"),
        ("Patch enhancing, model 2", None, "1.27 to 5.65"),
        ("Patch enhancing, model 3", None, "0.72 to 3.22"),
        ("Distinct, model 3", None, "1.71 to 4.21"),
    ],
)
def test_true_intervals_are_those_of_beta_and_p(block, row, half, true):
    """Half-widths by the rule, and the interval that 1.96 SE gives."""
    cell = next(c for c in block.cells if c.row == row)

    assert f"a true one is {true}" in cell.remark
    if half is not None:
        assert cell.value == pytest.approx(half, abs=5e-4)


def test_the_rule_is_recognized_and_others_are_not():
    """An interval made with SE/sqrt(n) follows that rule, and no other."""
    one = interval_of(made(1.34, 0.576, 118, p="0.020"))

    assert [rule for rule in RULES if one.follows(rule)] == ["1.96*SE/sqrt(n)"]


def test_coefficients_are_not_made_up(block):
    """They need the joint distribution of five features."""
    needed = [cell for cell in block.cells if cell.status == "not recomputable"]

    assert [cell.published for cell in needed] == ["7 of each"] * 3
    assert sum(row["analysis"] == "multivariable" for row in typed("park2021_table2")) == 21
    assert any("38/7 = 5.4 events per term" in text for text in block.findings)
    assert any("P 4e-138, not 0.02" in text for text in block.findings)
