"""Areas under ROC curves that the numbers of patients or the operating point do not allow.

With m mutants and w wildtypes an area is the share of their m * w pairs that are in the right
order, ties counting half: k/2 of m * w for a whole k.
"""

from collections.abc import Iterator
from fractions import Fraction

from idhray.stats.audit.findings import Check, Finding, each, finding
from idhray.stats.audit.printed_number import READING_TEXTS, PrintedNumber, Span, shortly
from idhray.stats.audit.reported import ReportedRow

AREA_INTERVAL = ("auc", "auc_low", "auc_high")
OPERATING_POINT = ("sensitivity", "specificity")

LATTICE = "AUC is k/2 of the pairs"
POINT = "AUC fits the operating point"
YOUDEN = "AUC fits a Youden optimum"


def off_lattice(row: ReportedRow) -> Iterator[Finding]:
    """An area that no ranking of these patients has; a remark where digits were cut off.

    Source: Bamber 1975 (J Math Psychol 12:387): the area is the Mann-Whitney statistic.
    """
    auc, m, w = row.auc, row.mutants, row.wildtypes
    if auc is None or m is None or w is None or not 0 <= auc.value <= 1:
        return
    printed = f"AUC {auc.text} of {m} mutants and {w} wildtypes"
    if m * w == 0:
        reason = "without patients of both classes there is no area"
        yield finding(row, LATTICE, "impossible", printed=printed, reason=reason)
        return
    halves = 2 * m * w * row.runs
    ks = auc.counts(halves)
    if not ks:
        yield finding(
            row,
            LATTICE,
            "impossible",
            printed=printed,
            reason=(
                f"no half-integer number of {m * w} pairs prints {auc.text}{row.mean_text}, "
                "rounded or cut off"
            ),
            fits=f"{_pairs(auc, halves)}; or an area from binned or smoothed scores",
        )
    elif (reading := auc.reading(Fraction(ks[0], halves))) not in ("rounded", None):
        exact = auc.like(Fraction(ks[0], halves))
        reason = f"{ks[0] / 2:g}/{halves // 2} rounds to {exact}; {READING_TEXTS[reading]}"
        yield finding(row, LATTICE, "remark", printed=printed, reason=reason)


def _pairs(auc: PrintedNumber, halves: int) -> str:
    """The areas next to a printed one: `257/288 is 0.892, 257.5/288 is 0.894`."""
    below = int(auc.value * halves)
    around = [k for k in (below, below + 1) if k <= halves]
    texts = (f"{k / 2:g}/{halves // 2} is {auc.like(Fraction(k, halves))}" for k in around)
    return ", ".join(texts)


def areas_through(sensitivity: Span, specificity: Span) -> Span:
    """The smallest and largest area of a ROC curve through a point within these spans.

    A curve never falls, so the point leaves it the rectangle below on the right and takes from it
    the one above on the left.
    """
    low = max(sensitivity[0], 0) * max(specificity[0], 0)
    high = 1 - (1 - min(sensitivity[1], 1)) * (1 - min(specificity[1], 1))
    return low, high


def mean_areas_through(sensitivity: Span, specificity: Span) -> Span:
    """The same for means over trainings or folds, whose single points may be anywhere.

    The mean of products lies above the sum of both means less 1, the bound of Frechet.
    """
    low = max(sensitivity[0], 0) + max(specificity[0], 0) - 1
    high = min(sensitivity[1], 1) + min(specificity[1], 1)
    return max(low, 0.0), min(high, 1.0)


def largest_area_at_youden(sensitivity: float, specificity: float) -> float:
    """The largest area of a curve whose best Youden index J is that of this point.

    Such a curve stays under the line tpr = fpr + J, which leaves 1 - (1 - J)^2 / 2. It is concave
    in J, so that it holds for means over trainings as well.
    """
    youden = min(max(sensitivity + specificity - 1, 0.0), 1.0)
    return 1 - (1 - youden) ** 2 / 2


def off_operating_point(row: ReportedRow) -> Iterator[Finding]:
    """An area that no curve through the printed sensitivity and specificity has."""
    if not (row.auc and row.sensitivity and row.specificity):
        return
    through = mean_areas_through if row.is_mean else areas_through
    low, high = through(row.sensitivity.span(), row.specificity.span())
    least, most = row.auc.span()
    if most < low or least > high:
        yield finding(
            row,
            POINT,
            "contradiction",
            printed=f"AUC {row.auc.text}, {row.point_text}",
            reason=f"a ROC curve through this point has {shortly(low, 3)} to {shortly(high, 3)}",
            fits="area and operating point come from different scores",
        )


def off_youden(row: ReportedRow) -> Iterator[Finding]:
    """An area that is too large if the printed point is the Youden optimum.

    It is a finding if the column `threshold` names Youden, else a remark.
    """
    if not (row.auc and row.sensitivity and row.specificity):
        return
    bound = largest_area_at_youden(row.sensitivity.span()[1], row.specificity.span()[1])
    if row.auc.span()[0] <= bound:
        return
    exact = largest_area_at_youden(float(row.sensitivity.value), float(row.specificity.value))
    claimed = "youden" in row.threshold.lower()
    yield finding(
        row,
        YOUDEN,
        "contradiction" if claimed else "remark",
        printed=f"AUC {row.auc.text}, {row.point_text}",
        reason=f"if this were the Youden optimum, the AUC could be {shortly(exact, 3)} at most",
        fits="" if claimed else "another threshold; name Youden in the column `threshold` if not",
    )


def _every_area_prints(row: ReportedRow) -> bool:
    """With many pairs, every printed area is some k/2 of them."""
    if row.auc is None or row.mutants is None or row.wildtypes is None:
        return False
    return bool(2 * row.mutants * row.wildtypes * row.runs * row.auc.unit >= 1)


CHECKS = (
    Check(
        rule=LATTICE,
        applies_to=("auc",),
        needs=("mutants", "wildtypes", "one_fold"),
        find=each(off_lattice),
        cannot_fail=_every_area_prints,
    ),
    Check(
        rule=POINT,
        applies_to=("auc",),
        needs=OPERATING_POINT,
        find=each(off_operating_point),
    ),
    Check(rule=YOUDEN, applies_to=("auc",), needs=OPERATING_POINT, find=each(off_youden)),
)
