"""Park 2021, table 1: which chi-square or exact test its P values are, and which are wrong."""

from collections.abc import Callable, Sequence

import numpy as np

from idhray.stats.audit.printed_number import shortly
from idhray.stats.hypothesis.contingency import (
    FISHER,
    PEARSON,
    YATES,
    chi_square,
    expected_counts,
    fisher_exact,
)
from idhray.stats.replicate.cells import (
    NAN,
    REPRODUCED,
    Block,
    Cell,
    Convention,
    best_convention,
    said,
    status_of,
    tally,
)
from idhray.stats.replicate.typed import Pair, Row, counts_in, typed

Table = list[Pair]  # levels x groups


def table1() -> Block:
    """The P values of the categorical variables from their counts; those of age cannot be had."""
    rows = typed("park2021_table1")
    counted = [row for row in rows if row["counts"]]
    tables = [counts_in(row["counts"]) for row in counted]
    published = [row["p"] for row in counted]
    tests = candidate_tests(tables)
    best = best_convention(published, tests)
    cells = [_age(row) for row in rows if not row["counts"]]
    for i, row in enumerate(counted):
        cells.append(
            Cell(
                row=row["variable"],
                item=_item(row),
                published=row["p"],
                recomputed=shortly(best.values[i], 3),
                status=status_of(row["p"], best.values[i]),
                convention=best.name,
                remark=_remark(i, counted, best, tests),
                value=best.values[i],
            )
        )
    return Block(
        title="Table 1: P values of the categorical variables",
        cells=tuple(cells),
        findings=(
            *(f"{test.name}: {said(tally(published, test))}." for test in tests),
            *_expectations(tables, tests),
            _margins(counted, tables),
        ),
    )


def candidate_tests(tables: Sequence[Table]) -> list[Convention]:
    """The tests that a table of counts may have had; Yates' correction for 2 x 2 only."""
    tests: dict[str, Callable[[Table], float]] = {
        PEARSON: lambda table: chi_square(table).p,
        YATES: lambda table: chi_square(table, yates=True).p if len(table) == 2 else NAN,
        FISHER: lambda table: fisher_exact(table).p,
    }
    return [
        Convention(name=name, values=[p_of(table) for table in tables])
        for name, p_of in tests.items()
    ]


def _remark(i: int, rows: list[Row], best: Convention, tests: list[Convention]) -> str:
    published = rows[i]["p"]
    if status_of(published, best.values[i]) in REPRODUCED:
        others = [t for t in tests if t is not best and np.isfinite(t.values[i])]
        alone = all(status_of(published, t.values[i]) == "mismatch" for t in others)
        return "only this test gives it" if alone else ""
    other = exchanged_with(i, rows, best.values)
    if other is not None:
        return f"swapped with {rows[other]['contrast']}: each fits the other's counts"
    tried = [t for t in tests if np.isfinite(t.values[i])]
    giving = [t.name for t in tried if status_of(published, t.values[i]) in REPRODUCED]
    if giving:
        return f"{giving[0]} gives it"
    small = all(t.values[i] < 0.001 for t in tried)
    return "no test gives it" + ("; <0.001 under every test" if small else "")


def exchanged_with(i: int, rows: Sequence[Row], values: Sequence[float]) -> int | None:
    """Another cell of the group that is wrong too, and right once both are exchanged."""
    for j, row in enumerate(rows):
        if j == i or row["group"] != rows[i]["group"]:
            continue
        wrong = status_of(row["p"], values[j]) not in REPRODUCED
        crossed = (status_of(row["p"], values[i]), status_of(rows[i]["p"], values[j]))
        if wrong and all(status in REPRODUCED for status in crossed):
            return j
    return None


def _item(row: Row) -> str:
    return row["contrast"] if row["set"] == "training" else f"{row['contrast']} {row['set']}"


def _age(row: Row) -> Cell:
    dash = row["medians"].endswith("-")
    return Cell(
        row=row["variable"],
        item=_item(row),
        published=row["p"],
        status="not recomputable",
        convention="Mann-Whitney needs the patients' ages",
        remark="synthetic images have no age: the table prints a dash for it" if dash else "",
    )


def _expectations(tables: Sequence[Table], tests: Sequence[Convention]) -> list[str]:
    lowest = [float(expected_counts(table).min()) for table in tables]
    pearson, _, fisher = (np.asarray(test.values) for test in tests)
    crossing = int(((pearson < 0.05) != (fisher < 0.05)).sum())
    return [
        f"{sum(low < 5 for low in lowest)} of {len(lowest)} tables have expected counts below 5 "
        f"(lowest {min(lowest):.2f}), where Fisher's test is the right one; it moves "
        f"{crossing or 'no'} P across 0.05."
    ]


def _margins(rows: Sequence[Row], tables: Sequence[Table]) -> str:
    wrong = [
        row["row"]
        for row, table in zip(rows, tables, strict=True)
        if "/".join(str(sum(group)) for group in zip(*table, strict=True)) != row["sizes"]
    ]
    return (
        f"Counts do not add up to the patients in {', '.join(wrong)}."
        if wrong
        else "The counts of every variable add up to the printed numbers of patients."
    )
