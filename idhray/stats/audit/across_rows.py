"""Figures judged by other rows: areas given twice, betas as ratios, intervals and their habits."""

from collections import defaultdict
from collections.abc import Iterator
from math import exp, inf, sqrt

from idhray.stats.audit.areas import AREA_INTERVAL, OPERATING_POINT
from idhray.stats.audit.contrasts import standard_error
from idhray.stats.audit.estimates import ESTIMATE_INTERVAL
from idhray.stats.audit.findings import Check, Finding, ReportedRows, finding
from idhray.stats.audit.intervals import (
    Z95,
    Interval,
    agreement,
    divided_by_sqrt_n,
    interval_of,
    overlap,
    p_of_z,
    wald_text,
    z_of_p,
)
from idhray.stats.audit.printed_number import PrintedNumber, shortly
from idhray.stats.audit.reported import BETA, RATIOS, ReportedRow, with_article

SAME_AREA = "an AUC interval given twice is the same"
OWN_FIGURES = "every row has its own figures"
SAME_ELSEWHERE = "an odds ratio is not the beta given elsewhere"
NOT_NARROWER = "adjusted interval is no narrower than the univariable one"
HABIT = "interval is not, like its neighbors, divided by sqrt(n)"
_FEWEST_DECIMALS = 10  # one decimal or more: "2" may well be printed twice
_FAR_NARROWER, _NARROWER = 0.5, 0.8  # of the univariable standard error
_FEWEST_SLIPS = 3


def other_interval(rows: ReportedRows, _: ReportedRows) -> Iterator[Finding]:
    """Rows that shorten the area and one end of the interval of another row, but not the other end.

    Two rows count as equal if they are about the same set and patients, and if only one longer
    area shortens to the shorter one.
    """
    alike: dict[tuple[str, int | None, int | None], list[ReportedRow]] = defaultdict(list)
    for row in rows:
        alike[row.set, row.mutants, row.wildtypes].append(row)
    for row in rows:
        same = alike[row.set, row.mutants, row.wildtypes]
        longer = [other for other in same if _shorter_area(row, other)]
        if len(longer) != 1:
            continue
        ends = [
            _shortens(row.auc_low, longer[0].auc_low),
            _shortens(row.auc_high, longer[0].auc_high),
        ]
        if ends.count(True) == 1:
            yield finding(
                row,
                SAME_AREA,
                "contradiction",
                printed=row.area_text,
                reason=f"row {longer[0].line} ({longer[0].row}) has {longer[0].area_text}",
            )


def _shorter_area(short: ReportedRow, long: ReportedRow) -> bool:
    fewer = short.auc is not None and long.auc is not None and short.auc.unit > long.auc.unit
    return fewer and _shortens(short.auc, long.auc)


def _shortens(short: PrintedNumber | None, long: PrintedNumber | None) -> bool:
    return bool(short and long and short.reading(long.value))


def equal_figures(rows: ReportedRows, _: ReportedRows) -> Iterator[Finding]:
    """A remark on rows of one set whose area, interval and operating point are all equal."""
    first: dict[tuple[object, ...], ReportedRow] = {}
    for row in rows:
        figures = (row.auc, row.auc_low, row.auc_high, row.sensitivity, row.specificity)
        same = first.setdefault((row.set, *figures), row)
        if same is not row:
            yield finding(
                row,
                OWN_FIGURES,
                "remark",
                printed=f"{row.area_text}, {row.point_text}",
                reason=f"row {same.line} ({same.row}) has all the same figures",
                fits="the same ranking of all cases, or a row that was copied",
            )


def betas_elsewhere(rows: ReportedRows, table: ReportedRows) -> Iterator[Finding]:
    """Ratios with the very digits of a beta in the same group."""
    betas = {
        (row.group, row.estimate.value): row
        for row in reversed(table)
        if row.scale == BETA and row.group and row.estimate
    }
    for row in rows:
        if row.scale not in RATIOS or row.estimate is None:
            continue
        same = betas.get((row.group, row.estimate.value))
        if same is None or row.estimate.unit * _FEWEST_DECIMALS > 1:
            continue
        text, ratio = row.estimate.text, shortly(exp(float(row.estimate.value)))
        p_text = ""
        if row.p and same.p and not overlap(row.p.span(), same.p.span()):
            p_text = f", with P {same.p.text} where this row has {row.p.text}"
        yield finding(
            row,
            SAME_ELSEWHERE,
            "contradiction",
            printed=f"{row.scale} {text}",
            reason=f"row {same.line} ({same.source or same.row}) gives {text} as the beta" + p_text,
            fits=f"as a beta it is {with_article(row.scale)} of {ratio}",
        )


def narrower_than_alone(rows: ReportedRows, table: ReportedRows) -> Iterator[Finding]:
    """Intervals narrower than the counts of the same predictor allow without adjustment.

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


def habit_of_the_table(rows: ReportedRows, _: ReportedRows) -> Iterator[Finding]:
    """Rows that a P such as `<0.001` cannot judge, if the others were divided by sqrt(n).

    Rows that contradict their P in another way get a remark with the P that they would mean.
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


def _by_habit(row: ReportedRow, interval: Interval, rows: ReportedRows, slips: int) -> Finding:
    """Meaning of a row if its standard error, too, was divided by sqrt(n)."""
    assert row.p is not None
    assert row.cases
    low, high = (z / sqrt(row.cases) for z in interval.z())
    span = z_of_p(row.p)
    if low <= span[1] and high >= span[0]:
        se = interval.standard_error() * sqrt(row.cases)
        reason = "this one agrees with its P if read so"
        fits = f"a 95% interval of {wald_text(interval, se, row.scale)}"
    else:
        z = interval.printed[0] / interval.standard_error() / sqrt(row.cases)
        reason = f"this one would mean P = {shortly(p_of_z(z))}, not {row.p.text}"
        same = [r for r in rows if r is not row and r.p and r.p.text == row.p.text]
        copied = len(same) == 1 and row.p.relation == "="
        fits = f"P {row.p.text} is also that of row {same[0].line}: copied?" if copied else ""
    contradicted = agreement(interval, row.p) != "yes"
    return finding(
        row,
        HABIT,
        "remark" if contradicted else "suspicious",
        printed=row.estimate_text,
        reason=f"{slips} intervals of this table are 1.96 * SE / sqrt(n) to each side; {reason}",
        fits=fits,
    )


AREA_CHECKS = (
    Check(
        rule=SAME_AREA,
        applies_to=AREA_INTERVAL,
        needs=("set", "mutants", "wildtypes"),
        find=other_interval,
    ),
    Check(
        rule=OWN_FIGURES,
        applies_to=(*AREA_INTERVAL, *OPERATING_POINT),
        needs=("set",),
        find=equal_figures,
    ),
)
ESTIMATE_CHECKS = (
    Check(
        rule=SAME_ELSEWHERE,
        applies_to=("estimate", "scale"),
        needs=("group",),
        find=betas_elsewhere,
    ),
    Check(
        rule=NOT_NARROWER,
        applies_to=ESTIMATE_INTERVAL,
        needs=("odds_scale", "group"),
        find=narrower_than_alone,
    ),
    Check(
        rule=HABIT,
        applies_to=(*ESTIMATE_INTERVAL, "p"),
        needs=("known_scale", "cases"),
        find=habit_of_the_table,
    ),
)
