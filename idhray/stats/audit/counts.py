"""P values of contingency tables: by test, against print, and exchanged within a group."""

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from math import isfinite

from idhray.stats.audit.findings import Check, Finding, ReportedRows, each, finding, table_finding
from idhray.stats.audit.printed_number import READING_TEXTS, Reading, shortly
from idhray.stats.audit.reported import CountTable, ReportedRow, counts_text
from idhray.stats.hypothesis.contingency import chi_square, fisher_exact, g_test
from idhray.stats.sample import SampleError

FITS_COUNTS = "P follows from its counts"
WITHIN_N = "counts are within n"
PEARSON, YATES, FISHER, LIKELIHOOD = "Pearson", "Yates", "Fisher", "likelihood ratio"
_MOST_2_X_2, _MOST_2_COLUMNS, _MOST_LARGER = 20_000, 300, 150  # cases: a second or so each


@lru_cache(maxsize=1024)
def p_values(counts: CountTable) -> dict[str, float]:
    """P by the name of its test; without Fisher if the table is too large, empty if no P exists.

    Yates' correction and Fisher's test are among them, as papers seldom name their test.
    """
    tests = {PEARSON: chi_square(counts).p, LIKELIHOOD: g_test(counts).p}
    two_by_two = len(counts) == len(counts[0]) == 2
    if two_by_two:
        tests[YATES] = chi_square(counts, yates=True).p
    two_columns = min(len(counts), len(counts[0])) == 2
    most = _MOST_2_X_2 if two_by_two else _MOST_2_COLUMNS if two_columns else _MOST_LARGER
    if sum(map(sum, counts)) <= most:
        with suppress(SampleError):  # too many tables to enumerate
            tests[FISHER] = fisher_exact(counts).p
    return {name: p for name, p in tests.items() if isfinite(p)}


def fitting_tests(row: ReportedRow, p_row: ReportedRow | None = None) -> dict[str, Reading]:
    """Tests by which the counts of a row give a printed P -> its rounding.

    Args:
        row: Row with the counts.
        p_row: Row with the P; by default the same.
    """
    p = (p_row or row).p
    if p is None or row.tested_counts is None:
        return {}
    readings = {name: p.reading(value) for name, value in p_values(row.tested_counts).items()}
    return {name: reading for name, reading in readings.items() if reading}


def _usual(fitting: dict[str, Reading]) -> dict[str, Reading]:
    """The tests without the likelihood-ratio test, which papers name if they use it."""
    return {name: reading for name, reading in fitting.items() if name != LIKELIHOOD}


def p_against_counts(rows: ReportedRows, _: ReportedRows) -> Iterator[Finding]:
    """P values that none of Pearson's, Yates' and Fisher's tests of their counts gives.

    If two of one group fit each other's counts, they were exchanged. Cut digits are a remark.
    """
    tested = [row for row in rows if row.tested_counts and p_values(row.tested_counts)]
    wrong = [row for row in tested if not _usual(fitting_tests(row))]
    for row in tested:
        fitting = _usual(fitting_tests(row))
        if not fitting:
            yield _no_fit(row, next((r for r in wrong if _exchanged(row, r)), None))
        elif "rounded" not in fitting.values():
            reading = READING_TEXTS[next(iter(fitting.values()))]
            reason = f"{_values(row, tuple(fitting))}: {reading}"
            yield finding(row, FITS_COUNTS, "remark", printed=_text(row), reason=reason)
    if len(tested) > 1:
        yield _tests_used(tested)


def _exchanged(row: ReportedRow, other: ReportedRow) -> bool:
    """True if each of two P values of one group fits the other's counts."""
    if row is other or not row.group or row.group != other.group:
        return False
    return bool(_usual(fitting_tests(row, other)) and _usual(fitting_tests(other, row)))


def _no_fit(row: ReportedRow, partner: ReportedRow | None) -> Finding:
    fits = ""
    if partner is not None and partner.p is not None:
        fits = f"exchanged with row {partner.line} ({partner.row}), whose P {partner.p.text} fits"
    elif likelihood := fitting_tests(row):
        fits = f"the {next(iter(likelihood))} test, which would have to be named"
    elif row.p is not None and row.tested_counts is not None:
        name, p = next(iter(p_values(row.tested_counts).items()))
        fits = f"{name}'s would be printed {row.p.like(p)}"
    computed = FISHER in p_values(row.tested_counts or ())
    sure = computed and LIKELIHOOD not in fitting_tests(row)
    return finding(
        row,
        FITS_COUNTS,
        "contradiction" if sure else "suspicious",
        printed=_text(row),
        reason=f"the counts give {_values(row)}"
        + ("" if computed else "; too many cases for Fisher's test"),
        fits=fits,
    )


def _values(row: ReportedRow, names: tuple[str, ...] = (PEARSON, YATES, FISHER)) -> str:
    values = p_values(row.tested_counts or ())
    return ", ".join(f"{name} {shortly(values[name])}" for name in names if name in values)


def _tests_used(rows: ReportedRows) -> Finding:
    """A remark with the number of P values that each test gives: the most frequent was used."""
    counts = []
    for name in (PEARSON, YATES, FISHER):
        possible = [row for row in rows if name in p_values(row.tested_counts or ())]
        fitting = [row for row in possible if name in fitting_tests(row)]
        if possible:
            counts.append(f"{name} {len(fitting)} of {len(possible)}")
    return table_finding(
        FITS_COUNTS,
        "remark",
        printed=f"{len(rows)} P values with counts",
        reason=f"fitting, rounded or cut off: {', '.join(counts)}",
    )


def counts_within_n(row: ReportedRow) -> Iterator[Finding]:
    """Counts of more patients than n; fewer is sound, as cells may be missing."""
    if row.counts is None or row.n is None:
        return
    total = sum(map(sum, row.counts))
    if total > row.n:
        yield finding(
            row,
            WITHIN_N,
            "contradiction",
            printed=f"{counts_text(row.counts)}, n {row.n}",
            reason=f"the counts add up to {total}",
        )


def _text(row: ReportedRow) -> str:
    return f"P {row.p.text if row.p else '-'} from {counts_text(row.counts or ())}"


CHECKS = (
    Check(rule=FITS_COUNTS, applies_to=("p_of_counts",), needs=("counts",), find=p_against_counts),
    Check(rule=WITHIN_N, applies_to=("counts", "n"), find=each(counts_within_n)),
)
