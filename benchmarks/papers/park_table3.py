"""Park 2021, table 3: counts behind the shares, areas, their intervals, and their Youden points."""

from collections.abc import Sequence
from fractions import Fraction
from math import nan

from benchmarks.papers.areas import center_of, interval_cell, lattice_areas, pairs_of, pairs_text
from benchmarks.papers.cells import (
    Block,
    Cell,
    Row,
    Status,
    count_of,
    float_in,
    fractions_that_print,
    number_in,
    sizes_of,
    typed,
)
from idhray.stats.audit.areas import largest_area_at_youden

SHARES = ("sensitivity", "specificity")


def table_3() -> Block:
    """15 rows: sensitivity, specificity, accuracy, area, interval, and whether they agree."""
    rows = typed("park2021_table3")
    methods: dict[str, dict[str, None]] = {}
    models: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        method = interval_cell(row).convention.removesuffix(", cut at 1")
        methods.setdefault(method, {})[row["set"]] = None
        figures = (row[name] for name in ("set", "auc", "auc_low", "auc_high", *SHARES))
        models.setdefault(tuple(figures), []).append(row["model"])
    return Block(
        "Table 3: diagnostic performance",
        [cell for row in rows for cell in _cells(row)],
        [
            *(f"{method}: {'; '.join(sets)}." for method, sets in methods.items()),
            *(
                f"Models {' and '.join(names)} print the same five figures: {figures[0]}."
                for figures, names in models.items()
                if len(names) > 1
            ),
            *_with_age(rows),
        ],
    )


def shares_of(row: Row) -> tuple[list[Fraction | None], bool]:
    """Sensitivity and specificity as counts print them, and whether the columns are exchanged.

    A share is None where no count prints so. Columns count as exchanged where they fit their
    classes only so.
    """
    straight, crossed = (
        [next(iter(fractions_that_print(row[name], n)), None) for name, n in columns]
        for columns in (
            zip(SHARES, sizes_of(row), strict=True),
            zip(SHARES[::-1], sizes_of(row), strict=True),
        )
    )
    exchanged = None in straight and None not in crossed
    return (crossed if exchanged else straight), exchanged


def patients_right(row: Row) -> int | None:
    """Patients called right; None where a count is unknown."""
    (sensitivity, specificity), (m, w) = shares_of(row)[0], sizes_of(row)
    if sensitivity is None or specificity is None:
        return None
    return int(sensitivity * m + specificity * w)


def _cells(row: Row) -> list[Cell]:
    return [*_share_cells(row), _accuracy(row), _area(row), interval_cell(row), *_youden(row)]


def _share_cells(row: Row) -> list[Cell]:
    (shares, exchanged), sizes, cells = shares_of(row), sizes_of(row), []
    for name, share, n, other in zip(SHARES, shares, sizes, sizes[::-1], strict=True):
        printed, text, value, remark = row[name], "", nan, ""
        fitting, crossed = (fractions_that_print(printed, k) for k in (n, other))
        status: Status = "impossible" if not fitting else "mismatch" if exchanged else "match"
        if exchanged:
            remark = f"columns swapped: {printed} is {count_of(crossed[0], other)}"
        elif not fitting:
            remark = f"no count of {n} or of {other} gives {printed}"
        if share is not None:
            text, value = f"{count_of(share, n)} = {float(share):.2%}", float(share)
        convention = f"k/{n}, half-up rounding"
        cells.append(Cell(row["row"], name, printed, text, status, convention, remark, value))
    return cells


def _accuracy(row: Row) -> Cell:
    """The accuracy that both shares make, beside that of the text where there is one."""
    n, (m, w), printed = int(row["n"]), sizes_of(row), row["accuracy_count"]
    convention, remark, right = "both classes together", "", patients_right(row)
    if right is None:
        tp, tn = _nearest_counts(row)
        right, convention = tp + tn, f"nearest counts, {tp}/{m} and {tn}/{w}"
        remark = f"no sensitivity reaches more than {m + tn}/{n}"
    elif printed and printed != f"{right}/{n}":
        remark = _youden_of_accuracy(row, int(printed.split("/")[0]))
    text = f"{right}/{n} = {right / n:.1%}"
    status: Status = "added"
    if printed:
        status = "match" if printed == f"{right}/{n}" else "mismatch"
        printed = f"{printed} ({row['accuracy']})"
    return Cell(row["row"], "accuracy", printed, text, status, convention, remark, right / n)


def _nearest_counts(row: Row) -> tuple[int, int]:
    """The true positives and true negatives nearest to the printed shares."""
    tp, tn = (
        round(number_in(row[name]).value * n) for name, n in zip(SHARES, sizes_of(row), strict=True)
    )
    return tp, tn


def _youden_of_accuracy(row: Row, right: int) -> str:
    """The better point that a printed accuracy would need than the printed Youden optimum."""
    (m, w), optimum = sizes_of(row), sum(share or 0 for share in shares_of(row)[0]) - 1
    splits = [(tp, right - tp) for tp in range(m + 1) if 0 <= right - tp <= w]
    least = min(Fraction(tp, m) + Fraction(tn, w) - 1 for tp, tn in splits)
    assert least > optimum
    return (
        f"every split of {right}/{row['n']} has a Youden index of {float(least):.3f} or more, this "
        f"row's optimum {float(optimum):.3f}"
    )


def _area(row: Row) -> Cell:
    (status, points), (m, w) = lattice_areas(row), sizes_of(row)
    middle = points[len(points) // 2]
    text = f"{pairs_text(middle, row)}/{pairs_of(row)} = {float(middle):.4f}"
    centered = ", centered in its interval" if center_of(row) is not None else ""
    convention = f"half pairs of {m} x {w}{centered}"
    remark = f"{len(points)} such areas print so" if len(points) > 1 else ""
    return Cell(row["row"], "AUC", row["auc"], text, status, convention, remark, float(middle))


def _youden(row: Row) -> list[Cell]:
    """A cell only where the printed point cannot be the Youden optimum of the printed area."""
    auc, (sensitivity, specificity) = number_in(row["auc"]), (float_in(row[n]) for n in SHARES)
    limit = largest_area_at_youden(sensitivity, specificity)
    if float(auc.value - auc.unit / 2) <= limit:
        return []
    (tp, tn), (m, w) = _nearest_counts(row), sizes_of(row)
    convention = "AUC <= 1 - (1 - J)^2/2, J = sensitivity + specificity - 1"
    remark = (
        f"J is {sensitivity + specificity - 1:.3f}: this cannot be the Youden optimum (nor with "
        f"{tp}/{m} and {tn}/{w}: at most {largest_area_at_youden(tp / m, tn / w):.3f})"
    )
    place, text = (row["row"], "AUC, its point"), f"at most {limit:.3f}"
    return [Cell(*place, row["auc"], text, "impossible", convention, remark, limit)]


def _with_age(rows: Sequence[Row]) -> list[str]:
    """Accuracy of each reader with age, beside the accuracies printed without it."""
    findings = []
    for name in dict.fromkeys(row["set"] for row in rows if "with age" in row["set"]):
        reader = name.replace(" with age", "")
        before = [row["accuracy_count"] or "not printed" for row in rows if row["set"] == reader]
        after = [f"{patients_right(row)}/{row['n']}" for row in rows if row["set"] == name]
        findings.append(
            f"{name}: {', '.join(after)} right in models 1 to 3; without age the text has "
            f"{', '.join(before)}."
        )
    return findings
