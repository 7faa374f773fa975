"""Figures outside the range that they have by definition."""

from collections.abc import Iterator

from idhray.stats.audit.findings import Check, Finding, each, finding
from idhray.stats.audit.reported import NUMBERS, RATIOS, SHARES, ReportedRow

IN_RANGE = "figures lie in their range"
NEGATIVE = "odds ratios and other ratios are positive"


def outside_range(row: ReportedRow) -> Iterator[Finding]:
    """Shares and P values outside 0..1; for the ends of an AUC interval a remark."""
    for name in SHARES:
        share = getattr(row, name)
        if share is None or 0 <= share.value <= 1:
            continue
        is_end = name in ("auc_low", "auc_high")
        yield finding(
            row,
            IN_RANGE,
            "remark" if is_end else "impossible",
            printed=f"{name} {share.text}",
            reason="it lies between 0 and 1",
            fits="a symmetric interval that passes 0 or 1 is cut there" if is_end else "",
        )
    if row.p is not None and not 0 <= row.p.number.value <= 1:
        reason = "a P value lies between 0 and 1"
        yield finding(row, IN_RANGE, "impossible", printed=f"P {row.p.text}", reason=reason)


def negative_ratio(row: ReportedRow) -> Iterator[Finding]:
    """Odds, risks and hazards are positive, and so are their ratios; a logarithm need not be."""
    printed = [(name, getattr(row, name)) for name in NUMBERS]
    negative = [f"{name} {number.text}" for name, number in printed if number and number.value < 0]
    if row.scale in RATIOS and negative:
        yield finding(
            row,
            NEGATIVE,
            "impossible",
            printed=f"{row.scale}: {', '.join(negative)}",
            reason="a ratio of odds, risks or hazards is never negative",
            fits=f"a beta (log {row.scale}) under the wrong name",
        )


CHECKS = (
    Check(rule=IN_RANGE, given=(), find=each(outside_range)),
    Check(rule=NEGATIVE, given=("estimate", "scale"), find=each(negative_ratio)),
)
