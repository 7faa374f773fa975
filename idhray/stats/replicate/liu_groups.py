"""Liu 2020, table 4: the age groups, and whether they agree with table 3."""

from collections.abc import Sequence
from fractions import Fraction

from idhray.stats.replicate.cells import Block, Cell, Status, status_of
from idhray.stats.replicate.liu_rows import counts_of_row
from idhray.stats.replicate.typed import Row, typed

Errors = tuple[int, int]  # mutants called wildtype, wildtypes called mutant


def table4() -> Block:
    """Patients, errors and accuracy of both groups; their sums against table 3."""
    rows = typed("liu2020_table4")
    return Block(
        title="Table 4: two age groups of the validation and test sets",
        cells=(
            *(_patients(row, rows) for row in rows if not row["predictor"]),
            *(cell for row in rows if row["predictor"] for cell in _errors(row)),
            *_against_table3(rows),
        ),
        findings=tuple(_pooled(rows)),
    )


def errors_of_table4(rows: Sequence[Row], predictor: str) -> Errors:
    """Summed over the groups."""
    same = [row for row in rows if row["predictor"] == predictor]
    mutant, wildtype = (
        sum(int(row[name]) for row in same) for name in ("errors_mutant", "errors_wildtype")
    )
    return mutant, wildtype


def errors_of_table3(predictor: str) -> Errors:
    """Summed over validation and test, from the counts behind the percentages."""
    same = [
        row
        for row in typed("liu2020_table123")
        if row["source"] == "Table 3" and row["row"] == predictor
    ]
    right = [counts_of_row(row) for row in same]
    return (
        sum(int(row["n_mutant"]) - tp for row, (tp, _) in zip(same, right, strict=True)),
        sum(int(row["n_wildtype"]) - tn for row, (_, tn) in zip(same, right, strict=True)),
    )


def _patients(row: Row, rows: Sequence[Row]) -> Cell:
    """The classes of a group; where they do not add up, what the other figures leave for them."""
    n, m, w = (int(row[name]) for name in ("n", "n_mutant", "n_wildtype"))
    adds_up = m + w == n
    found = (m, w) if adds_up else _left_by_others(row, rows)
    return Cell(
        row=row["row"],
        item="mutant:wildtype",
        published=f"{n} ({m}:{w})",
        recomputed=f"{n} ({found[0]}:{found[1]})",
        status="match" if adds_up else "impossible",
        convention="sum of both classes" if adds_up else "both sets less the other group",
        remark="" if adds_up else f"{m} + {w} = {m + w}, not {n}",
        value=float(found[1]),
    )


def _left_by_others(row: Row, rows: Sequence[Row]) -> tuple[int, int]:
    others = [r for r in rows if not r["predictor"] and r is not row]
    mutants, wildtypes = (
        total - sum(int(r[name]) for r in others)
        for name, total in zip(("n_mutant", "n_wildtype"), patients_of_both_sets(), strict=True)
    )
    return mutants, wildtypes


def patients_of_both_sets() -> tuple[int, int]:
    """Mutants and wildtypes of validation and test together."""
    first = {row["set"]: row for row in typed("liu2020_table123")}.values()
    mutants, wildtypes = (sum(int(row[n]) for row in first) for n in ("n_mutant", "n_wildtype"))
    return mutants, wildtypes


def _errors(row: Row) -> list[Cell]:
    errors, n = int(row["errors"]), int(row["n"])
    total = int(row["errors_mutant"]) + int(row["errors_wildtype"])
    share = Fraction(n - errors, n)
    return [
        Cell(
            row=row["row"],
            item="errors",
            published=f"{errors} ({row['errors_mutant']}:{row['errors_wildtype']})",
            recomputed=str(total),
            status="match" if total == errors else "mismatch",
            convention="sum of both classes",
            value=float(total),
        ),
        Cell(
            row=row["row"],
            item="accuracy",
            published=row["accuracy"],
            recomputed=f"{n - errors}/{n} = {float(share):.4f}",
            status=status_of(row["accuracy"], share),
            convention="half-up rounding",
            value=float(share),
        ),
    ]


def _against_table3(rows: Sequence[Row]) -> list[Cell]:
    cells = []
    for predictor in dict.fromkeys(row["predictor"] for row in rows if row["predictor"]):
        here, there = errors_of_table4(rows, predictor), errors_of_table3(predictor)
        status: Status = "match" if here == there else "mismatch"
        gap = [there[0] - here[0], there[1] - here[1]]
        cells.append(
            Cell(
                row=f"{predictor}, both groups",
                item="errors",
                published=f"{sum(here)} ({here[0]}:{here[1]})",
                recomputed=f"{sum(there)} ({there[0]}:{there[1]})",
                status=status,
                convention="table 3, validation and test",
                remark=""
                if status == "match"
                else f"differ by {gap[0]} mutant and {gap[1]} "
                "wildtype patients; the paper does not settle which is right",
                value=float(sum(there)),
            )
        )
    return cells


def _pooled(rows: Sequence[Row]) -> list[str]:
    n = sum(patients_of_both_sets())
    findings = []
    for predictor in dict.fromkeys(row["predictor"] for row in rows if row["predictor"]):
        fours, threes = sum(errors_of_table4(rows, predictor)), sum(errors_of_table3(predictor))
        findings.append(
            f"{predictor}, pooled accuracy: table 4 {n - fours}/{n} = {(n - fours) / n:.3f}, "
            f"table 3 {n - threes}/{n} = {(n - threes) / n:.3f}."
        )
    return findings
