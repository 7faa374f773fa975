"""What the audit has to say of a row, and what a check is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from idhray.stats.audit.reported import ReportedRow

Severity = Literal["impossible", "contradiction", "suspicious", "remark"]
SEVERITIES: tuple[Severity, ...] = ("impossible", "contradiction", "suspicious", "remark")
WHOLE_TABLE = "(whole table)"
Rows = Sequence[ReportedRow]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing about one row (or the whole table) that does not fit."""

    line: int | None
    """The row in the file, the header being 1; None for the whole table."""
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
    """What would fit, or how it probably came about."""


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


def rows_text(lines: Sequence[int]) -> str:
    """Rows of the file in a sentence: `row 2`, `rows 2, 4 to 9`."""
    ranges: list[list[int]] = []
    for line in sorted(lines):
        if ranges and line == ranges[-1][-1] + 1:
            ranges[-1].append(line)
        else:
            ranges.append([line])
    texts = [f"{some[0]} to {some[-1]}" if some[1:] else str(some[0]) for some in ranges]
    return f"row{'s' if len(lines) > 1 else ''} {', '.join(texts)}"


def never_fails(_: ReportedRow) -> bool:
    """The default of `Check.blind`: any row could fail."""
    return False


@dataclass(frozen=True, kw_only=True)
class Check:
    """A rule, and what a row must report for it."""

    rule: str
    given: tuple[str, ...]
    """The question arises in rows that report all of these."""
    needs: tuple[str, ...] = ()
    """And it can be answered where these are reported as well."""
    find: Callable[[Rows, Rows], Iterable[Finding]]
    """(rows that can be checked, all rows of the table) -> findings."""
    blind: Callable[[ReportedRow], bool] = never_fails
    """Whether a row could not fail: too many cases for the printed decimals."""


def each(
    of_row: Callable[[ReportedRow], Iterable[Finding]],
) -> Callable[[Rows, Rows], Iterator[Finding]]:
    """A rule about single rows, for `Check.find`."""

    def find(rows: Rows, _: Rows) -> Iterator[Finding]:
        for row in rows:
            yield from of_row(row)

    return find
