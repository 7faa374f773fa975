"""An audit as text for people, and as CSV or JSON for programs."""

import csv
import io
import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, fields

from idhray.errors import ConfigError
from idhray.stats.audit.checks import Audit, Coverage
from idhray.stats.audit.findings import SEVERITIES, Finding, rows_text

_MEANING = {
    "impossible": "no data give this",
    "contradiction": "two printed figures exclude each other",
    "suspicious": "possible, but only in a way that should have been said",
    "remark": "no fault",
}


def audit_text(audit: Audit, path: str) -> str:
    """What was found, what was checked, and what could not be."""
    flagged = len(audit.lines())
    head = (
        f"{path}: {_number(audit.rows, 'row')}, {_number(len(audit.findings), 'finding')} in "
        f"{_number(flagged, 'row')}, {_number(len(audit.remarks), 'remark')}"
    )
    lines = [head, *(f"notice: {notice}" for notice in audit.notices)]
    for severity in SEVERITIES:
        some = [one for one in (*audit.findings, *audit.remarks) if one.severity == severity]
        if some:
            lines += ["", f"{severity.upper()} ({len(some)}): {_MEANING[severity]}"]
            lines += [line for one in some for line in _finding_lines(one)]
    return "\n".join([*lines, "", *_coverage_lines(audit)])


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _finding_lines(one: Finding) -> Iterator[str]:
    where = one.row if one.line is None else f"row {one.line}, {one.row}"
    place = ", ".join(part for part in (one.set, one.source) if part and part not in where)
    yield f"  {where}{f' ({place})' if place else ''}: {one.rule}"
    yield f"      printed  {one.printed}"
    yield f"      {'note' if one.severity == 'remark' else 'but '}     {one.reason}"
    if one.fits:
        yield f"      fits     {one.fits}"


def _coverage_lines(audit: Audit) -> Iterator[str]:
    """Silence is no approval: it says which questions were asked of how many rows."""
    yield "CHECKED"
    for one in audit.coverage:
        if one.checked:
            blind = f", {one.blind} of which could not fail (many cases)" if one.blind else ""
            yield f"  {one.rule}: {_number(one.checked, 'row')}{blind}"
    if lacking := [one for one in audit.coverage if one.lacking]:
        yield "NOT CHECKED, for lack of columns"
        yield from (f"  {one.rule}: {_lacking(one)}" for one in lacking)
    if none := [one.rule for one in audit.coverage if not one.checked and not one.lacking]:
        rules = f"NOT ASKED, as no row reports what it is about: {'; '.join(none)}"
        yield textwrap.fill(rules, 100, subsequent_indent="  ", break_on_hyphens=False)
    if audit.unchecked:
        yield f"NOTHING TO COMPARE in {rows_text(audit.unchecked)}"


def _lacking(one: Coverage) -> str:
    texts = (f"{_number(rows, 'row')} without {names}" for names, rows in one.lacking.items())
    return ", ".join(texts)


def audit_file(audit: Audit, path: str, out: str) -> bytes:
    """The findings and remarks as CSV, or all of the audit as JSON, by the ending of `out`.

    Raises:
        ConfigError: another ending.
    """
    everything = [*audit.findings, *audit.remarks]
    if out.endswith(".json"):
        content = {
            "table": path,
            "rows": audit.rows,
            "findings": [asdict(one) for one in everything],
            "checked": [asdict(one) for one in audit.coverage],
            "nothing_to_compare": list(audit.unchecked),
            "notices": list(audit.notices),
        }
        return (json.dumps(content, indent=2) + "\n").encode()
    if not out.endswith(".csv"):
        raise ConfigError(f"--out {out}: findings are written as .csv or .json")
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Finding)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(one) for one in everything)
    return text.getvalue().encode()
