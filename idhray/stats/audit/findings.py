"""A finding about a table of reported results, and the definition of a check."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from idhray.stats.audit.reported import ReportedRow

Severity = Literal["impossible", "contradiction", "suspicious", "remark"]
SEVERITIES: dict[Severity, str] = {
    "impossible": "no data give this",
    "contradiction": "two printed figures exclude each other",
    "suspicious": "possible, but only in a way that should have been said",
    "remark": "no fault",
}
ReportedRows = Sequence[ReportedRow]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault or remark about one row, or about the whole table."""

    line: int | None
    """Number of the row in the file, the header being 1; None for the whole table."""
    set: str
    row: str
    source: str
    rule: str
    severity: Severity
    """`impossible`: no data give this. `contradiction`: two printed figures exclude each other.
    `suspicious`: possible, but only in a way that should have been said. `remark`: no fault."""
    printed: str
    reason: str
    fits: str = ""
    """A value that would fit, or the probable cause."""


def finding(
    row: ReportedRow, rule: str, severity: Severity, *, printed: str, reason: str, fits: str = ""
) -> Finding:
    """A finding about one row."""
    return Finding(
        line=row.line,
        set=row.set,
        row=row.row,
        source=row.source,
        rule=rule,
        severity=severity,
        printed=printed,
        reason=reason,
        fits=fits,
    )


def table_finding(
    rule: str, severity: Severity, *, printed: str, reason: str, fits: str = ""
) -> Finding:
    """A finding about the whole table."""
    return Finding(
        line=None,
        set="",
        row="(whole table)",
        source="",
        rule=rule,
        severity=severity,
        printed=printed,
        reason=reason,
        fits=fits,
    )


def rows_text(lines: Sequence[int]) -> str:
    """Rows of the file in a sentence: `row 2`, `rows 2, 4 to 9`."""
    ranges: list[list[int]] = []
    for line in sorted(lines):
        if ranges and line == ranges[-1][-1] + 1:
            ranges[-1].append(line)
        else:
            ranges.append([line])
    texts = [f"{span[0]} to {span[-1]}" if span[1:] else str(span[0]) for span in ranges]
    return f"row{'s' if len(lines) > 1 else ''} {', '.join(texts)}"


@dataclass(frozen=True, kw_only=True)
class Check:
    """A rule, and the figures that a row must report for it."""

    rule: str
    applies_to: tuple[str, ...]
    """The rule applies to rows that report all of these."""
    needs: tuple[str, ...] = ()
    """It can be checked in rows that report these as well."""
    find: Callable[[ReportedRows, ReportedRows], Iterable[Finding]]
    """(rows that can be checked, all rows of the table) -> findings."""
    cannot_fail: Callable[[ReportedRow], bool] = lambda _: False
    """True for a row with too many cases for its printed decimals; by default, no row."""


def each(
    rule_of_row: Callable[[ReportedRow], Iterable[Finding]],
) -> Callable[[ReportedRows, ReportedRows], Iterator[Finding]]:
    """A rule about single rows, for `Check.find`."""

    def find(rows: ReportedRows, _: ReportedRows) -> Iterator[Finding]:
        for row in rows:
            yield from rule_of_row(row)

    return find
