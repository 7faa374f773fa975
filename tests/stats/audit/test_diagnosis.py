"""Slips with a known answer: an interval is made wrongly, and the slip must be named."""

from math import sqrt

import pytest
from scipy import stats

from idhray.stats.audit.diagnosis import (
    diagnosis,
    divided_by_sqrt_n,
    error_of_p,
    half_in_errors,
    lost_sign,
)
from idhray.stats.audit.interval import Z95, interval_of

HEADER = "row,n,scale,estimate,low,high,p"


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (Z95 / sqrt(118), "divided by sqrt(n)"),
        (1.0, "one standard error"),
        (1.644854, "90% interval"),
        (2.575829, "99% interval"),
        (0.4, "no usual slip"),
    ],
)
def test_the_slip_is_named(rows_of, factor, said):
    """A beta of 1.2 with standard error .5, and `factor` of these to each side."""
    p = 2 * stats.norm.sf(2.4)
    half = factor * 0.5
    (row,) = rows_of(HEADER, f"A,118,beta,1.200,{1.2 - half:.3f},{1.2 + half:.3f},{p:.4f}")
    interval = interval_of(row, "beta")

    assert said in diagnosis(row, interval, row.p)
    assert divided_by_sqrt_n(interval, row.p, 118) == ("sqrt" in said)
    assert error_of_p(interval, row.p) == pytest.approx((0.5, 0.5), abs=5e-3)
    assert half_in_errors(interval, row.p) == pytest.approx((factor, factor), abs=0.05)
    assert "0.22 to 2.18" in diagnosis(row, interval, row.p)


def test_a_one_sided_p_is_recognized(rows_of):
    """Half of the two-sided one; here far enough to contradict."""
    (row,) = rows_of(HEADER, "A,118,beta,0.400,-0.580,1.380,0.212")
    assert "one-sided" in diagnosis(row, interval_of(row, "beta"), row.p)


def test_an_odds_ratio_that_is_a_beta_with_a_small_error(rows_of):
    """Park's beta under the name that the abstract gives it."""
    (row,) = rows_of(HEADER, "A,118,odds ratio,1.34,1.24,1.45,0.02")
    said = diagnosis(row, interval_of(row, "odds ratio"), row.p)

    assert said.startswith("a beta: ")
    assert "divided by sqrt(n)" in said


def test_a_bound_on_p_diagnoses_nothing(rows_of):
    """`<0.001` fits every narrow interval."""
    (row,) = rows_of(HEADER, "A,118,beta,2.68,2.56,2.80,<0.001")
    interval = interval_of(row, "beta")

    assert not divided_by_sqrt_n(interval, row.p, 118)
    assert diagnosis(row, interval, row.p) == ""


def test_a_lost_sign_is_put_back_only_where_it_helps(rows_of):
    """-0.58 (0.66 to -0.49) is one; 1.13 (-0.52 to 0.78) is not; odds ratios have none."""
    rows = rows_of(
        HEADER,
        "A,156,beta,-0.58,0.66,-0.49,0.27",
        "B,156,beta,1.13,-0.52,0.78,0.08",
        "C,156,odds ratio,0.58,0.66,0.49,",
    )
    said = [lost_sign(row) for row in rows]

    assert said[0].startswith("with the other sign of the lower end: beta -0.58 (-0.66 to -0.49)")
    assert said[1] == ""
    assert said[2] == "with the ends exchanged"
