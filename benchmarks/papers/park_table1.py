"""Park 2021, table 1: the test that its P values are from, and which of them are wrong."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, nan

from benchmarks.papers.cells import (
    Block,
    Place,
    Row,
    best_convention,
    compared,
    counts_in,
    reproduces,
    tally_by_convention,
    typed,
    unavailable,
)
from idhray.stats.audit.printed_number import shortly
from idhray.stats.hypothesis.contingency import (
    FISHER,
    PEARSON,
    YATES,
    chi_square,
    expected_counts,
    fisher_exact,
)

Table = list[tuple[int, ...]]  # levels x groups
Values = Mapping[str, Sequence[float]]  # test -> P of each table
TESTS: dict[str, Callable[[Table], float]] = {
    PEARSON: lambda table: chi_square(table).p,
    YATES: lambda table: chi_square(table, yates=True).p if len(table) == 2 else nan,
    FISHER: lambda table: fisher_exact(table).p,
}


def table_1() -> Block:
    """The P values of the categorical variables from their counts; those of age need the ages."""
    rows = [row for row in typed("park2021_table1") if row["counts"]]
    tables = [counts_in(row["counts"]) for row in rows]
    published = [row["p"] for row in rows]
    values = {name: [p_of(table) for table in tables] for name, p_of in TESTS.items()}
    best = best_convention(published, values)
    cells = []
    for row in typed("park2021_table1"):
        if not row["counts"]:
            dash = "synthetic images have no age: the table prints a dash for it"
            remark = dash if row["medians"].endswith("-") else ""
            reason = "Mann-Whitney needs the patients' ages"
            cells.append(unavailable(_place(row), row["p"], reason, remark=remark))
    for i, (row, p) in enumerate(zip(rows, values[best], strict=True)):
        remark = _remark(i, rows, values)
        cells.append(compared(_place(row), row["p"], p, shortly(p, 3), best, remark=remark))
    lowest = [float(expected_counts(table).min()) for table in tables]
    pairs = zip(values[PEARSON], values[FISHER], strict=True)
    crossing = sum((pearson < 0.05) != (fisher < 0.05) for pearson, fisher in pairs)
    for row, table in zip(rows, tables, strict=True):
        assert row["sizes"] == "/".join(str(sum(group)) for group in zip(*table, strict=True))
    return Block(
        "Table 1: P values of the categorical variables",
        cells,
        [
            *tally_by_convention(published, values),
            f"{sum(low < 5 for low in lowest)} of {len(lowest)} tables have expected counts below "
            f"5 (lowest {min(lowest):.2f}), where Fisher's test is the right one; it moves "
            f"{crossing or 'no'} P across 0.05.",
            "The counts of every variable add up to the printed numbers of patients.",
        ],
    )


def _place(row: Row) -> Place:
    later = "" if row["set"] == "training" else f" {row['set']}"
    return row["variable"], f"{row['contrast']}{later}"


def _remark(i: int, rows: Sequence[Row], values: Values) -> str:
    """Other explanations of a printed P; the recomputed ones are those of Pearson's test."""
    p_values = {name: ps[i] for name, ps in values.items() if isfinite(ps[i])}
    giving = [name for name, p in p_values.items() if reproduces(rows[i]["p"], p)]
    if PEARSON in giving:
        return "only this test gives it" if len(giving) == 1 else ""
    if partner := exchanged_with(i, rows, values[PEARSON]):
        return f"swapped with {partner['contrast']}: each fits the other's counts"
    small = "; <0.001 under every test" if max(p_values.values()) < 0.001 else ""
    return f"{giving[0]} gives it" if giving else f"no test gives it{small}"


def exchanged_with(i: int, rows: Sequence[Row], values: Sequence[float]) -> Row | None:
    """Another row of the group whose P is wrong too, where each P fits the other's counts."""
    for row, p in zip(rows, values, strict=True):
        wrong = row["group"] == rows[i]["group"] and not reproduces(row["p"], p)
        if wrong and reproduces(row["p"], values[i]) and reproduces(rows[i]["p"], p):
            return row
    return None
