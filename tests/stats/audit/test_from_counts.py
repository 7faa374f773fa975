"""Park's univariable betas from table 1: estimates, P, slips, and intervals of every method."""

from math import exp

import numpy as np
import pytest

from idhray.stats.audit.contrasts import (
    beta_intervals,
    betas,
    firth_p_values,
    log_odds_ratio,
    standard_error,
)
from idhray.stats.audit.from_counts import (
    ESTIMATE,
    INTERVAL,
    P_VALUE,
    estimates_from_counts,
    fitting_intervals,
    interval_from_counts,
    on_scale,
    p_from_counts,
    slip,
)
from idhray.stats.audit.reported import counts_text
from idhray.stats.text import printed

HEADER = "row,scale,estimate,low,high,p,counts"
SOUND = [  # Park 2021, table 2, model 1
    "frontal,beta,1.29,,,0.004,29/25; 42/10",
    "no necrosis,beta,1.77,,,<0.001,8/15; 72/23",
    "nodular,beta,-0.35,,,0.47,28/8; 47/19",
    "patch,beta,1.69,,,0.005,5/11; 47/19",
]
WRONG = [
    "thalamus,beta,0.95,,,0.18,9/3; 42/10",
    "edema,beta,-0.91,,,0.04,45/9; 35/29",
    "distinct,beta,2.94,,,<0.001,4/20; 76/18",
]


def test_univariable_betas_follow_from_table_1(rows_of):
    """Four do; the thalamus has another reference, two fit other counts only."""
    rows = rows_of(HEADER, *SOUND, *WRONG)
    found = [*estimates_from_counts(rows, rows)]

    assert [one.line for one in found] == [6, 7, 8]
    assert [one.severity for one in found] == ["contradiction", "contradiction", "suspicious"]
    assert {one.rule for one in found} == {ESTIMATE}
    assert found[1].reason == "the counts give -1.42 (standard error 0.44)"
    assert "Firth (0.5 added) 2.936, unlike the other rows" in found[2].reason


def test_their_p_values_are_wald(rows_of):
    """.0599 prints .06 where a likelihood ratio would be significant."""
    rows = rows_of(HEADER, *SOUND, "thalamus 2,beta,2.05,,,0.06,29/25; 9/1", *WRONG)
    found = [one for row in rows for one in p_from_counts(row)]

    assert [(one.line, one.severity) for one in found] == [
        (7, "contradiction"),
        (8, "contradiction"),
    ]
    assert found[1].rule == P_VALUE
    assert found[1].fits == "Wald's would be printed <0.01"


def test_cut_digits_and_other_tests_are_remarks(rows_of):
    """Park 2021: 2.19 for 2.1972, P .90 for .908; and Pearson's P beside an odds ratio."""
    rows = rows_of(
        HEADER,
        "A,beta,2.19,,,<0.001,8/19; 72/19",
        "B,beta,-0.07,,,0.90,28/5; 47/9",
        "C,odds ratio,1.00,,,1.00,5/5; 5/5",
        "D,odds ratio,3.62,,,0.0031,29/25; 42/10",
    )
    found = [*estimates_from_counts(rows, rows), *(one for r in rows for one in p_from_counts(r))]

    assert [(one.line, one.severity) for one in found] == [
        (2, "remark"),
        (3, "remark"),
        (5, "remark"),
    ]
    assert "digits were cut off" in found[0].reason
    assert found[2].reason.startswith("Pearson")


def test_a_table_by_firths_method_is_sound(rows_of):
    """What all rows have in common is a convention, not a fault."""
    tables = {"29/25; 42/10": ((29, 25), (42, 10)), "4/20; 76/18": ((4, 20), (76, 18))}
    lines = [
        f"A,beta,{printed(betas(counts)['Firth (0.5 added)'])},,,,{text}"
        for text, counts in tables.items()
    ]
    rows = rows_of(HEADER, *lines)

    assert [one.severity for one in estimates_from_counts(rows, rows)] == ["remark", "remark"]


def test_a_zero_cell_has_no_finite_estimate(rows_of):
    """Park 2021, validation margin: glm stops at 20.45 with no warning; Firth's is 4.37."""
    rows = rows_of(
        HEADER,
        "stopped,beta,20.45,,,0.994,0/6; 33/5",
        "Firth,beta,4.37,,,<0.001,0/6; 33/5",
        "neither,beta,3.00,,,<0.001,0/6; 33/5",
        "zero,odds ratio,0.00,,,,6/0; 5/33",
    )
    found = [*estimates_from_counts(rows, rows)]

    assert [(one.line, one.severity) for one in found] == [
        (2, "suspicious"),
        (3, "remark"),
        (4, "contradiction"),
    ]
    assert "Firth's is 4.37" in found[0].reason
    assert [one for row in rows for one in p_from_counts(row)] == []


@pytest.mark.parametrize(
    "method",
    [
        "Wald",
        "profile likelihood",
        "exact",
        "Firth (0.5 added)",
        "penalized likelihood",
        "Wald of Firth's estimate",
    ],
)
def test_intervals_of_every_method_are_recognized(rows_of, method):
    """A remark names the method, unless it is Wald's."""
    low, high = (printed(exp(end)) for end in beta_intervals(((4, 20), (76, 18)))[method])
    rows = rows_of(HEADER, f"A,odds ratio,21.111,{low},{high},,4/20; 76/18")
    found = [*interval_from_counts(rows[0])]

    assert [one.severity for one in found] == ([] if method == "Wald" else ["remark"])
    assert all(method in one.reason for one in found)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("beta,4.372,2.033,9.296,<0.001,0/6; 33/5", id="separated, by R"),
        pytest.param("odds ratio,18.84,6.51,66.26,<0.001,4/20; 76/18", id="not separated"),
    ],
)
def test_a_row_by_firths_method_is_sound(audit_of, line):
    """Estimate, penalized profile interval and penalized likelihood-ratio P: remarks only."""
    found = audit_of(HEADER, f"A,{line}")

    assert [(one.rule, one.reason) for one in found.findings] == []
    assert any("penalized likelihood interval" in one.reason for one in found.remarks)


