"""Single figures: ranges, and shares of whole patients in the cells of both papers."""

import pytest

from idhray.stats.audit.shares import (
    impossible_share,
    is_swapped,
    nearest_shares,
    negative_ratio,
    outside_range,
    share_rule,
    swapped_columns,
)
from idhray.stats.text import printed


def test_shares_and_p_values_lie_between_0_and_1(rows_of):
    """A symmetric AUC interval may pass 1 before it is cut: no fault of the figures."""
    rows = rows_of(
        "row,sensitivity,auc,auc_high,p", "A,105%,1.05,1.03,1.2", "B,-0.1,,,-0.1", "C,1,0,1.00,1"
    )
    found = [[(one.printed, one.severity) for one in outside_range(row)] for row in rows]

    assert found[0] == [
        ("sensitivity 105%", "impossible"),
        ("auc 1.05", "impossible"),
        ("auc_high 1.03", "remark"),
        ("P 1.2", "impossible"),
    ]
    assert [severity for _, severity in found[1]] == ["impossible", "impossible"]
    assert found[2] == []


def test_a_negative_ratio_is_a_beta(rows_of):
    """Park 2021 prints betas of -0.91; as odds ratios they do not exist."""
    rows = rows_of(
        "row,scale,estimate,low,high",
        "A,odds ratio,-0.91,-1.6,-0.2",
        "B,odds ratio,0.40,-0.1,0.9",
        "C,beta,-0.91,-1.6,-0.2",
        "D,odds ratio,0.40,0.00,0.9",
        "E,HR,0.40,-0.1,0.9",
    )
    found = [[one.severity for one in negative_ratio(row)] for row in rows]

    assert found == [["impossible"], ["impossible"], [], [], ["impossible"]]


HEADER = "row,n_mutant,n_wildtype,sensitivity,specificity,accuracy"


@pytest.mark.parametrize(
    ("mutants", "text"),
    [
        pytest.param(38, "57.9%", id="Park 2021, table 3, training, model 1: 22/38"),
        pytest.param(76, "72.37%", id="Park 2021, table 3, training, model 3: 55/76"),
        pytest.param(11, "36.4%", id="Park 2021, table 3, reader 1: 4/11"),
        pytest.param(18, "0.722", id="Liu 2020, table 1: 13/18"),
        pytest.param(16, "0.813", id="Liu 2020, table 1: 13/16, a half rounded up"),
        pytest.param(16, "0.563", id="Liu 2020, table 3: 9/16, a half rounded up"),
        pytest.param(11, "100%", id="all"),
        pytest.param(11, "0", id="none"),
    ],
)
def test_sound_shares_are_silent(rows_of, mutants, text):
    """Truth is printed rounded."""
    (row,) = rows_of(HEADER, f"A,{mutants},33,{text},,")

    assert [*impossible_share("sensitivity", row)] == []


def test_a_share_of_no_whole_number_is_impossible(rows_of):
    """Park 2021, table 3, reader 2: 62.7% of 11 (and 33) patients."""
    (row,) = rows_of(HEADER, "A,11,33,62.7%,63.6%,")
    (found,) = impossible_share("sensitivity", row)

    assert (found.severity, found.rule) == ("impossible", share_rule("sensitivity"))
    assert found.line == 2
    assert found.printed == "sensitivity 62.7% of 11 mutants"
    assert found.fits == "6/11 is 54.5%, 7/11 is 63.6%"


def test_cut_digits_are_a_remark(rows_of):
    """13/16 printed .812, and 7/11 printed 63.63%."""
    rows = rows_of(HEADER, "A,11,16,63.63%,0.812,")
    found = [*impossible_share("sensitivity", rows[0]), *impossible_share("specificity", rows[0])]

    assert [one.severity for one in found] == ["remark", "remark"]


def test_rounding_twice_is_a_remark(rows_of):
    """29/31 is .93548: .9355, and then 93.6% instead of 93.5%."""
    (row,) = rows_of("row,n,accuracy", "A,31,93.6%")
    (found,) = impossible_share("accuracy", row)

    assert found.severity == "remark"
    assert "29/31 rounds to 93.5%; it was rounded twice" in found.reason


