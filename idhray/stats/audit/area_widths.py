"""Width and shape of intervals of areas: too wide, too narrow, lopsided, or another row's.

An interval is about symmetric either itself (DeLong, Hanley and McNeil, most bootstraps) or in its
logit; both scales are tried, and a finding needs that neither explains the interval. Only a
symmetric interval means the standard error that `auc_se_bounds` bounds, so it alone can be
impossible. `benchmarks/audit_detection.py` measures false alarms and detection of these limits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log, sqrt

from idhray.stats.audit.area_intervals import fitting_methods, is_symmetric, spans_of
from idhray.stats.audit.areas import AREA_INTERVAL
from idhray.stats.audit.findings import Check, Finding, ReportedRows, each, finding
from idhray.stats.audit.intervals import Z95, in_order
from idhray.stats.audit.printed_number import PrintedNumber, Span, shortly
from idhray.stats.audit.reported import ReportedRow, quoted
from idhray.stats.roc.intervals import auc_se_bounds, hanley_mcneil_se

WIDTH = "AUC interval is as wide as n asks"
SHAPE = "AUC interval is not lopsided"
ONE_AREA = "an interval belongs to one AUC"
_USUAL = 0.62, 1.5
"""Share of Hanley and McNeil's standard error; DeLong's and the bootstrap's rarely lie outside."""
_USUAL_MEAN = 1 / 3, 3.0
"""For means of repeats or folds, whose trainings add to the width and whose averages lessen it."""
_BEYOND = 1.1  # of a bound: 1,000 bootstrap samples give a standard error to 7%
_LOPSIDED = 1.2  # ratio of both sides; a bootstrap's stays below
_MANY_UNITS = 2  # of the last digit, by which two areas of one interval differ


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Lengths of an interval below and above its area, each as a span."""

    below: Span
    above: Span

    def lean(self) -> float:
        """Side below over side above, as near to 1 as rounding allows; infinite if above is 0."""
        least, most = _ratio(self.below[0], self.above[1]), _ratio(self.below[1], self.above[0])
        return min(max(1.0, least), most)


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else inf


def sides(row: ReportedRow, *, in_logits: bool) -> Sides:
    """The sides of an interval; an end that prints 0 or 1 is infinitely far in logits.

    Numbers of one row are rounded alike, or cut off alike: their differences are right to one unit.
    """
    spans = [_rounded(number) for number in (row.auc, row.auc_low, row.auc_high) if number]
    area, low, high = (_logits(span) for span in spans) if in_logits else spans
    return Sides(
        below=(max(area[0] - low[1], 0.0), area[1] - low[0]),
        above=(max(high[0] - area[1], 0.0), high[1] - area[0]),
    )


def _rounded(number: PrintedNumber) -> Span:
    return float(number.value - number.unit / 2), float(number.value + number.unit / 2)


def _logits(span: Span) -> Span:
    low, high = (min(max(end, 0.0), 1.0) for end in span)
    return (
        log(low / (1 - low)) if 0 < low < 1 else -inf if low == 0 else inf,
        log(high / (1 - high)) if 0 < high < 1 else inf if high == 1 else -inf,
    )


def is_cut(row: ReportedRow) -> bool:
    """True if an end prints 0 or 1, where an interval may have been cut."""
    ends_at = [number.value for number in (row.auc_low, row.auc_high) if number]
    return min(ends_at) <= 0 or max(ends_at) >= 1


def errors_meant(row: ReportedRow) -> tuple[Span, Span]:
    """Standard error that an interval means on the plain scale, and from logits."""
    area = spans_of(row)[0]
    plain = sides(row, in_logits=False)
    ends = [(low + high) / 2 for low, high in zip(plain.below, plain.above, strict=True)]
    if is_cut(row):
        ends = [max(pair) for pair in zip(plain.below, plain.above, strict=True)]
    of_plain = ends[0] / Z95, ends[1] / Z95
    if is_cut(row):
        return of_plain, of_plain
    logits = sides(row, in_logits=True)
    slopes = sorted(end * (1 - end) for end in area)
    halves = [(low + high) / 2 for low, high in zip(logits.below, logits.above, strict=True)]
    return of_plain, (halves[0] * slopes[0] / Z95, halves[1] * slopes[1] / Z95)


def off_width(row: ReportedRow) -> Iterator[Finding]:
    """Intervals that are wider or narrower than the numbers of patients and the area allow."""
    m, w, auc = row.mutants, row.wildtypes, row.auc
    if not (m and w and auc and 0 < auc.value < 1 and _is_ordered(row)):
        return
    if "exact binomial" in fitting_methods(row):
        return  # it ignores the class sizes
    folds = row.folds or 1
    sizes = max(m // folds, 1), max(w // folds, 1)
    usual = hanley_mcneil_se(float(auc.value), *sizes) / sqrt(folds)
    least, most = auc_se_bounds(float(auc.value), m, w)
    plain, logit = errors_meant(row)
    narrow, wide = usual * _USUAL[0], usual * _USUAL[1]
    if row.is_mean:
        narrow, wide = usual * _USUAL_MEAN[0] / sqrt(row.runs), usual * _USUAL_MEAN[1]
    else:
        narrow, wide = max(narrow, least), min(wide, most)
    if max(plain[1], logit[1]) < narrow:
        verdict = "narrow"
    elif min(plain[0], logit[0]) > wide:
        verdict = "wide"
    else:
        return
    wald = is_symmetric(*spans_of(row)) and not is_cut(row) and not row.is_mean
    beyond = plain[1] * _BEYOND < least or plain[0] > most * _BEYOND
    bounds = f"{shortly(Z95 * least)} to {shortly(Z95 * most)}"
    yield finding(
        row,
        WIDTH,
        "impossible" if wald and beyond else "suspicious",
        printed=f"{row.area_text}, {m} mutants and {w} wildtypes",
        reason=(
            f"too {verdict}: about {shortly(Z95 * usual)} to each side is expected (Hanley-McNeil)"
            + (f"; any ranking of these patients gives {bounds}" if beyond else "")
        ),
        fits=_cause(plain[1] * sqrt(m + w) > usual / 2, m + w) if verdict == "narrow" else "",
    )


def _cause(divided: bool, n: int) -> str:
    if divided:
        return f"a standard error divided by sqrt({n}), or fewer than 95%"
    return "cases that are not independent, such as images of the same patients"


def lopsided(row: ReportedRow) -> Iterator[Finding]:
    """Intervals that lean to no side that any method gives.

    The side towards .5 is the longer one: not at all in a symmetric interval, most in one that is
    symmetric in its logit. Ends that were cut at 0 or 1 tell only that they are no longer.
    """
    if row.auc is None or not _is_ordered(row) or not 0 < row.auc.value < 1:
        return
    plain = sides(row, in_logits=False).lean()
    logit = 1.0 if is_cut(row) else sides(row, in_logits=True).lean()
    if row.auc.value < 1 / 2:
        plain, logit = (1 / lean if lean else inf for lean in (plain, logit))
    if plain * _LOPSIDED < 1 or logit > _LOPSIDED:
        side = "below" if sides(row, in_logits=False).lean() > 1 else "above"
        yield finding(
            row,
            SHAPE,
            "suspicious",
            printed=row.area_text,
            reason=(
                f"the side {side} the area is too long: the interval is symmetric neither itself "
                "nor in its logit, and lies not between"
            ),
            fits="an end with a wrong digit, or the interval of another area",
        )


def shared_intervals(rows: ReportedRows, _: ReportedRows) -> Iterator[Finding]:
    """Rows with both ends of another row of the same set, but with another area."""
    first: dict[tuple[object, ...], ReportedRow] = {}
    for row in rows:
        ends = (row.auc_low, row.auc_high)
        if is_cut(row):
            continue
        other = first.setdefault((row.set, row.cases, *ends), row)
        if row.auc is None or other.auc is None:
            continue
        if abs(row.auc.value - other.auc.value) >= _MANY_UNITS * max(row.auc.unit, other.auc.unit):
            odd, even = sorted((row, other), key=_off_center, reverse=True)
            yield finding(
                odd,
                ONE_AREA,
                "suspicious",
                printed=odd.area_text,
                reason=f"row {even.line} ({even.row}) has the same ends about {quoted(even.auc)}",
                fits="the interval of one row was copied to the other",
            )


def _off_center(row: ReportedRow) -> float:
    """Distance of an area from the middle of its interval."""
    area, low, high = (sum(span) / 2 for span in spans_of(row))
    return abs(low + high - 2 * area)


def _is_ordered(row: ReportedRow) -> bool:
    return row.auc is not None and in_order(row.auc, row.auc_low, row.auc_high)


CHECKS = (
    Check(
        rule=WIDTH,
        applies_to=AREA_INTERVAL,
        needs=("mutants", "wildtypes"),
        find=each(off_width),
    ),
    Check(rule=SHAPE, applies_to=AREA_INTERVAL, find=each(lopsided)),
    Check(rule=ONE_AREA, applies_to=AREA_INTERVAL, find=shared_intervals),
)
