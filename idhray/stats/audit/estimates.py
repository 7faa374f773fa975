"""Estimates, intervals and P values of one row must agree."""

from collections.abc import Iterator

from idhray.stats.audit.diagnosis import diagnosis, lost_sign, other_level
from idhray.stats.audit.findings import Check, Finding, each, finding
from idhray.stats.audit.interval import (
    PROFILE_LEAN,
    Interval,
    agreement,
    apart,
    holds_estimate,
    implied_p,
    interval_of,
)
from idhray.stats.audit.printed_number import PrintedP, shortly
from idhray.stats.audit.reported import ReportedRow
from idhray.stats.audit.scales import wrong_scale

HOLDS_ESTIMATE = "interval holds its estimate"
AGREES_WITH_P = "interval agrees with P"
SYMMETRIC = "interval is symmetric on its scale"
INTERVAL = ("estimate", "low", "high")
_EXTREME_LEAN = 3.0
_TINY = 0.001  # P
_TOWARDS_ZERO = 1 / 1.2  # no likelihood leans that way


def outside_interval(row: ReportedRow) -> Iterator[Finding]:
    """Intervals that exclude their own estimate, or whose ends are exchanged."""
    if holds_estimate(row) or not (row.low and row.high):
        return
    reverse = not row.low.may_be_below(row.high)
    center = float(row.low.value + row.high.value) / 2
    yield finding(
        row,
        HOLDS_ESTIMATE,
        "impossible",
        printed=row.estimate_text,
        reason="the lower end is above the upper one" if reverse else "the estimate lies outside",
        fits=lost_sign(row) or f"the interval is centered on {shortly(center)}",
    )


def against_p(row: ReportedRow) -> Iterator[Finding]:
    """Intervals that mean another standard error than P does."""
    interval, p = interval_of(row, row.scale), row.p
    if interval is None or p is None or wrong_scale(row):
        return
    verdict = agreement(interval, p)
    if verdict == "no":
        se = shortly(interval.standard_error())
        text = _implied_text(interval)
        yield finding(
            row,
            AGREES_WITH_P,
            "contradiction",
            printed=row.estimate_text,
            reason=f"the interval means a standard error of {se} and {text}, not {p.text}",
            fits=diagnosis(row, interval, p),
        )
    elif verdict == "significance":
        reach = "excludes" if interval.excludes_zero() else "includes"
        yield finding(
            row,
            AGREES_WITH_P,
            "suspicious",
            printed=row.estimate_text,
            reason=f"the interval {reach} no effect, and P is {p.text}",
            fits="interval and P of different methods, which should be named",
        )
    elif apart(interval, p):
        yield _other_p(row, interval, p)


def _implied_text(interval: Interval, digits: int = 1) -> str:
    meant = implied_p(interval)
    return f"P = {shortly(meant, digits)}" if meant else "P below 1e-300"


def _other_p(row: ReportedRow, interval: Interval, p: PrintedP) -> Finding:
    """On an interval and a P that differ by more than rounding, and less than a contradiction.

    A remark where the interval is no Wald interval, or where both P values are tiny.
    """
    others = "interval and P of different methods (likelihood ratio, exact), which should be named"
    level = other_level(interval, p)
    usual = not interval.symmetric() or max(implied_p(interval), p.span()[1]) <= _TINY
    return finding(
        row,
        AGREES_WITH_P,
        "remark" if usual else "suspicious",
        printed=row.estimate_text,
        reason=f"by Wald the interval means {_implied_text(interval, 2)}, not {p.text}",
        fits=f"{level}; or {others}" if level else others,
    )


def asymmetric(row: ReportedRow) -> Iterator[Finding]:
    """Intervals that are no estimate with a standard error to both sides.

    A profile-likelihood interval is longer on one side: away from 0 where it excludes 0, on either
    where it does not. If it is moderately so, and P agrees, that is a remark.
    """
    interval = interval_of(row, row.scale)
    if interval is None or interval.symmetric() or wrong_scale(row):
        return
    lean = interval.lean()
    agrees = row.p is not None and agreement(interval, row.p) == "yes"
    most = _EXTREME_LEAN if agrees else PROFILE_LEAN
    least = _TOWARDS_ZERO if interval.excludes_zero() else 1 / most
    usual = least <= lean <= most
    longer = f"{shortly(lean if lean >= 1 else 1 / lean if lean else 99.0, 1)} times"
    side = "away from" if lean >= 1 else "towards"
    yield finding(
        row,
        SYMMETRIC,
        "remark" if usual else "suspicious",
        printed=row.estimate_text,
        reason=f"its side {side} no effect is {longer} as long as the other, beyond rounding",
        fits="a profile-likelihood or bootstrap interval" if usual else "",
    )


CHECKS = (
    Check(
        rule=HOLDS_ESTIMATE, given=("estimate",), needs=("low", "high"), find=each(outside_interval)
    ),
    Check(
        rule=AGREES_WITH_P,
        given=("estimate",),
        needs=("low", "high", "p", "known_scale"),
        find=each(against_p),
    ),
    Check(rule=SYMMETRIC, given=INTERVAL, needs=("known_scale",), find=each(asymmetric)),
)