def test_means_of_repeats_are_shares_of_all_runs(audit_of):
    """5 repeats of 18 mutants give k of 90; .777 is 70/90 cut off, .774 is none."""
    header = "row,repeats,folds,n_mutant,n_wildtype,sensitivity,specificity,accuracy,auc"
    found = audit_of(
        header,
        "one repeat,,,18,16,0.789,0.800,0.794,0.9004",
        "five repeats,5,,18,16,0.789,0.800,0.794,0.9003",
        "no mean of five,5,,18,16,0.784,0.800,,",
        "five folds,1,5,18,16,0.784,0.800,0.912,0.9004",
    )
    impossible = [(one.line, one.rule) for one in found.findings if one.severity == "impossible"]
    coverage = {one.rule: one for one in found.coverage}

    assert impossible == [
        (2, share_rule("sensitivity")),
        (2, share_rule("specificity")),
        (2, "AUC is k/2 of the pairs"),
        (4, share_rule("sensitivity")),
    ]
    assert {one.line for one in found.findings} == {2, 4}
    assert coverage["AUC is k/2 of the pairs"].lacking == {"a single fold": 1}


def test_a_share_of_nobody_is_impossible(rows_of):
    """An empty class has no sensitivity, not even 0."""
    (row,) = rows_of(HEADER, "A,0,5,0.5,0.6,")
    (found,) = impossible_share("sensitivity", row)

    assert (found.severity, found.reason) == ("impossible", "there are no mutants")


@pytest.mark.parametrize("n", range(1, 60))
def test_every_printed_share_is_accepted_and_most_others_are_not(rows_of, n):
    """A slow plain version: print all k/n, and compare with every three-digit text."""
    attainable = {printed(k / n) for k in range(n + 1)}
    texts = [f"{value / 1000:.3f}" for value in range(0, 1001, 7)]
    rows = rows_of("row,n,accuracy", *(f"A,{n},{text}" for text in texts))
    flagged = {
        row.accuracy.text
        for row in rows
        for one in impossible_share("accuracy", row)
        if one.severity == "impossible"
    }
    cut = {f"{k * 1000 // n / 1000:.3f}" for k in range(n + 1)}
    twice = {printed(float(printed(k / n, 4))) for k in range(n + 1)}

    assert flagged == set(texts) - attainable - cut - twice


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "swapped"),
    [
        pytest.param("78.8%", "81.8%", True, id="Park 2021, table 3, reader 2 with age, model 1"),
        pytest.param("69.7%", "90.9%", True, id="the same, models 2 and 3"),
        pytest.param("63.6%", "93.9%", False, id="reader 2, model 3: 7/11 and 31/33"),
        pytest.param("63.6%", "63.6%", False, id="7/11 and 21/33 either way"),
        pytest.param("62.7%", "63.6%", False, id="fits neither way"),
    ],
)
def test_exchanged_columns_fit_the_other_class_only(rows_of, sensitivity, specificity, swapped):
    """26/33 and 9/11: no number of 11 mutants is 78.8%."""
    (row,) = rows_of(HEADER, f"A,11,33,{sensitivity},{specificity},")
    found = [*swapped_columns(row)]

    assert is_swapped(row) == swapped
    assert len(found) == swapped
    if swapped:
        assert found[0].severity == "impossible"
        assert [*impossible_share("sensitivity", row)] == []  # one finding is enough


def test_the_finding_puts_the_columns_back(rows_of):
    """So that the reader can judge it."""
    (row,) = rows_of(HEADER, "A,11,33,78.8%,81.8%,")
    (found,) = swapped_columns(row)

    assert "sensitivity 81.8% is 9 of 11 mutants" in found.fits
    assert "specificity 78.8% is 26 of 33 wildtypes" in found.fits


def test_rows_that_could_not_fail_are_counted(audit_of):
    """Of 2,000 patients every percentage with one decimal is some number."""
    found = audit_of("row,n,accuracy", "A,2000,57.9%", "B,44,84.1%")
    (coverage,) = (one for one in found.coverage if one.rule == share_rule("accuracy"))

    assert (coverage.checked, coverage.blind) == (2, 1)


def test_the_nearest_shares_stand_on_either_side(rows_of):
    """Also at the ends, where there is only one."""
    (row,) = rows_of(HEADER, "A,11,33,62.7%,99.9%,")

    assert nearest_shares(row.specificity, 33) == "32/33 is 97.0%, 33/33 is 100.0%"
    assert nearest_shares(row.specificity, 1) == "0/1 is 0.0%, 1/1 is 100.0%"
