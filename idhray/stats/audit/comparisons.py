"""P values of contingency tables against their counts, and P values of one group exchanged."""

from collections.abc import Iterator

from idhray.stats.audit.count_tests import FISHER, LIKELIHOOD, PEARSON, YATES, p_values
from idhray.stats.audit.findings import WHOLE_TABLE, Check, Finding, Rows, each, finding
from idhray.stats.audit.printed_number import shortly
from idhray.stats.audit.reported import ReportedRow
from idhray.stats.audit.slips import counts_text

FITS_COUNTS = "P follows from its counts"
WITHIN_N = "counts are within n"


def fitting_tests(row: ReportedRow, of: ReportedRow | None = None) -> dict[str, str]:
    """Test -> `rounded` or `truncated`: those by which the counts of a row give its P.

    Args:
        of: Take the P of this row instead.
    """
    p = (of or row).p
    if p is None or row.tested_counts is None:
        return {}
    readings = {name: p.reading(value) for name, value in p_values(row.tested_counts).items()}
    return {name: reading for name, reading in readings.items() if reading}


def _usual(fitting: dict[str, str]) -> dict[str, str]:
    """Without the likelihood-ratio test, which nobody takes without saying so."""
    return {name: reading for name, reading in fitting.items() if name != LIKELIHOOD}


def p_against_counts(rows: Rows, _: Rows) -> Iterator[Finding]:
    """P values that none of Pearson's, Yates' and Fisher's tests of their counts gives.

    Where two of one group fit each other's counts, they were exchanged. Cut digits are a remark.
    """
    tested = [row for row in rows if row.tested_counts and p_values(row.tested_counts)]
    wrong = [row for row in tested if not _usual(fitting_tests(row))]
    for row in tested:
        fitting = _usual(fitting_tests(row))
        if not fitting:
            yield _no_fit(row, next((one for one in wrong if _exchanged(row, one)), None))
        elif "rounded" not in fitting.values():
            reason = f"{_values(row, tuple(fitting))}: its digits were cut off"
            yield finding(row, FITS_COUNTS, "remark", printed=_text(row), reason=reason)
    if len(tested) > 1:
        yield _tests_used(tested)


def _exchanged(one: ReportedRow, other: ReportedRow) -> bool:
    """Whether each of two P values of one group fits the other's counts."""
    if one is other or not one.group or one.group != other.group:
        return False
    return bool(_usual(fitting_tests(one, of=other)) and _usual(fitting_tests(other, of=one)))


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


def _tests_used(rows: Rows) -> Finding:
    """A remark on which test gives how many of the P values: the one that was probably used."""
    counts = []
    for name in (PEARSON, YATES, FISHER):
        possible = [row for row in rows if name in p_values(row.tested_counts or ())]
        fitting = [row for row in possible if name in fitting_tests(row)]
        if possible:
            counts.append(f"{name} {len(fitting)} of {len(possible)}")
    return Finding(
        line=None,
        set="",
        row=WHOLE_TABLE,
        source="",
        rule=FITS_COUNTS,
        severity="remark",
        printed=f"{len(rows)} P values with counts",
        reason=f"fitting, rounded or cut off: {', '.join(counts)}",
    )


def counts_within_n(row: ReportedRow) -> Iterator[Finding]:
    """More patients in the counts than there are; fewer is sound, as cells may be missing."""
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
    Check(rule=FITS_COUNTS, given=("p_of_counts",), needs=("counts",), find=p_against_counts),
    Check(rule=WITHIN_N, given=("counts", "n"), find=each(counts_within_n)),
)
