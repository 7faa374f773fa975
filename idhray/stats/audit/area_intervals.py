"""Intervals of areas under ROC curves: their order, method, and P against 0.5."""

from collections.abc import Iterator
from math import inf
from typing import Literal

from idhray.stats.audit.findings import (
    Check,
    Finding,
    Severity,
    each,
    finding,
)
from idhray.stats.audit.intervals import Z95, Z_PRINTED, in_order, overlap, p_of_z, z_of_p
from idhray.stats.audit.printed_number import PrintedP, Span, shortly
from idhray.stats.audit.reported import ReportedRow
from idhray.stats.roc.intervals import exact_auc_interval, hanley_mcneil_se

AREA_P = "AUC interval agrees with P"

Method = Literal["exact binomial", "Hanley-McNeil", "symmetric"]
_HALF, _SIGNIFICANT, _TINY = 0.5, 0.05, 0.001
_FAR = 1.75  # of z: no distribution of scores makes sqrt(3) of the standard error without effect
_NEAR = 0.25  # of z
_NOT_ITS_OWN = 2.0  # exact binomial intervals: too narrow by so much with 1 case in 10 of a class
_MANY = 10**6  # patients, in place of infinitely many


def fitting_methods(row: ReportedRow) -> tuple[Method, ...]:
    """The methods that may have made an interval; none if it is another (bootstrap, logit).

    `symmetric` is the area and the same to both sides, cut at 0 and 1: compatible with DeLong's
    and any other standard error. `exact binomial` (MedCalc's default) needs n, Hanley and
    McNeil's both classes.
    """
    auc, low, high = spans_of(row)
    ends = [min(max(end, 0.0), 1.0) for end in auc]
    methods: list[Method] = []
    if n := row.cases:
        least, most = (exact_auc_interval(end, n) for end in ends)
        if overlap(low, (least[0], most[0])) and overlap(high, (least[1], most[1])):
            methods.append("exact binomial")
    if (m := row.mutants) and (w := row.wildtypes):
        errors = [hanley_mcneil_se(end, m, w) for end in ends]
        if any(_hanley_mcneil(ends, errors, z, low, high) for z in (Z95, *Z_PRINTED)):
            methods.append("Hanley-McNeil")
    if is_symmetric(auc, low, high):
        methods.append("symmetric")
    return tuple(methods)


def _hanley_mcneil(ends: list[float], errors: list[float], z: float, low: Span, high: Span) -> bool:
    """True if z standard errors to both sides, cut at 0 and 1, give the printed interval."""
    below, above = (
        [min(max(end + side * z * se, 0.0), 1.0) for end, se in zip(ends, errors, strict=True)]
        for side in (-1, 1)
    )
    return overlap(low, (below[0], below[1])) and overlap(high, (above[0], above[1]))


def is_symmetric(auc: Span, low: Span, high: Span) -> bool:
    """True if area - low may be high - area; an end that prints 0 or 1 may have been cut."""
    if high[1] >= 1 and 2 * auc[1] - low[0] >= 1:
        return True
    if low[0] <= 0 and 2 * auc[0] - high[1] <= 0:
        return True
    return overlap((2 * auc[0], 2 * auc[1]), (low[0] + high[0], low[1] + high[1]))


def area_against_p(row: ReportedRow) -> Iterator[Finding]:
    """Gross contradictions between the interval of an area and P against 0.5.

    Intervals may be exact binomial, bootstrap or logit, and P that of another test: only P below
    .05 beside an interval that holds 0.5, or the reverse, is judged, and with wide margins.
    """
    p, z = row.p_of_area, z_of_area(row)
    if p is None or z is None or row.auc_low is None or row.auc_high is None:
        return
    (low, high), (weakest, strongest) = (row.auc_low.span(), row.auc_high.span()), z_of_p(p)
    severity: Severity | None = None
    if low[1] <= _HALF < high[0]:
        reach, severity = "holds", _too_small(p, weakest, z[1])
    elif low[0] > _HALF or high[1] < _HALF:
        reach, severity = "excludes", _too_large(p, strongest, z[0], far=_far(row))
    if severity is None:
        return
    meant = p_of_z(_printed_z(row))
    yield finding(
        row,
        AREA_P,
        severity,
        printed=f"{row.area_text}, P {p.text}",
        reason=f"the interval {reach} 0.5 and means about P = {shortly(meant, 1)}, not {p.text}",
        fits="P of something else, such as a comparison with another area, which should be named",
    )


