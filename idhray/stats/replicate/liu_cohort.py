"""Liu 2020, tables 5 and 6: sums, sexes, ages of both classes together."""

from collections.abc import Sequence
from math import sqrt

from idhray.stats.replicate.cells import Block, Cell, Status, status_of
from idhray.stats.replicate.typed import Row, number_in, typed

COLUMNS = {"n": "both", "n_mutant": "mutant", "n_wildtype": "wildtype"}


def tables56() -> Block:
    """Sums of rows and columns, sexes, and the mean and SD of both classes together."""
    rows = typed("liu2020_table56")
    return Block(
        title="Tables 5 and 6: the patients",
        cells=tuple(cell for row in rows for cell in _cells(row, rows)),
    )


def pooled_mean_sd(
    sizes: Sequence[int], means: Sequence[float], sds: Sequence[float]
) -> tuple[float, float]:
    """Mean and sample SD of groups put together, from those of each (divisor n - 1)."""
    n = sum(sizes)
    mean = sum(k * m for k, m in zip(sizes, means, strict=True)) / n
    inside = sum((k - 1) * sd**2 for k, sd in zip(sizes, sds, strict=True))
    between = sum(k * (m - mean) ** 2 for k, m in zip(sizes, means, strict=True))
    return mean, sqrt((inside + between) / (n - 1))


def mean_sd(text: str) -> tuple[float, float]:
    """`55.5±13.3` as two numbers."""
    mean, sd = (float(number_in(part).value) for part in text.split("±"))
    return mean, sd


def class_sizes(source: str) -> tuple[int, int]:
    """Wildtypes and mutants of table 5 or 6."""
    total = next(
        r for r in typed("liu2020_table56") if (r["source"], r["row"]) == (source, "Total")
    )
    return int(total["n_wildtype"]), int(total["n_mutant"])


def _cells(row: Row, rows: Sequence[Row]) -> list[Cell]:
    label = f"{row['row']}, {row['set']}"
    if row["kind"] == "mean±SD":
        return _ages(row, label)
    if row["kind"] == "male:female":
        return [_sexes(row, label)]
    if row["row"] != "Total":
        return [
            sum_cell(label, row["n"], [row["n_wildtype"], row["n_mutant"]], "wildtype + mutant")
        ]
    above = [r for r in rows if r["source"] == row["source"] and r["n"] and r is not row]
    return [
        sum_cell(f"{label}, {words}", row[name], [r[name] for r in above], "sum of the types")
        for name, words in COLUMNS.items()
    ]


def sum_cell(label: str, published: str, parts: Sequence[str], words: str) -> Cell:
    total = sum(int(part) for part in parts)
    return Cell(
        row=label,
        item="number",
        published=published,
        recomputed=str(total),
        status="match" if str(total) == published else "mismatch",
        convention=words,
        value=float(total),
    )


def _sexes(row: Row, label: str) -> Cell:
    wildtype, mutant = (row[name].split(":") for name in ("wildtype", "mutant"))
    both = ":".join(str(int(a) + int(b)) for a, b in zip(wildtype, mutant, strict=True))
    sizes = class_sizes(row["source"])
    complete = [sum(int(k) for k in pair) for pair in (wildtype, mutant)] == list(sizes)
    status: Status = "match" if both == row["both"] and complete else "mismatch"
    return Cell(
        row=label,
        item="both classes",
        published=row["both"],
        recomputed=both,
        status=status,
        convention="sum of the classes, each complete" if complete else "sum of the classes",
    )


def _ages(row: Row, label: str) -> list[Cell]:
    groups = [mean_sd(row[name]) for name in ("wildtype", "mutant")]
    means, sds = zip(*groups, strict=True)
    found = pooled_mean_sd(class_sizes(row["source"]), means, sds)
    return [
        Cell(
            row=label,
            item=name,
            published=text,
            recomputed=f"{value:.2f}",
            status=status_of(text, value),
            convention=words,
            value=value,
        )
        for name, text, value, words in zip(
            ("mean", "SD"),
            row["both"].split("±"),
            found,
            ("weighted mean of the classes", "within and between classes, divisor n - 1"),
            strict=True,
        )
    ]