def test_the_p_of_a_penalized_likelihood_is_a_remark(rows_of):
    """.0042 where Wald's is .0039 and no test of the counts fits."""
    counts = ((29, 25), (42, 10))
    p = firth_p_values(counts)["penalized likelihood"]
    (row,) = rows_of(HEADER, f"A,beta,1.26,,,{p:.6f},29/25; 42/10")
    (found,) = p_from_counts(row)

    assert (found.severity, found.reason[:20]) == ("remark", "penalized likelihood")


def test_an_interval_of_other_counts_is_told(rows_of):
    """R gives 6.42 to 69.4 for the margin of table 1."""
    (row,) = rows_of(HEADER, "A,odds ratio,21.11,8.00,55.70,,4/20; 76/18")
    (found,) = interval_from_counts(row)

    assert (found.rule, found.severity) == (INTERVAL, "contradiction")
    assert "Wald 6.42 to 69.40" in found.reason


SLIP_HEADER = "row,n,scale,estimate,p,counts"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(
            "118,beta,-0.91,0.04,45/9; 35/29",
            "with both wildtype counts exchanged (35/9; 45/29) it is -0.919",
            id="Park 2021, model 1, edema",
        ),
        pytest.param(
            "118,beta,2.94,<0.001,4/20; 76/18",
            "with 1 mutant in the other level (4/19; 76/19) it is 2.944",
            id="Park 2021, model 1, distinct",
        ),
        pytest.param(
            "118,beta,-1.29,0.004,29/25; 42/10",
            "with level and reference exchanged it is -1.287",
            id="a lost or wrong sign",
        ),
        pytest.param(
            "118,odds ratio,0.28,0.004,29/25; 42/10",
            "with level and reference exchanged it is 0.276",
            id="the same as odds ratio",
        ),
        pytest.param("118,beta,-3.56,0.001,45/6; 35/32", "", id="Park 2021, model 2, edema"),
        pytest.param("156,beta,3.47,<0.001,4/47; 76/29", "", id="Park 2021, model 3, distinct"),
        pytest.param(
            "118,beta,-1.29,0.2,29/25; 42/10",
            "with level and reference exchanged it is -1.287, but then P is 0.0039",
            id="and P is wrong too",
        ),
    ],
)
def test_the_slip_gives_the_printed_estimate(rows_of, line, said):
    """Counts are those of table 1; what fits by moving many patients is no explanation."""
    rows = rows_of(SLIP_HEADER, f"A,{line}")

    assert slip(rows[0], rows) == said


def test_park_2021_took_frontal_as_reference_of_the_thalamus(rows_of):
    """The table says Other; 0.95 (P .18) is frontal against thalamus."""
    rows = rows_of(
        SLIP_HEADER,
        "frontal,118,beta,1.29,0.004,29/25; 42/10",
        "thalamus,118,beta,0.95,0.18,9/3; 42/10",
        "thalamus of others,156,beta,0.95,0.18,9/3; 42/10",
    )

    assert slip(rows[1], rows) == "for the level of row 2 against this one it is 0.950"
    assert slip(rows[2], rows) == ""


def test_texts():
    """As in the file; an odds ratio is the exponential of its beta."""
    assert counts_text(((4, 20), (76, 18))) == "4/20; 76/18"
    assert on_scale(0.0, "odds ratio") == 1
    assert on_scale(0.5, "beta") == 0.5


@pytest.mark.parametrize(
    ("ends", "counts", "fits"),
    [
        pytest.param("3.60,19.08", "9/43; 59/34", ["Wald"], id="by 1.96"),
        pytest.param("3.60,19.07", "9/43; 59/34", ["Wald"], id="by 1.959964"),
        pytest.param("3.60,19.12", "9/43; 59/34", [], id="by another z"),
        pytest.param("2.36,143.31", "41/26; 29/1", ["Wald"], id="a wide one by 1.96"),
        pytest.param("2.3619,143.353", "41/26; 29/1", [], id="not both ends by the same z"),
        pytest.param("0.00,143.31", "41/26; 29/1", [], id="an end that has no logarithm"),
    ],
)
def test_both_ends_are_by_the_same_usual_z(rows_of, ends, counts, fits):
    """Woolf intervals in print."""
    (row,) = rows_of(HEADER, f"A,odds ratio,8.29,{ends},,{counts}")

    assert fitting_intervals(row) == fits


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("z", [1.96, 1.959963985])
def test_woolf_intervals_are_recognized_by_either_z(rows_of, seed, z):
    """30 odds ratios of random counts, with 1 or 2 decimals."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(30):
        counts = rng.integers(1, 60, (2, 2)).tolist()
        beta, se, places = log_odds_ratio(counts), standard_error(counts), rng.integers(1, 3)
        values = (f"{exp(beta + side * z * se):.{places}f}" for side in (0, -1, 1))
        text = "; ".join(f"{w}/{m}" for w, m in counts)
        lines.append(f"A,odds ratio,{','.join(values)},,{text}")

    assert all(fitting_intervals(row) == ["Wald"] for row in rows_of(HEADER, *lines))
