"""Areas that are given twice: shortened wrongly, or by two models with equal figures."""

from collections import defaultdict
from collections.abc import Iterator

from idhray.stats.audit.area_intervals import INTERVAL
from idhray.stats.audit.findings import Check, Finding, Rows, finding
from idhray.stats.audit.printed_number import PrintedNumber
from idhray.stats.audit.reported import ReportedRow

SAME_AREA = "an AUC interval given twice is the same"
OWN_FIGURES = "every row has its own figures"
POINT = ("sensitivity", "specificity")


def other_interval(rows: Rows, _: Rows) -> Iterator[Finding]:
    """Rows that shorten the area and one end of the interval of another row, but not the other end.

    Rows are taken to say the same when they are about the same set and patients, and only one
    longer area shortens to the shorter one.
    """
    alike: dict[tuple[str, int | None, int | None], list[ReportedRow]] = defaultdict(list)
    for row in rows:
        alike[row.set, row.mutants, row.wildtypes].append(row)
    for row in rows:
        same = alike[row.set, row.mutants, row.wildtypes]
        longer = [one for one in same if _shorter_area(row, one)]
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


def equal_figures(rows: Rows, _: Rows) -> Iterator[Finding]:
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


CHECKS = (
    Check(
        rule=SAME_AREA, given=INTERVAL, needs=("set", "mutants", "wildtypes"), find=other_interval
    ),
    Check(rule=OWN_FIGURES, given=(*INTERVAL, *POINT), needs=("set",), find=equal_figures),
)
