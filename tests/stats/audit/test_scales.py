"""Betas and odds ratios under each other's name."""

import pytest

from idhray.stats.audit.scales import ON_ITS_SCALE, SAME_ELSEWHERE, betas_elsewhere, other_scale

HEADER = "row,source,group,scale,estimate,low,high,p"


def test_park_2021_calls_its_betas_odds_ratios(rows_of):
    """Abstract: OR 1.34 vs 1.52; 2.68 vs 3.88. Results: the same as betas."""
    rows = rows_of(
        HEADER,
        "frontal 1,Abstract,g1,odds ratio,1.34,,,0.04",
        "frontal 2,Abstract,g2,odds ratio,1.52,,,0.04",
        "frontal 1,Results,g1,beta,1.34,,,0.02",
        "frontal 2,Results,g2,beta,1.52,,,0.04",
        "frontal 1,univariable,g1,beta,1.29,,,0.004",
    )
    first, second = betas_elsewhere(rows, rows)

    assert (first.line, first.rule, first.severity) == (2, SAME_ELSEWHERE, "contradiction")
    assert (
        first.reason
        == "row 4 (Results) gives 1.34 as the beta, with P 0.02 where this row has 0.04"
    )
    assert first.fits == "as a beta it is an odds ratio of 3.82"
    assert second.line == 3
    assert "where this row" not in second.reason


def test_equal_digits_elsewhere_are_chance(rows_of):
    """Another group, no group, or a bare digit."""
    rows = rows_of(
        HEADER,
        "A,,g1,odds ratio,1.34,,,",
        "B,,g2,beta,1.34,,,",
        "C,,,odds ratio,1.5,,,",
        "D,,,beta,1.5,,,",
        "E,,g3,odds ratio,2,,,",
        "F,,g3,beta,2,,,",
    )

    assert [*betas_elsewhere(rows, rows)] == []


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        pytest.param("odds ratio,1.34,0.21,2.47,0.02", "contradiction", id="beta, P agrees"),
        pytest.param("odds ratio,3.00,2.00,4.00,", "suspicious", id="symmetric about itself"),
        pytest.param("odds ratio,3.62,1.51,8.67,0.004", None, id="a sound odds ratio"),
        pytest.param("odds ratio,1.10,1.05,1.15,<0.001", None, id="narrow: either"),
        pytest.param("HR,3.00,2.00,4.00,", "suspicious", id="a hazard ratio likewise"),
        pytest.param("RR,3.62,1.51,8.67,0.004", None, id="a sound relative risk"),
        pytest.param("beta,20.0,5.0,80.0,0.00002", "contradiction", id="odds ratio as beta"),
        pytest.param("beta,3.62,1.51,8.67,", "suspicious", id="the same without P"),
        pytest.param("beta,1.29,0.41,2.16,0.004", None, id="a sound beta"),
        pytest.param("beta,4.31,3.40,5.43,", None, id="profile interval, symmetric by chance"),
        pytest.param("kappa,0.67,0.50,0.70,", None, id="another scale"),
    ],
)
def test_an_interval_tells_its_scale(rows_of, line, severity):
    """By its symmetry, and by P."""
    (row,) = rows_of(HEADER, f"A,,,{line}")
    found = [*other_scale(row)]

    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(one.rule == ON_ITS_SCALE for one in found)
