"""Liu 2020, abstract and text: what they repeat from the tables, the tiles, and the split."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, comb, floor

from idhray.stats.audit.printed_number import shortly
from idhray.stats.replicate.cells import Block, Cell, Convention, best_convention, status_of
from idhray.stats.replicate.liu_cohort import class_sizes, sum_cell
from idhray.stats.replicate.liu_groups import (
    errors_of_table3,
    errors_of_table4,
    patients_of_both_sets,
)
from idhray.stats.replicate.typed import Row, number_in, typed


def liu_text() -> Block:
    """Accuracies, the split, and the numbers of tiles in the text."""
    rows = typed("liu2020_text")
    return Block(
        title="Abstract and text, against the tables",
        cells=(
            *(cell for row in rows if row["table"] for cell in _repeated(row)),
            *(_about(row, rows) for row in rows if row["percent"]),
            *(_tiles(row) for row in rows if row["slides"]),
            *(_parts(row) for row in rows if row["parts"] and not row["ratio"]),
            *(_classes(row) for row in rows if row["n"] and not row["table"]),
            *(_split(row) for row in rows if row["ratio"]),
        ),
        findings=(_stratified(),),
    )


def _repeated(row: Row) -> list[Cell]:
    source = next(
        r
        for r in typed("liu2020_table123")
        if (r["source"], r["set"], r["row"]) == (row["table"], row["set"], row["table_row"])
    )
    return [
        Cell(
            row=row["row"],
            item=name,
            published=row[name],
            recomputed=source[name],
            status="match" if row[name] == source[name] else "mismatch",
            convention=f"{row['table']}, {row['table_row']}",
        )
        for name in ("accuracy", "auc")
    ]


def _about(row: Row, rows: Sequence[Row]) -> Cell:
    """`about 85%`: of which patients, and by which table?"""
    abouts = [r for r in rows if r["percent"] and r["set"] == row["set"]]
    conventions = [
        Convention(name=name, values=[float(_share(name, r)) for r in abouts])
        for name in ("table 3, pooled", "table 4, pooled", "table 3, test set")
        if row["set"] == "validation and test"
    ] or [Convention(name="table 4, this group", values=[float(_group_share(r)) for r in abouts])]
    best = best_convention([r["percent"] for r in abouts], conventions)
    value = best.values[abouts.index(row)]
    return Cell(
        row=row["row"],
        item="accuracy",
        published=row["percent"],
        recomputed=f"{100 * value:.1f}%",
        status=status_of(row["percent"], value),
        convention=best.name,
        value=value,
    )


def _share(name: str, row: Row) -> Fraction:
    if name == "table 3, test set":
        source = next(
            r
            for r in typed("liu2020_table123")
            if (r["source"], r["set"], r["row"]) == ("Table 3", "test", row["table_row"])
        )
        return number_in(source["accuracy"]).value
    errors = (
        errors_of_table3(row["table_row"])
        if name == "table 3, pooled"
        else errors_of_table4(typed("liu2020_table4"), row["table_row"])
    )
    return 1 - Fraction(sum(errors), sum(patients_of_both_sets()))


def _group_share(row: Row) -> Fraction:
    source = next(
        r
        for r in typed("liu2020_table4")
        if (r["set"], r["predictor"]) == (row["set"], row["table_row"])
    )
    return 1 - Fraction(int(source["errors"]), int(source["n"]))


def _tiles(row: Row) -> Cell:
    value = Fraction(int(row["total"]), int(row["slides"]))
    up = str(ceil(value)) == row["mean"]
    return Cell(
        row=row["row"],
        item="mean",
        published=row["mean"],
        recomputed=f"{float(value):.1f}",
        status=status_of(row["mean"], value),
        convention=f"{row['total']} tiles of {row['slides']} slides",
        remark="only rounded up" if up else "",
        value=float(value),
    )


def _parts(row: Row) -> Cell:
    return sum_cell(
        row["row"], row["total"], row["parts"].split("+"), row["parts"].replace("+", " + ")
    )


def _classes(row: Row) -> Cell:
    sizes = [class_sizes(source) for source in ("Table 5", "Table 6")]
    wildtypes, mutants = (sum(pair) for pair in zip(*sizes, strict=True))
    published = f"{row['n']} ({row['n_mutant']}:{row['n_wildtype']})"
    found = f"{wildtypes + mutants} ({mutants}:{wildtypes})"
    return Cell(
        row=row["row"],
        item="mutant:wildtype",
        published=published,
        recomputed=found,
        status="match" if published == found else "mismatch",
        convention="tables 5 and 6 together",
    )


def _split(row: Row) -> Cell:
    """198/34/34: which rounding of 6:1:1 is it?"""
    n = int(row["total"])
    shares = [Fraction(int(part) * n, 8) for part in row["ratio"].split(":")]
    each = {
        "half-up rounding of every part": [floor(share + Fraction(1, 2)) for share in shares],
        "rounded down for validation and test": _rest(n, [floor(share) for share in shares[1:]]),
        "rounded up for validation and test, the rest to training": _rest(
            n, [ceil(share) for share in shares[1:]]
        ),
    }
    used = [int(part) for part in row["parts"].split("+")]
    name = next((name for name, parts in each.items() if parts == used), "no rounding tried")
    exact = "/".join(f"{float(share):g}" for share in shares)
    return Cell(
        row=row["row"],
        item="patients",
        published="/".join(str(part) for part in used),
        recomputed="/".join(str(part) for part in each.get(name, [])) or exact,
        status="match" if name in each else "mismatch",
        convention=name,
        remark=f"exactly {exact}",
    )


def _rest(n: int, parts: list[int]) -> list[int]:
    return [n - sum(parts), *parts]


def _stratified() -> str:
    """How likely 18 mutants are in both sets when patients are drawn without regard to class."""
    sizes = [class_sizes(source) for source in ("Table 5", "Table 6")]
    w, m = (sum(pair) for pair in zip(*sizes, strict=True))
    both = next(r for r in typed("liu2020_table123"))
    in_set, n = int(both["n_mutant"]), int(both["n"])
    first = Fraction(comb(m, in_set) * comb(w, n - in_set), comb(m + w, n))
    second = Fraction(
        comb(m - in_set, in_set) * comb(w - n + in_set, n - in_set), comb(m + w - n, n)
    )
    return (
        f"{in_set} mutants in both sets of {n} have probability {shortly(float(first * second))} "
        f"under a simple random split (expected {m * n / (m + w):.2f}), so it was probably "
        f"stratified; training is left {m - 2 * in_set} mutant and {w - 2 * (n - in_set)} wildtype."
    )
