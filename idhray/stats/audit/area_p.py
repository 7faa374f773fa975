"""P values of areas under ROC curves: of no separation at all, where the area is 0.5."""

from collections.abc import Iterator
from math import inf

from idhray.stats.audit.area_intervals import is_symmetric
from idhray.stats.audit.findings import Check, Finding, Severity, each, finding
from idhray.stats.audit.interval import Z95, in_order, p_of_z, z_of_p
from idhray.stats.audit.printed_number import PrintedP, Span, shortly
from idhray.stats.audit.reported import ReportedRow
from idhray.stats.roc.intervals import hanley_mcneil_se

AREA_P = "AUC interval agrees with P"
_HALF, _SIGNIFICANT, _TINY = 0.5, 0.05, 0.001
_FAR = 1.75  # of z: no distribution of scores makes sqrt(3) of the standard error without effect
_NEAR = 0.25  # of z
_NOT_ITS_OWN = 2.0  # exact binomial intervals: too narrow by so much with 1 case in 10 of a class
_MANY = 10**6  # patients, in place of infinitely many


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
    """Of a P, as z at least `weakest`, where the interval means `most` at most."""
    tiny = p.span()[1] <= _TINY
    if p.span()[1] < _SIGNIFICANT and weakest > _FAR * most:
        return "contradiction" if tiny else "suspicious"
    return "suspicious" if tiny and weakest > most else None


def _too_large(p: PrintedP, strongest: float, least: float, *, far: float) -> Severity | None:
    """Of a P, as z at most `strongest`, where the interval means `least` at least."""
    if p.span()[0] <= _SIGNIFICANT or least <= Z95 + _NEAR:
        return None
    return "contradiction" if least > far * strongest else "suspicious"


def _far(row: ReportedRow) -> float:
    """Wider where the interval may be exact binomial, which is blind to the size of each class."""
    spans = [one.span() for one in (row.auc, row.auc_low, row.auc_high) if one is not None]
    return _FAR if is_symmetric(spans[0], spans[1], spans[2]) else _FAR * _NOT_ITS_OWN


def z_of_area(row: ReportedRow) -> Span | None:
    """How far an area is from 0.5 in standard errors; None where the figures are impossible.

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
    """By the printed figures alone."""
    assert row.auc
    assert row.auc_low
    assert row.auc_high
    width = float(row.auc_high.value - row.auc_low.value)
    return 2 * Z95 * (float(row.auc.value) - _HALF) / width if width > 0 else inf


CHECKS = (
    Check(
        rule=AREA_P,
        given=("auc", "p_of_area"),
        needs=("auc_low", "auc_high"),
        find=each(area_against_p),
    ),
)
