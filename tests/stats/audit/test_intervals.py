"""Intervals and P values: the standard error of each, and causes of contradictions."""

from math import exp, inf, sqrt

import pytest
from scipy import stats

from idhray.stats.audit.intervals import (
    Z95,
    agreement,
    apart,
    diagnosis,
    divided_by_sqrt_n,
    error_of_p,
    half_in_errors,
    holds_estimate,
    implied_p,
    interval_of,
    lost_sign,
    p_of_z,
    z_of_p,
)
from idhray.stats.audit.printed_number import printed_p

HEADER = "row,scale,estimate,low,high,p"


def the_interval(rows_of, line, scale=None):
    (row,) = rows_of(HEADER, line)
    return interval_of(row, scale or row.scale)


def test_a_wald_interval_gives_its_standard_error_and_z_back(rows_of):
    """2.00 +- 1.96 * 0.50, as a beta and as an odds ratio."""
    low, high = 2 - Z95 * 0.5, 2 + Z95 * 0.5
    beta = the_interval(rows_of, f"A,beta,2.0000,{low:.4f},{high:.4f},")
    ratio = the_interval(rows_of, f"A,odds ratio,{exp(2):.4f},{exp(low):.4f},{exp(high):.4f},")

    for interval in (beta, ratio):
        assert interval.symmetric()
        assert interval.standard_error() == pytest.approx(0.5, abs=1e-4)
        assert interval.z()[0] <= 4 <= interval.z()[1]
        assert interval.z() == pytest.approx((4, 4), abs=5e-3)
        assert interval.excludes_zero()


def test_rounding_makes_the_spans_wide(rows_of):
    """0.1 (0.0 to 0.2) may be anything from significant to nothing."""
    interval = the_interval(rows_of, "A,beta,0.1,0.0,0.2,")

    assert interval.z()[0] < 1
    assert interval.z()[1] > 3
    assert interval.excludes_zero() is None


def test_sides_of_unequal_length(rows_of):
    """Park 2021, model 2, frontal: .48 below and .83 above 1.52."""
    away = the_interval(rows_of, "A,beta,1.52,1.04,2.35,")
    towards = the_interval(rows_of, "A,beta,-1.52,-2.00,-0.69,")

    assert not away.symmetric()
    assert away.lean() == pytest.approx(0.83 / 0.48, abs=0.1)
    assert away.lean() > 1
    assert towards.lean() < 1
    assert away.half() == pytest.approx((0.48, 0.83), abs=0.02)


def test_numbers_out_of_order_mean_no_standard_error(rows_of):
    """Park 2021, model 3: 1.13 (-0.52, 0.78) and -0.58 (0.66, -0.49)."""
    rows = rows_of(HEADER, "A,beta,1.13,-0.52,0.78,", "B,beta,-0.58,0.66,-0.49,", "C,beta,1.13,,,")

    assert [holds_estimate(row) for row in rows] == [False, False, True]
    assert [interval_of(row, "beta") for row in rows] == [None, None, None]


def test_an_odds_ratio_needs_positive_numbers(rows_of):
    """A printed 0.00 may be a small number, and has an infinite logarithm at worst."""
    assert the_interval(rows_of, "A,odds ratio,-1.0,-2.0,0.5,") is None
    open_end = the_interval(rows_of, "A,odds ratio,0.50,0.00,9.00,")
    assert open_end.low[0] == -inf
    assert agreement(open_end, printed_p("0.60")) == "yes"


