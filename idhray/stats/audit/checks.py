"""All rules on one table, and the audit as text for people or as CSV or JSON for programs."""

import csv
import io
import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from idhray.errors import ConfigError
from idhray.stats.audit import (
    across_rows,
    area_intervals,
    area_widths,
    areas,
    comparisons,
    counts,
    estimates,
    figures,
    from_counts,
    shares,
    two_by_two,
)
from idhray.stats.audit.findings import SEVERITIES, Check, Finding, Severity, rows_text
from idhray.stats.audit.reported import ReportedRow, ReportedTable

CHECKS: tuple[Check, ...] = (
    *shares.CHECKS,
    *two_by_two.CHECKS,
    *areas.CHECKS,
    *figures.CHECKS,
    *area_intervals.CHECKS,
    *area_widths.CHECKS,
    *across_rows.AREA_CHECKS,
    *comparisons.CHECKS,
    *estimates.CHECKS,
    *across_rows.ESTIMATE_CHECKS,
    *from_counts.CHECKS,
    *counts.CHECKS,
)
_OF_ANY_ROW = (shares.IN_RANGE, shares.NEGATIVE)  # they compare nothing
_COLUMNS = {
    "cases": "n",
    "mutants": "n_mutant",
    "wildtypes": "n_wildtype",
    "known_scale": "scale",
    "odds_scale": "scale (beta or odds ratio)",
    "contrast": "counts (2 x 2)",
    "likelihood_scale": "scale (likelihood ratio)",
    "one_fold": "a single fold",
    "one_training": "a single training",
}


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Number of rows that one rule could be applied to."""

    rule: str
    checked: int
    """Rows that were checked."""
    blind: int
    """Checked rows that could not have failed: too many cases for the printed decimals."""
    lacking: dict[str, int]
    """Empty columns -> rows that the rule applies to, but that lack these columns."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Findings of all rules on one table."""

    rows: int
    findings: tuple[Finding, ...]
    """Without the remarks; by row, the gravest first, findings about the whole table on top."""
    remarks: tuple[Finding, ...]
    coverage: tuple[Coverage, ...]
    unchecked: tuple[int, ...]
    """Rows of the file in which nothing could be compared with anything."""
    notices: tuple[str, ...]

    def count(self, severity: Severity) -> int:
        """Number of findings with this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def lines(self) -> list[int]:
        """The rows of the file with a finding, the header being 1."""
        return sorted({finding.line for finding in self.findings if finding.line is not None})


def audit_table(table: ReportedTable) -> Audit:
    """Apply every rule to every row that reports what it needs."""
    findings: list[Finding] = []
    coverage = []
    compared: set[int] = set()
    for check in CHECKS:
        rows = [row for row in table.rows if row.has(*check.applies_to)]
        complete = [row for row in rows if not _missing(row, check)]
        findings.extend(check.find(complete, table.rows))
        coverage.append(_coverage(check, rows, complete))
        if check.rule not in _OF_ANY_ROW:
            compared |= {row.line for row in complete}
    severities = list(SEVERITIES)
    findings.sort(key=lambda finding: (finding.line or 0, severities.index(finding.severity)))
    return Audit(
        rows=len(table.rows),
        findings=tuple(finding for finding in findings if finding.severity != "remark"),
        remarks=tuple(finding for finding in findings if finding.severity == "remark"),
        coverage=tuple(coverage),
        unchecked=tuple(row.line for row in table.rows if row.line not in compared),
        notices=table.notices,
    )


def _missing(row: ReportedRow, check: Check) -> list[str]:
    return [_COLUMNS.get(name, name) for name in check.needs if not row.has(name)]


def _coverage(check: Check, rows: list[ReportedRow], complete: list[ReportedRow]) -> Coverage:
    missing = (_missing(row, check) for row in rows)
    return Coverage(
        rule=check.rule,
        checked=len(complete),
        blind=sum(check.cannot_fail(row) for row in complete),
        lacking=dict(Counter(", ".join(names) for names in missing if names)),
    )


def audit_text(audit: Audit, path: str) -> str:
    """The findings, the rules that were checked, and those that could not be."""
    findings = [*audit.findings, *audit.remarks]
    head = (
        f"{path}: {_number(audit.rows, 'row')}, {_number(len(audit.findings), 'finding')} in "
        f"{_number(len(audit.lines()), 'row')}, {_number(len(audit.remarks), 'remark')}"
    )
    lines = [head, *(f"notice: {notice}" for notice in audit.notices)]
    for severity, meaning in SEVERITIES.items():
        of_severity = [finding for finding in findings if finding.severity == severity]
        if of_severity:
            lines += ["", f"{severity.upper()} ({len(of_severity)}): {meaning}"]
            lines += [line for finding in of_severity for line in _finding_lines(finding)]
    return "\n".join([*lines, "", *_coverage_lines(audit)])


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _finding_lines(finding: Finding) -> Iterator[str]:
    name = finding.row if finding.line is None else f"row {finding.line}, {finding.row}"
    place = ", ".join(t for t in (finding.set, finding.source) if t and t not in name)
    yield f"  {name}{f' ({place})' if place else ''}: {finding.rule}"
    yield f"      printed  {finding.printed}"
    yield f"      {'note' if finding.severity == 'remark' else 'but '}     {finding.reason}"
    if finding.fits:
        yield f"      fits     {finding.fits}"


def _coverage_lines(audit: Audit) -> Iterator[str]:
    """Rows by rule: a rule without a finding is no approval if it was checked in no row."""
    yield "CHECKED"
    for rule in audit.coverage:
        if rule.checked:
            blind = f", {rule.blind} of which could not fail (many cases)" if rule.blind else ""
            yield f"  {rule.rule}: {_number(rule.checked, 'row')}{blind}"
    if lacking := [rule for rule in audit.coverage if rule.lacking]:
        yield "NOT CHECKED, for lack of columns"
        for rule in lacking:
            texts = (f"{_number(n, 'row')} without {names}" for names, n in rule.lacking.items())
            yield f"  {rule.rule}: {', '.join(texts)}"
    if none := [rule.rule for rule in audit.coverage if not rule.checked and not rule.lacking]:
        rules = f"NOT ASKED, as no row reports what it is about: {'; '.join(none)}"
        yield textwrap.fill(rules, 100, subsequent_indent="  ", break_on_hyphens=False)
    if audit.unchecked:
        yield f"NOTHING TO COMPARE in {rows_text(audit.unchecked)}"


def audit_file(audit: Audit, path: str, out: str) -> bytes:
    """The findings and remarks as CSV, or all of the audit as JSON, by the ending of `out`.

    Raises:
        ConfigError: another ending.
    """
    findings = [asdict(finding) for finding in (*audit.findings, *audit.remarks)]
    if out.endswith(".json"):
        content = {
            "table": path,
            "rows": audit.rows,
            "findings": findings,
            "checked": [asdict(rule) for rule in audit.coverage],
            "nothing_to_compare": list(audit.unchecked),
            "notices": list(audit.notices),
        }
        return (json.dumps(content, indent=2) + "\n").encode()
    if not out.endswith(".csv"):
        raise ConfigError(f"--out {out}: findings are written as .csv or .json")
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Finding)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(findings)
    return text.getvalue().encode()
