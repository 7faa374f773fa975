"""Areas that are given twice, with more and with fewer decimals, must be the same areas."""

from collections import defaultdict
from collections.abc import Iterator

from idhray.stats.audit.area_intervals import INTERVAL
from idhray.stats.audit.findings import Check, Finding, Rows, finding
from idhray.stats.audit.printed_number import PrintedNumber
from idhray.stats.audit.reported import ReportedRow

SAME_AREA = "an AUC interval given twice is the same"


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


CHECKS = (
    Check(
        rule=SAME_AREA, given=INTERVAL, needs=("set", "mutants", "wildtypes"), find=other_interval
    ),
)
