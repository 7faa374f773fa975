"""What printed digits allow: against printing every candidate, and by hand."""

from fractions import Fraction
from math import floor

import pytest

from idhray.stats.audit.printed_number import printed_number, printed_p, shortly
from idhray.stats.text import printed


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("0.722", "722/1000", "1/1000"),
        (".722", "722/1000", "1/1000"),
        ("57.9%", "579/1000", "1/1000"),
        ("57.9 %", "579/1000", "1/1000"),
        ("100%", "1", "1/100"),
        ("1.00", "1", "1/100"),
        ("-0.35", "-35/100", "1/100"),
        ("\u22120.35", "-35/100", "1/100"),
        ("0\u00b772", "72/100", "1/100"),
        ("1.2e-5", "12/1000000", "1/1000000"),
        ("20", "20", "1"),
    ],
)
def test_a_printed_number_keeps_its_last_decimal(text, value, unit):
    """0.720 says more than 0.72, and a percentage is a fraction of one."""
    number = printed_number(text)

    assert number is not None
    assert (number.value, number.unit) == (Fraction(value), Fraction(unit))


@pytest.mark.parametrize(
    "text",
    ["NaN", "inf", "", ".", "-", "1,2", "0.5.1", "ns", "1e999", "1" * 40, "\u0661", "1e", "%"],
)
def test_other_text_is_no_number(text):
    """A guess here would become a finding about the paper."""
    assert printed_number(text) is None


@pytest.mark.parametrize("n", range(1, 41))
def test_attainable_counts_are_those_that_print_so(n):
    """Every k/n is printed rounded, cut off and rounded twice, and must be found again."""
    exact = {k: Fraction(k, n) for k in range(n + 1)}
    rounded = {k: printed(float(x)) for k, x in exact.items()}
    cut = {k: f"{floor(x * 1000) / 1000:.3f}" for k, x in exact.items()}
    twice = {k: printed(float(printed(float(x), 4))) for k, x in exact.items()}
    for text in {*rounded.values(), *cut.values(), *twice.values(), "0.627", "0.893"}:
        number = printed_number(text)
        expected = [k for k in exact if text in (rounded[k], cut[k])]
        expected = expected or [k for k in exact if text == twice[k]]

        assert list(number.counts(n)) == expected
        for k, x in exact.items():
            ways = {"rounded": rounded, "truncated": cut, "rounded twice": twice}
            readings = [way for way, texts in ways.items() if texts[k] == text]
            assert number.reading(x) == (readings[0] if readings else None)


def test_halves_round_up_in_size():
    """13/16 prints .813 (cut off: .812); -0.125 prints -0.13."""
    assert printed_number(".813").reading(Fraction(13, 16)) == "rounded"
    assert printed_number(".812").reading(Fraction(13, 16)) == "truncated"
    assert printed_number("-0.13").reading(Fraction(-1, 8)) == "rounded"
    assert printed_number("-0.12").reading(Fraction(-1, 8)) == "truncated"
    assert printed_number("-0.12").reading(0.12) is None


def test_a_float_may_be_a_hair_off_its_tie():
    """17 * 26 / (20 * 20) is 1.105 and prints 1.11, but the float is below it."""
    assert printed_number("1.11").reading(1.105) == "rounded"
    assert printed_number("1.11").reading(1.1049) == "rounded twice"
    assert printed_number("1.11").reading(1.1044) is None


def test_the_span_holds_all_that_may_print_so():
    """Rounded from .7215, or cut off before .723; a zero may have either sign."""
    assert printed_number(".722").span() == pytest.approx((0.7215, 0.723))
    assert printed_number("-0.91").span() == pytest.approx((-0.92, -0.905))
    assert printed_number("0.0").span() == pytest.approx((-0.1, 0.1))


def test_another_number_is_printed_alike():
    """For the sentences: 7/11 beside 62.7%, and beside 0.627."""
    assert printed_number("62.7%").like(Fraction(7, 11)) == "63.6%"
    assert printed_number(".627").like(Fraction(7, 11)) == "0.636"
    assert printed_number("100%").like(Fraction(7, 11)) == "64%"


@pytest.mark.parametrize(
    ("text", "p", "reading"),
    [
        ("<0.001", 0.0009, "rounded"),
        ("<0.001", 0.00276, None),
        ("< .001", 1e-300, "rounded"),
        ("\u22640.05", 0.05, "rounded"),
        (">0.99", 1.0, "rounded"),
        ("=0.003", 0.00276, "rounded"),
        ("0.002", 0.00276, "truncated"),
        ("0.04", 0.0013, None),
        ("0.000", 1e-9, "rounded"),
        ("1.00", 1.0, "rounded"),
    ],
)
def test_p_values_read_as_printed(text, p, reading):
    """Park's Table 1 prints .002 for .00276: cut off."""
    assert printed_p(text).reading(p) == reading


def test_text_that_is_no_p():
    """`n.s.` and percentages are not guessed at."""
    assert printed_p("n.s.") is None
    assert printed_p("4%") is None
    assert printed_p("<") is None


def test_the_span_of_a_p_stays_within_0_and_1():
    """And a small one is printed as a bound."""
    assert printed_p("1.00").span() == pytest.approx((0.995, 1.0))
    assert printed_p("<0.001").span() == pytest.approx((0.0, 0.001))
    assert printed_p(">0.05").span() == pytest.approx((0.05, 1.0))
    assert printed_p("0.001").like(0.00016) == "<0.001"
    assert printed_p("0.04").like(0.187) == "0.19"


def test_recomputed_numbers_are_short():
    """Two significant digits, and never fewer than two decimals."""
    assert [shortly(x) for x in (0.00276, 1.7e-10, -1.4214, 55.0, 0.0)] == [
        "0.0028",
        "1.7e-10",
        "-1.42",
        "55.00",
        "0",
    ]


def test_rounding_keeps_the_order_of_equally_long_numbers():
    """.80 is never the rounding of more than .81 is; 0.8 may be (of .84)."""
    assert not printed_number(".81").may_be_below(printed_number(".80"))
    assert printed_number(".84").may_be_below(printed_number("0.8"))
    assert printed_number(".80").may_be_below(printed_number(".80"))
