"""All rules on a table: what was found, what was checked, and what could not be."""

from collections import Counter
from dataclasses import dataclass

from idhray.stats.audit import (
    across_rows,
    area_intervals,
    area_p,
    areas,
    comparisons,
    estimates,
    from_counts,
    proportions,
    ranges,
    restated,
    scales,
    two_by_two,
)
from idhray.stats.audit.findings import SEVERITIES, Check, Finding, Severity
from idhray.stats.audit.reported import ReportedRow, ReportedTable

CHECKS: tuple[Check, ...] = (
    *ranges.CHECKS,
    *proportions.CHECKS,
    *two_by_two.CHECKS,
    *areas.CHECKS,
    *area_intervals.CHECKS,
    *area_p.CHECKS,
    *restated.CHECKS,
    *estimates.CHECKS,
    *scales.CHECKS,
    *across_rows.CHECKS,
    *from_counts.CHECKS,
    *comparisons.CHECKS,
)
_OF_ANY_ROW = (ranges.IN_RANGE, ranges.NEGATIVE)  # they compare nothing
_SHOWN = {
    "cases": "n",
    "mutants": "n_mutant",
    "wildtypes": "n_wildtype",
    "known_scale": "scale",
    "odds_scale": "scale (beta or odds ratio)",
    "contrast": "counts (2 x 2)",
}


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How far one rule could be applied."""

    rule: str
    checked: int
    """Rows."""
    blind: int
    """Of these, rows that could not have failed: too many cases for the printed decimals."""
    lacking: dict[str, int]
    """Empty columns -> rows in which the question arose, but could not be answered for these."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What the rules say of a table."""

    rows: int
    findings: tuple[Finding, ...]
    """Without the remarks; by row, the gravest first, what is about the whole table on top."""
    remarks: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]
    unchecked: tuple[int, ...]
    """Rows of the file in which nothing could be compared with anything."""
    notices: tuple[str, ...]

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(one.severity == severity for one in self.findings)

    def lines(self) -> list[int]:
        """The rows of the file with a finding, the header being 1."""
        return sorted({one.line for one in self.findings if one.line is not None})


def audit_table(table: ReportedTable) -> Audit:
    """Apply every rule to every row that reports what it needs."""
    found: list[Finding] = []
    coverage = []
    compared: set[int] = set()
    for check in CHECKS:
        asked = [row for row in table.rows if row.has(*check.given)]
        able = [row for row in asked if not _missing(row, check)]
        found.extend(check.find(able, table.rows))
        coverage.append(_coverage(check, asked, able))
        if check.rule not in _OF_ANY_ROW:
            compared |= {row.line for row in able}
    found.sort(key=lambda one: (one.line or 0, SEVERITIES.index(one.severity)))
    return Audit(
        rows=len(table.rows),
        findings=tuple(one for one in found if one.severity != "remark"),
        remarks=tuple(one for one in found if one.severity == "remark"),
        coverage=tuple(coverage),
        unchecked=tuple(row.line for row in table.rows if row.line not in compared),
        notices=table.notices,
    )


def _missing(row: ReportedRow, check: Check) -> list[str]:
    return [_SHOWN.get(name, name) for name in check.needs if not row.has(name)]


def _coverage(check: Check, asked: list[ReportedRow], able: list[ReportedRow]) -> Coverage:
    missing = (_missing(row, check) for row in asked)
    return Coverage(
        rule=check.rule,
        checked=len(able),
        blind=sum(check.blind(row) for row in able),
        lacking=dict(Counter(", ".join(names) for names in missing if names)),
    )
