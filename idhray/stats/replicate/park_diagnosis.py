"""Park 2021, table 3: areas, their intervals, and their Youden points."""

from collections.abc import Sequence
from fractions import Fraction

from idhray.stats.replicate.areas import (
    PrintedArea,
    highest_area,
    interval_finding,
    lattice_areas,
)
from idhray.stats.replicate.cells import Block, Cell
from idhray.stats.replicate.park_shares import accuracy_cell, share_cells, shares_of
from idhray.stats.replicate.typed import Row, number_in, typed


def table3() -> Block:
    """15 rows: sensitivity, specificity, accuracy, area, interval, and whether they agree."""
    rows = typed("park2021_table3")
    return Block(
        title="Table 3: diagnostic performance",
        cells=tuple(
            cell for row in rows for cell in (*share_cells(row), accuracy_cell(row), *_area(row))
        ),
        findings=(*_methods(rows), *_twins(rows), *_age(rows)),
    )


def printed_area(row: Row) -> PrintedArea:
    """The area of a row of table 3."""
    return PrintedArea(
        auc=row["auc"],
        n_mutant=int(row["n_mutant"]),
        n_wildtype=int(row["n_wildtype"]),
        low=row["auc_low"],
        high=row["auc_high"],
    )


def _area(row: Row) -> list[Cell]:
    area = printed_area(row)
    status, points = lattice_areas(area)
    interval = interval_finding(area)
    middle = points[len(points) // 2] if points else Fraction(0)
    cells = [
        Cell(
            row=row["row"],
            item="AUC",
            published=row["auc"],
            recomputed=f"{_pairs(middle, area)} = {float(middle):.4f}" if points else "",
            status=status,
            convention=f"half pairs of {area.n_mutant} x {area.n_wildtype}"
            + (", centered in its interval" if area.uncut and area.symmetric else ""),
            remark=f"{len(points)} such areas print so" if len(points) > 1 else "",
            value=float(middle),
        ),
        Cell(
            row=row["row"],
            item="AUC 95% CI",
            published=f"{row['auc_low']}, {row['auc_high']}",
            recomputed=interval.recomputed,
            status=interval.status,
            convention=interval.method,
            remark=interval.remark,
            value=interval.se,
        ),
    ]
    return [*cells, *_youden(row)]


def _youden(row: Row) -> list[Cell]:
    """A cell only where the printed point cannot be the Youden optimum of the printed area."""
    shares = [number_in(row[name]).value for name in ("sensitivity", "specificity")]
    limit = highest_area(*shares)
    if float(number_in(row["auc"]).value - number_in(row["auc"]).unit / 2) <= limit:
        return []
    return [
        Cell(
            row=row["row"],
            item="AUC, its point",
            published=row["auc"],
            recomputed=f"at most {limit:.3f}",
            status="impossible",
            convention="AUC <= 1 - (1 - J)^2/2, J = sensitivity + specificity - 1",
            remark=f"J is {float(sum(shares)) - 1:.3f}: this cannot be the Youden optimum"
            + _with_counts(row),
            value=limit,
        )
    ]


def _with_counts(row: Row) -> str:
    """The same limit for the counts nearest to the printed shares."""
    sizes = int(row["n_mutant"]), int(row["n_wildtype"])
    texts = row["sensitivity"], row["specificity"]
    counts = [round(number_in(text).value * n) for text, n in zip(texts, sizes, strict=True)]
    limit = highest_area(*(Fraction(k, n) for k, n in zip(counts, sizes, strict=True)))
    near = " and ".join(f"{k}/{n}" for k, n in zip(counts, sizes, strict=True))
    return f" (nor with {near}: at most {limit:.3f})"


def _pairs(area: Fraction, printed: PrintedArea) -> str:
    return f"{float(area * printed.pairs):g}/{printed.pairs}"


def _methods(rows: Sequence[Row]) -> list[str]:
    """Which interval methods one table mixes."""
    by_method: dict[str, list[str]] = {}
    for row in rows:
        name = interval_finding(printed_area(row)).method.removesuffix(", cut at 1")
        by_method.setdefault(name, []).append(row["set"])
    return [f"{name}: {'; '.join(dict.fromkeys(sets))}." for name, sets in by_method.items()]


def _twins(rows: Sequence[Row]) -> list[str]:
    """Models that print the very same figures in one set."""
    names = ("auc", "auc_low", "auc_high", "sensitivity", "specificity")
    found: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        found.setdefault((row["set"], *(row[name] for name in names)), []).append(row["model"])
    return [
        f"Models {' and '.join(models)} print the same five figures: {key[0]}."
        for key, models in found.items()
        if len(models) > 1
    ]


def _age(rows: Sequence[Row]) -> list[str]:
    """What age does to each reader's accuracy, beside the accuracies printed without it."""
    findings = []
    for reader in dict.fromkeys(row["set"] for row in rows if "with age" in row["set"]):
        without = [row for row in rows if row["set"] == reader.replace(" with age", "")]
        before = [row["accuracy_count"] or "not printed" for row in without]
        after = [f"{shares_of(row).right}/{row['n']}" for row in rows if row["set"] == reader]
        findings.append(
            f"{reader}: {', '.join(after)} right in models 1 to 3; without age the text has "
            f"{', '.join(before)}."
        )
    return findings
