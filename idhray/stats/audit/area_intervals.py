"""Intervals of areas under ROC curves: do they hold the area, and which method made them."""

from collections.abc import Iterator
from math import sqrt
from typing import Literal

from idhray.stats.audit.findings import (
    WHOLE_TABLE,
    Check,
    Finding,
    Rows,
    each,
    finding,
    rows_text,
)
from idhray.stats.audit.interval import Z95, Z_PRINTED, in_order
from idhray.stats.audit.printed_number import Span, shortly
from idhray.stats.audit.reported import ReportedRow
from idhray.stats.roc.intervals import (
    exact_auc_interval,
    hanley_mcneil_se,
)

HOLDS_AREA = "AUC interval holds its AUC"
ONE_METHOD = "AUC intervals are of one method"
WIDTH = "AUC interval is as wide as n asks"

Method = Literal["exact binomial", "Hanley-McNeil", "symmetric"]
INTERVAL = ("auc", "auc_low", "auc_high")
_FAR_TOO_NARROW = 1 / 3  # of Hanley and McNeil's standard error; DeLong's stays well above
_TOO_GOOD = 0.95  # but not for areas near 0 or 1


def area_outside(row: ReportedRow) -> Iterator[Finding]:
    """Intervals that exclude their own area, or whose ends are exchanged."""
    if row.auc is None or in_order(row.auc, row.auc_low, row.auc_high):
        return
    reverse = row.auc_low and row.auc_high and not row.auc_low.may_be_below(row.auc_high)
    reason = "the lower end is above the upper one" if reverse else "the area lies outside"
    yield finding(row, HOLDS_AREA, "impossible", printed=row.area_text, reason=reason)


def fitting_methods(row: ReportedRow) -> tuple[Method, ...]:
    """The methods that may have made an interval; none where it is another (bootstrap, logit).

    `symmetric` is the area and the same to both sides, cut at 0 and 1: compatible with DeLong's
    and any other standard error. `exact binomial` (MedCalc's default) needs n, Hanley and
    McNeil's both classes.
    """
    auc, low, high = _spans(row)
    ends = [min(max(end, 0.0), 1.0) for end in auc]
    methods: list[Method] = []
    if n := row.cases:
        least, most = (exact_auc_interval(end, n) for end in ends)
        if _meet(low, (least[0], most[0])) and _meet(high, (least[1], most[1])):
            methods.append("exact binomial")
    if (m := row.mutants) and (w := row.wildtypes):
        errors = [hanley_mcneil_se(end, m, w) for end in ends]
        if any(_hanley_mcneil(ends, errors, z, low, high) for z in (Z95, *Z_PRINTED)):
            methods.append("Hanley-McNeil")
    if is_symmetric(auc, low, high):
        methods.append("symmetric")
    return tuple(methods)


def _meet(one: Span, other: Span) -> bool:
    return one[0] <= max(other) and one[1] >= min(other)


def _hanley_mcneil(ends: list[float], errors: list[float], z: float, low: Span, high: Span) -> bool:
    """Whether z standard errors to both sides, cut at 0 and 1, meet the printed interval."""
    below, above = (
        [min(max(end + side * z * se, 0.0), 1.0) for end, se in zip(ends, errors, strict=True)]
        for side in (-1, 1)
    )
    return _meet(low, (below[0], below[1])) and _meet(high, (above[0], above[1]))


def is_symmetric(auc: Span, low: Span, high: Span) -> bool:
    """Whether area - low may be high - area; an end that prints 0 or 1 may have been cut."""
    if high[1] >= 1 and 2 * auc[1] - low[0] >= 1:
        return True
    if low[0] <= 0 and 2 * auc[0] - high[1] <= 0:
        return True
    return _meet((2 * auc[0], 2 * auc[1]), (low[0] + high[0], low[1] + high[1]))


def mixed_methods(rows: Rows, _: Rows) -> Iterator[Finding]:
    """One finding about the table where some intervals are exact binomial and others symmetric."""
    fits = {row.line: fitting_methods(row) for row in rows}
    exact = [line for line, found in fits.items() if found == ("exact binomial",)]
    symmetric = [line for line, found in fits.items() if found and "exact binomial" not in found]
    if not exact or not symmetric:
        return
    yield Finding(
        line=None,
        set="",
        row=WHOLE_TABLE,
        source="",
        rule=ONE_METHOD,
        severity="suspicious",
        printed=f"{len(rows)} AUC intervals",
        reason=(
            f"{rows_text(exact)} fit the exact binomial method only, "
            f"{rows_text(symmetric)} a symmetric one (DeLong) only"
        ),
        fits="two programs or settings; exact binomial is MedCalc's default and no option of pROC",
    )


def too_narrow(row: ReportedRow) -> Iterator[Finding]:
    """Symmetric intervals far narrower than these numbers of patients allow."""
    auc, low, _ = _spans(row)
    m, w, value = row.mutants, row.wildtypes, row.auc
    if not (m and w and value) or "symmetric" not in fitting_methods(row):
        return
    if not 1 - _TOO_GOOD <= value.value <= _TOO_GOOD:
        return
    widest, usual = auc[1] - low[0], Z95 * hanley_mcneil_se(float(value.value), m, w)
    if widest >= _FAR_TOO_NARROW * usual:
        return
    n = m + w
    yield finding(
        row,
        WIDTH,
        "suspicious",
        printed=f"{row.area_text}, {m} mutants and {w} wildtypes",
        reason=f"about {shortly(usual)} to each side is expected (Hanley-McNeil)",
        fits=(
            f"a standard error divided by sqrt({n})"
            if widest * sqrt(n) > usual / 2
            else "cases that are not independent, such as images of the same patients"
        ),
    )


def _spans(row: ReportedRow) -> tuple[Span, Span, Span]:
    auc, low, high = (
        number.span() for number in (row.auc, row.auc_low, row.auc_high) if number is not None
    )
    return auc, low, high


CHECKS = (
    Check(rule=HOLDS_AREA, given=("auc",), needs=("auc_low", "auc_high"), find=each(area_outside)),
    Check(rule=WIDTH, given=INTERVAL, needs=("mutants", "wildtypes"), find=each(too_narrow)),
    Check(rule=ONE_METHOD, given=INTERVAL, needs=("cases",), find=mixed_methods),
)
