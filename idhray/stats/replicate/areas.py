"""Printed areas under ROC curves: can they be areas at all, and which interval is beside them?

An area is a number of (mutant, wildtype) pairs in the right order, ties counting half, over all
pairs: so it lies on a lattice of half pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from scipy import stats

from idhray.stats.replicate.cells import NAN, Status
from idhray.stats.replicate.typed import number_in
from idhray.stats.roc.intervals import exact_auc_interval, hanley_mcneil_interval

Z = float(stats.norm.ppf(0.975))
MEDCALC = " (MedCalc)"
EXACT = f"exact binomial{MEDCALC}"
HANLEY_MCNEIL = "Hanley-McNeil"
SYMMETRIC = "DeLong-compatible (symmetric)"


@dataclass(frozen=True, kw_only=True)
class PrintedArea:
    """An area as printed, with the class sizes and, where given, its interval."""

    auc: str
    n_mutant: int
    n_wildtype: int
    low: str = ""
    high: str = ""

    @property
    def pairs(self) -> int:
        """(mutant, wildtype) pairs."""
        return self.n_mutant * self.n_wildtype

    @property
    def uncut(self) -> bool:
        """Whether both ends are printed and none is at 0 or 1, where it may have been cut."""
        return bool(self.low) and all(0 < number_in(e).value < 1 for e in (self.low, self.high))

    @property
    def symmetric(self) -> bool:
        """Whether the ends are as far from the area as rounding allows, a cut end left aside."""
        auc, low, high = (number_in(text) for text in (self.auc, self.low, self.high))
        upper = high.value if self.uncut else max(high.value, 2 * auc.value - low.value)
        return abs((low.value + upper) / 2 - auc.value) <= auc.unit

    @property
    def half_width(self) -> float:
        """Of the printed interval; from its lower end where the upper one was cut."""
        auc, low, high = (float(number_in(t).value) for t in (self.auc, self.low, self.high))
        return (high - low) / 2 if self.uncut else auc - low


@dataclass(frozen=True, kw_only=True)
class IntervalFinding:
    """Which method gives a printed interval, and what it gives."""

    method: str
    recomputed: str
    status: Status
    remark: str = ""
    se: float = NAN
    """Standard error that the printed interval implies."""


def lattice_areas(area: PrintedArea) -> tuple[Status, list[Fraction]]:
    """How the area may have been printed, and the areas of the lattice that print so.

    An uncut symmetric interval is centered at the area, and so tells between neighbors.
    """
    number = number_in(area.auc)
    points = [Fraction(k, 2 * area.pairs) for k in number.counts(2 * area.pairs)]
    for reading, status in (("rounded", "match"), ("truncated", "truncated")):
        found = [point for point in points if number.reading(point) == reading]
        if area.uncut and area.symmetric:
            center = (number_in(area.low).value + number_in(area.high).value) / 2
            found = [point for point in found if abs(point - center) <= number.unit / 2]
        if found:
            return ("match" if status == "match" else "truncated"), found
    return "impossible", []


def interval_finding(area: PrintedArea) -> IntervalFinding:
    """The first method that gives both printed ends for some area of the lattice."""
    m, w = area.n_mutant, area.n_wildtype
    methods: dict[str, Callable[[float], tuple[float, float]]] = {
        EXACT: lambda auc: exact_auc_interval(auc, m + w),
        HANLEY_MCNEIL: lambda auc: hanley_mcneil_interval(auc, m, w),
    }
    areas = [float(point) for point in lattice_areas(area)[1]]
    tried = []
    for name, interval in methods.items():
        for auc in areas:
            low, high = interval(auc)
            if _prints(area.low, low) and _prints(area.high, min(high, 1.0)):
                return IntervalFinding(method=name, recomputed=_ends(low, high), status="match")
        middle = interval(areas[len(areas) // 2]) if areas else (NAN, NAN)
        tried.append(f"{name.removesuffix(MEDCALC)} {_ends(*middle)}")
    se = area.half_width / Z
    if not area.symmetric:
        return IntervalFinding(
            method="no method found", recomputed="", status="mismatch", remark="; ".join(tried)
        )
    return IntervalFinding(
        method=SYMMETRIC + ("" if area.uncut else ", cut at 1"),
        recomputed=f"SE {se:.4f}",
        status="not recomputable",
        remark=f"needs the scores; not {' nor '.join(tried)}",
        se=se,
    )


def highest_area(sensitivity: Fraction | float, specificity: Fraction | float) -> float:
    """The largest area of a ROC curve whose Youden index is that of this point.

    No point of the curve lies above the line true = false positive rate + J, so at best the area
    is all that is below it: 1 - (1 - J)^2 / 2.
    """
    youden = float(sensitivity) + float(specificity) - 1
    return 1 - (1 - youden) ** 2 / 2


def _prints(text: str, value: float) -> bool:
    return number_in(text).reading(value) == "rounded"


def _ends(low: float, high: float) -> str:
    return f"{low:.4f}, {min(high, 1.0):.4f}"
