"""Intervals judged by other rows: by the same predictor alone, and by the habit of the table."""

from collections.abc import Iterator
from math import inf, sqrt

from idhray.stats.audit.contrasts import standard_error
from idhray.stats.audit.diagnosis import divided_by_sqrt_n, wald_text
from idhray.stats.audit.findings import Check, Finding, Rows, finding
from idhray.stats.audit.interval import Z95, Interval, agreement, interval_of, p_of_z, z_of_p
from idhray.stats.audit.printed_number import shortly
from idhray.stats.audit.reported import ReportedRow

NOT_NARROWER = "adjusted interval is no narrower than the univariable one"
HABIT = "interval is not, like its neighbors, divided by sqrt(n)"
INTERVAL = ("estimate", "low", "high")
_FAR_NARROWER, _NARROWER = 0.5, 0.8  # of the univariable standard error
_FEWEST_SLIPS = 3


def narrower_than_alone(rows: Rows, table: Rows) -> Iterator[Finding]:
    """Intervals narrower than the counts of the same predictor allow without other predictors.

    In logistic regression, adjustment for others can only add to a standard error.

    Source: Robinson and Jewell 1991 (Int Stat Rev 59:227).
    """
    alone: dict[tuple[str, int | None], tuple[float, int]] = {}  # standard error, line
    for row in table:
        if row.group and row.contrast and row.odds_scale:
            key, se = (row.group, row.cases), standard_error(row.contrast)
            alone[key] = min(alone.get(key, (inf, 0)), (se, row.line))
    for row in rows:
        interval = interval_of(row, row.scale)
        univariable, line = alone.get((row.group, row.cases), (inf, 0))
        if interval is None or row.contrast:
            continue
        widest = interval.half()[1] / Z95
        if widest < _NARROWER * univariable < inf:
            yield finding(
                row,
                NOT_NARROWER,
                "contradiction" if widest < _FAR_NARROWER * univariable else "suspicious",
                printed=row.estimate_text,
                reason=(
                    f"its standard error is {shortly(widest)} at most, but the counts of row "
                    f"{line} give {shortly(univariable)} without any adjustment"
                ),
            )


def habit_of_the_table(rows: Rows, _: Rows) -> Iterator[Finding]:
    """Rows that a P such as `<0.001` cannot judge, where the others were divided by sqrt(n).

    Also a remark on the rows that contradict their P in another way: what P would be then.
    """
    readable = [(row, interval) for row in rows if (interval := interval_of(row, row.scale))]
    slipped = [row for row, interval in readable if _slipped(row, interval)]
    decidable = [row for row, _ in readable if row.p and row.p.relation == "="]
    if len(slipped) < _FEWEST_SLIPS or 2 * len(slipped) < len(decidable):
        return
    lines = {row.line for row in slipped}
    for row, interval in readable:
        if row.line not in lines and row.p is not None and row.cases:
            yield _by_habit(row, interval, rows, len(slipped))


def _slipped(row: ReportedRow, interval: Interval) -> bool:
    return (
        row.p is not None
        and agreement(interval, row.p) == "no"
        and divided_by_sqrt_n(interval, row.p, row.cases)
    )


def _by_habit(row: ReportedRow, interval: Interval, rows: Rows, slips: int) -> Finding:
    """What a row means if its standard error, too, was divided by sqrt(n)."""
    assert row.p is not None
    assert row.cases
    low, high = (z / sqrt(row.cases) for z in interval.z())
    span = z_of_p(row.p)
    fits = low <= span[1] and high >= span[0]
    if fits:
        se = interval.standard_error() * sqrt(row.cases)
        reason = "this one agrees with its P if read so"
        then = f"a 95% interval of {wald_text(interval, se, row.scale)}"
    else:
        z = interval.printed[0] / interval.standard_error() / sqrt(row.cases)
        reason = f"this one would mean P = {shortly(p_of_z(z))}, not {row.p.text}"
        same = [one for one in rows if one is not row and one.p and one.p.text == row.p.text]
        copied = len(same) == 1 and row.p.relation == "="
        then = f"P {row.p.text} is also that of row {same[0].line}: copied?" if copied else ""
    contradicted = agreement(interval, row.p) != "yes"
    return finding(
        row,
        HABIT,
        "remark" if contradicted else "suspicious",
        printed=row.estimate_text,
        reason=f"{slips} intervals of this table are 1.96 * SE / sqrt(n) to each side; {reason}",
        fits=then,
    )


CHECKS = (
    Check(
        rule=NOT_NARROWER, given=INTERVAL, needs=("odds_scale", "group"), find=narrower_than_alone
    ),
    Check(
        rule=HABIT, given=(*INTERVAL, "p"), needs=("known_scale", "cases"), find=habit_of_the_table
    ),
)