def _too_small(p: PrintedP, weakest: float, most: float) -> Severity | None:
    """Severity of a P whose z is at least `weakest`, beside an interval with z at most `most`."""
    tiny = p.span()[1] <= _TINY
    if p.span()[1] < _SIGNIFICANT and weakest > _FAR * most:
        return "contradiction" if tiny else "suspicious"
    return "suspicious" if tiny and weakest > most else None


def _too_large(p: PrintedP, strongest: float, least: float, *, far: float) -> Severity | None:
    """Severity of a P whose z is at most `strongest`, beside an interval with z from `least` up."""
    if p.span()[0] <= _SIGNIFICANT or least <= Z95 + _NEAR:
        return None
    return "contradiction" if least > far * strongest else "suspicious"


def _far(row: ReportedRow) -> float:
    """Wider if the interval may be exact binomial, which ignores the size of each class."""
    return _FAR if is_symmetric(*spans_of(row)) else _FAR * _NOT_ITS_OWN


def z_of_area(row: ReportedRow) -> Span | None:
    """Distance of an area from 0.5 in standard errors; None if the figures are impossible.

    From the longer to the shorter side of the interval, as it need not be symmetric. A test such
    as Mann and Whitney's takes the standard error at 0.5, which is larger than that of the
    interval: the lower end is that of the worst division into classes.
    """
    numbers = [row.auc, row.auc_low, row.auc_high]
    if row.auc is None or not in_order(row.auc, row.auc_low, row.auc_high):
        return None
    if any(number is None or not 0 <= number.value <= 1 for number in numbers):
        return None
    auc, low, high = (number.span() for number in numbers if number is not None)
    longest = max(auc[1] - low[0], high[1] - auc[0])
    shortest = max(min(auc[0] - low[1], high[0] - auc[1]), 0.0)
    from_half = [abs(end - _HALF) for end in auc]
    least = 0.0 if auc[0] <= _HALF <= auc[1] else min(from_half)
    extreme = min(_HALF + max(from_half), 1.0)
    most = Z95 * max(from_half) / shortest if shortest else inf
    return Z95 * least / longest / error_without_effect(extreme), most


def error_without_effect(area: float) -> float:
    """The largest ratio of the standard error at area 0.5 to that at this area; infinite at 1.

    By Hanley and McNeil's formula, with all patients but one in either class.
    """
    ratios = []
    for sizes in ((1, _MANY), (_MANY, 1)):
        se = hanley_mcneil_se(area, *sizes)
        ratios.append(hanley_mcneil_se(_HALF, *sizes) / se if se else inf)
    return max(ratios)


def _printed_z(row: ReportedRow) -> float:
    """Distance from 0.5 in standard errors, by the printed figures alone."""
    assert row.auc
    assert row.auc_low
    assert row.auc_high
    width = float(row.auc_high.value - row.auc_low.value)
    return 2 * Z95 * (float(row.auc.value) - _HALF) / width if width > 0 else inf


def spans_of(row: ReportedRow) -> tuple[Span, Span, Span]:
    """Spans of an area and of both ends; all three are printed."""
    auc, low, high = (
        number.span() for number in (row.auc, row.auc_low, row.auc_high) if number is not None
    )
    return auc, low, high


CHECKS = (
    Check(
        rule=AREA_P,
        applies_to=("auc", "p_of_area"),
        needs=("auc_low", "auc_high"),
        find=each(area_against_p),
    ),
)