def test_z_of_p_is_two_sided():
    """1.96 for .05, and bounds for `<` and `>`."""
    assert z_of_p(printed_p("0.0500")) == pytest.approx((1.959, 1.961), abs=2e-3)
    assert z_of_p(printed_p("<0.001")) == (pytest.approx(stats.norm.isf(0.0005)), inf)
    assert z_of_p(printed_p(">0.05")) == pytest.approx((0, 1.96), abs=1e-3)
    assert p_of_z(-1.959964) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        pytest.param("A,beta,1.34,0.21,2.47,0.02", "yes", id="Park 2021, what P means"),
        pytest.param("A,beta,1.34,1.24,1.45,0.02", "no", id="Park 2021, as printed"),
        pytest.param("A,odds ratio,3.82,1.23,11.81,0.02", "yes", id="the same as odds ratio"),
        pytest.param("A,beta,2.05,0.28,5.00,0.06", "yes", id="profile interval, Wald P"),
        pytest.param("A,beta,2.68,2.56,2.80,<0.001", "yes", id="P cannot tell"),
        pytest.param("A,odds ratio,1.50,0.90,2.50,0.010", "no", id="holds 1, P says no"),
        pytest.param("A,odds ratio,2.00,1.10,3.60,0.08", "significance", id="just across .05"),
        pytest.param("A,beta,0.01,-0.20,0.22,0.93", "yes", id="nothing at all"),
    ],
)
def test_interval_and_p_agree_or_not(rows_of, line, verdict):
    """Only beyond rounding, and beyond what another usual test would change."""
    (row,) = rows_of(HEADER, line)

    assert agreement(interval_of(row, row.scale), row.p) == verdict


@pytest.mark.parametrize(
    ("p", "differs"),
    [("0.045", True), ("0.001", True), ("0.014", False), ("0.03", False), ("0.000", True)],
)
def test_a_p_apart_differs_by_a_factor_of_3(rows_of, p, differs):
    """2.50 (1.20 to 5.21) is P = .014; agreement alone does not see it."""
    interval = the_interval(rows_of, "A,OR,2.50,1.20,5.21,")

    assert implied_p(interval) == pytest.approx(0.0144, abs=2e-4)
    assert apart(interval, printed_p(p)) is differs
    assert p == "0.000" or agreement(interval, printed_p(p)) == "yes"


def test_an_interval_without_width_means_p_0(rows_of):
    """1.50 (1.50 to 1.50)."""
    assert implied_p(the_interval(rows_of, "A,beta,1.50,1.50,1.50,")) == 0


P_HEADER = "row,n,scale,estimate,low,high,p"


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
    (row,) = rows_of(P_HEADER, f"A,118,beta,1.200,{1.2 - half:.3f},{1.2 + half:.3f},{p:.4f}")
    interval = interval_of(row, "beta")

    assert said in diagnosis(row, interval, row.p)
    assert divided_by_sqrt_n(interval, row.p, 118) == ("sqrt" in said)
    assert error_of_p(interval, row.p) == pytest.approx((0.5, 0.5), abs=5e-3)
    assert half_in_errors(interval, row.p) == pytest.approx((factor, factor), abs=0.05)
    assert "0.22 to 2.18" in diagnosis(row, interval, row.p)


def test_a_one_sided_p_is_recognized(rows_of):
    """Half of the two-sided one; here far enough to contradict."""
    (row,) = rows_of(P_HEADER, "A,118,beta,0.400,-0.580,1.380,0.212")
    assert "one-sided" in diagnosis(row, interval_of(row, "beta"), row.p)


def test_an_odds_ratio_that_is_a_beta_with_a_small_error(rows_of):
    """Park's beta under the name that the abstract gives it."""
    (row,) = rows_of(P_HEADER, "A,118,odds ratio,1.34,1.24,1.45,0.02")
    said = diagnosis(row, interval_of(row, "odds ratio"), row.p)

    assert said.startswith("a beta: ")
    assert "divided by sqrt(n)" in said


def test_a_bound_on_p_diagnoses_nothing(rows_of):
    """`<0.001` fits every narrow interval."""
    (row,) = rows_of(P_HEADER, "A,118,beta,2.68,2.56,2.80,<0.001")
    interval = interval_of(row, "beta")

    assert not divided_by_sqrt_n(interval, row.p, 118)
    assert diagnosis(row, interval, row.p) == ""


def test_a_lost_sign_is_put_back_only_where_it_helps(rows_of):
    """-0.58 (0.66 to -0.49) is one; 1.13 (-0.52 to 0.78) is not; odds ratios have none."""
    rows = rows_of(
        P_HEADER,
        "A,156,beta,-0.58,0.66,-0.49,0.27",
        "B,156,beta,1.13,-0.52,0.78,0.08",
        "C,156,odds ratio,0.58,0.66,0.49,",
    )
    said = [lost_sign(row) for row in rows]

    assert said[0].startswith("with the other sign of the lower end: beta -0.58 (-0.66 to -0.49)")
    assert said[1] == ""
    assert said[2] == "with the ends exchanged"
