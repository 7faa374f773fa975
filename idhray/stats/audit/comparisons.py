"""Comparisons of two rows, and likelihood ratios: figures that follow from two others."""

from collections.abc import Iterator
from math import sqrt

from idhray.stats.audit.area_widths import errors_meant
from idhray.stats.audit.findings import Check, Finding, ReportedRows, Severity, each, finding
from idhray.stats.audit.intervals import in_order, overlap, p_of_z
from idhray.stats.audit.printed_number import Span, shortly
from idhray.stats.audit.reported import AREA_DIFFERENCE, POSITIVE_LR, ReportedRow, quoted

NAMES_A_ROW = "a comparison names a row of its set"
DIFFERENCE = "AUC difference follows from both areas"
COMPARED_P = "P of a comparison agrees with both intervals"
LIKELIHOOD_RATIO = "likelihood ratio follows from sensitivity and specificity"
_FAR = 1.5  # of z: intervals that are no Wald intervals mean other standard errors
_CLOSEST = 0.99  # correlation of two areas; few models rank patients so much alike


def reference_of(row: ReportedRow, table: ReportedRows) -> ReportedRow | None:
    """The one row of the same set with the name in `compared_with`; None without or with more."""
    same = [other for other in table if (other.set, other.row) == (row.set, row.compared_with)]
    return same[0] if len(same) == 1 and same[0] is not row else None


def unknown_reference(rows: ReportedRows, table: ReportedRows) -> Iterator[Finding]:
    """A remark on names that no row, or more than one, of the set has."""
    for row in rows:
        if reference_of(row, table) is None:
            yield finding(
                row,
                NAMES_A_ROW,
                "remark",
                printed=f"compared with {row.compared_with}",
                reason="no other row, or more than one, of this set has this name",
                fits="the comparison was not checked",
            )


def off_difference(rows: ReportedRows, table: ReportedRows) -> Iterator[Finding]:
    """Differences that are not the area of this row less that of the row compared with."""
    for row in rows:
        other = reference_of(row, table)
        if other is None or not (row.auc and other.auc and row.estimate):
            continue
        if row.scale != AREA_DIFFERENCE:
            continue
        difference = _difference(row.auc.span(), other.auc.span())
        if not overlap(row.estimate.span(), difference):
            exact = row.auc.value - other.auc.value
            yield finding(
                row,
                DIFFERENCE,
                "contradiction",
                printed=f"{row.estimate_text}, AUC {row.auc.text} and {other.auc.text}",
                reason=f"row {other.line} ({other.row}) and this one are {float(exact):+.4g} apart",
                fits="the difference with the other sign"
                if overlap(row.estimate.span(), (-difference[1], -difference[0]))
                else "",
            )


def _difference(new: Span, old: Span) -> Span:
    return new[0] - old[1], new[1] - old[0]


def off_compared_p(rows: ReportedRows, table: ReportedRows) -> Iterator[Finding]:
    """P values of two areas that no correlation between them gives.

    The variance of a difference is that of both areas less twice their covariance. It is largest
    at correlation -1. It may be 0 at 1, so a small P is only suspicious, below that of `_CLOSEST`.
    Two models trained more than once add to the variance, so that no P of means is too large.
    """
    for row in rows:
        other = reference_of(row, table)
        if other is None or not (row.p and row.auc and other.auc):
            continue
        if row.estimate or not (_complete(row) and _complete(other)):
            continue
        difference = _difference(row.auc.span(), other.auc.span())
        least = 0.0 if difference[0] <= 0 <= difference[1] else min(map(abs, difference))
        (new_least, new_most), (old_least, old_most) = map(_error, (row, other))
        weakest = p_of_z(least / ((new_most + old_most) * _FAR))
        unlike = new_least**2 + old_least**2 - 2 * _CLOSEST * new_least * old_least
        strongest = p_of_z(max(map(abs, difference)) * _FAR / sqrt(unlike)) if unlike > 0 else 0.0
        severity: Severity = "suspicious"
        if row.p.span()[0] > weakest and not row.is_mean:
            severity, bound = "contradiction", f"at most {shortly(weakest)}"
        elif row.p.span()[1] < strongest:
            bound = f"about {shortly(strongest)} or more"
        else:
            continue
        yield finding(
            row,
            COMPARED_P,
            severity,
            printed=f"{row.area_text} and {other.area_text}, P {row.p.text}",
            reason=f"by both intervals P of the difference is {bound}",
            fits="P of something else, such as a comparison of accuracies or with 0.5",
        )


def _error(row: ReportedRow) -> Span:
    """Smallest and largest standard error that an interval means."""
    spans = errors_meant(row)
    return min(span[0] for span in spans), max(span[1] for span in spans)


def _complete(row: ReportedRow) -> bool:
    numbers = (row.auc, row.auc_low, row.auc_high)
    return None not in numbers and row.auc is not None and in_order(row.auc, *numbers[1:])


def off_likelihood_ratio(row: ReportedRow) -> Iterator[Finding]:
    """Likelihood ratios other than sensitivity / (1 - specificity), or the negative one.

    A ratio over 0 was made finite in a way of its own, and is not judged.
    """
    if not (row.sensitivity and row.specificity and row.estimate and row.likelihood_scale):
        return
    right, wrong = row.sensitivity.span(), row.specificity.span()
    above, below = right, (1 - wrong[1], 1 - wrong[0])
    if row.likelihood_scale != POSITIVE_LR:
        above, below = (1 - right[1], 1 - right[0]), wrong
    if below[0] <= 0:
        return
    low, high = max(above[0], 0.0) / below[1], above[1] / below[0]
    if overlap(row.estimate.span(), (low, high)):
        return
    yield finding(
        row,
        LIKELIHOOD_RATIO,
        "contradiction",
        printed=f"{row.estimate_text}, {row.point_text}",
        reason=f"these shares give {shortly(low)} to {shortly(high)}",
        fits=f"the ratio of other figures than {quoted(row.sensitivity)} and "
        f"{quoted(row.specificity)}",
    )


_AREA = ("auc", "auc_low", "auc_high")
CHECKS = (
    Check(rule=NAMES_A_ROW, applies_to=("compared_with",), find=unknown_reference),
    Check(rule=DIFFERENCE, applies_to=("compared_with", "estimate", "auc"), find=off_difference),
    Check(
        rule=COMPARED_P,
        applies_to=("compared_with", "auc", "p"),
        needs=_AREA[1:],
        find=off_compared_p,
    ),
    Check(
        rule=LIKELIHOOD_RATIO,
        applies_to=("likelihood_scale", "estimate"),
        needs=("sensitivity", "specificity", "one_training"),
        find=each(off_likelihood_ratio),
    ),
)
