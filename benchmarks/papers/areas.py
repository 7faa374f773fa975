"""Printed areas under ROC curves: whether they can be areas, and the method of their interval.

An area is a number of (mutant, wildtype) pairs in the right order, ties counting half, over all
pairs: so it lies on a lattice of half pairs.
"""

from collections.abc import Callable
from fractions import Fraction

from benchmarks.papers.cells import Cell, Row, Status, float_in, number_in, sizes_of
from idhray.stats.audit.intervals import Z95
from idhray.stats.roc.intervals import exact_auc_interval, hanley_mcneil_interval


def pairs_of(row: Row) -> int:
    """(mutant, wildtype) pairs."""
    m, w = sizes_of(row)
    return m * w


def pairs_text(area: Fraction, row: Row) -> str:
    """Pairs in the right order: `271.5`."""
    return f"{float(area * pairs_of(row)):g}"


def center_of(row: Row) -> Fraction | None:
    """The middle of an interval that is symmetric and not cut at 1: the area to more digits."""
    if not row.get("auc_low"):
        return None
    auc, low, high = (number_in(row[name]) for name in ("auc", "auc_low", "auc_high"))
    center = (low.value + high.value) / 2
    return center if high.value < 1 and abs(center - auc.value) <= auc.unit else None


def lattice_areas(row: Row) -> tuple[Status, list[Fraction]]:
    """Status of a printed area, and the areas of the lattice that print so.

    The center of a symmetric interval tells between neighbors.
    """
    number, center, halves = number_in(row["auc"]), center_of(row), 2 * pairs_of(row)
    points = [Fraction(k, halves) for k in number.counts(halves)]
    if center is not None:
        points = [point for point in points if abs(point - center) <= number.unit / 2]
    readings: dict[str, Status] = {"rounded": "match", "truncated": "truncated"}
    for reading, status in readings.items():
        if fitting := [point for point in points if number.reading(point) == reading]:
            return status, fitting
    return "impossible", []


def interval_cell(row: Row) -> Cell:
    """The first method that gives both printed ends for some area of the lattice.

    An interval by no such method is symmetric, as DeLong's is; its value is the standard error.
    """
    (m, w), areas, tried = sizes_of(row), lattice_areas(row)[1], []
    place = (row["row"], "AUC 95% CI")
    published = f"{row['auc_low']}, {row['auc_high']}"
    methods: dict[str, Callable[[float], tuple[float, float]]] = {
        "exact binomial": lambda auc: exact_auc_interval(auc, m + w),
        "Hanley-McNeil": lambda auc: hanley_mcneil_interval(auc, m, w),
    }
    for name, interval in methods.items():
        ends = [(low, min(high, 1.0)) for low, high in (interval(float(area)) for area in areas)]
        for low, high in ends:
            if _rounds_to(row["auc_low"], low) and _rounds_to(row["auc_high"], high):
                program = " (MedCalc)" if name == "exact binomial" else ""
                text = f"{low:.4f}, {high:.4f}"
                return Cell(*place, published, text, "match", f"{name}{program}")
        low, high = ends[len(ends) // 2]
        tried.append(f"{name} {low:.4f}, {high:.4f}")
    auc, low, high = (float_in(row[name]) for name in ("auc", "auc_low", "auc_high"))
    cut = high >= 1
    assert cut or center_of(row) is not None, f"{row['row']}: neither method nor symmetric"
    se = (auc - low if cut else (high - low) / 2) / Z95
    method = f"DeLong-compatible (symmetric){', cut at 1' if cut else ''}"
    remark = f"needs the scores; not {' nor '.join(tried)}"
    return Cell(*place, published, f"SE {se:.4f}", "not recomputable", method, remark, se)


def _rounds_to(text: str, value: float) -> bool:
    return number_in(text).reading(value) == "rounded"
