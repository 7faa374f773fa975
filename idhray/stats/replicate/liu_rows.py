"""Liu 2020, tables 1 to 3: the counts behind every percentage, and the areas' lattice."""

from collections.abc import Sequence
from fractions import Fraction

from idhray.stats.accuracy.rates import proportion
from idhray.stats.replicate.areas import PrintedArea, lattice_areas
from idhray.stats.replicate.cells import Block, Cell, status_of
from idhray.stats.replicate.typed import (
    Row,
    count_of,
    fractions_that_print,
    number_in,
    typed,
)
from idhray.stats.roc.intervals import hanley_mcneil_interval

SHARES = ("sensitivity", "specificity", "accuracy")


def tables123() -> list[Block]:
    """26 rows of sensitivity, specificity, accuracy and area; a block per table."""
    rows = typed("liu2020_table123")
    blocks = []
    for source in dict.fromkeys(row["source"] for row in rows):
        of_table = [row for row in rows if row["source"] == source]
        blocks.append(
            Block(
                title=f"{source}: sensitivity, specificity, accuracy and AUC",
                cells=tuple(
                    cell for row in of_table for cell in (*_shares(row), _area(row), *_percent(row))
                ),
                findings=(
                    *(_classes(rows) if source == "Table 1" else ()),
                    *(_sweep(of_table) if source == "Table 2" else ()),
                    *(_age(of_table) if source == "Table 3" else ()),
                ),
            )
        )
    return blocks


def class_sizes_that_fit(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """All (mutants, wildtypes) for which every row has whole counts and their accuracy."""
    n = int(rows[0]["n"])
    return [(m, n - m) for m in range(1, n) if all(_fits(row, m, n - m) for row in rows)]


def _fits(row: Row, mutants: int, wildtypes: int) -> bool:
    n = mutants + wildtypes
    right = {
        int(s * mutants) + int(t * wildtypes)
        for s in fractions_that_print(row["sensitivity"], mutants)
        for t in fractions_that_print(row["specificity"], wildtypes)
    }
    return any(status_of(row["accuracy"], Fraction(k, n)) == "match" for k in right)


def counts_of_row(row: Row) -> tuple[int, int]:
    """True positives and true negatives."""
    sizes = int(row["n_mutant"]), int(row["n_wildtype"])
    tp, tn = (
        int(fractions_that_print(row[name], n)[0] * n)
        for name, n in zip(SHARES[:2], sizes, strict=True)
    )
    return tp, tn


def _shares(row: Row) -> list[Cell]:
    tp, tn = counts_of_row(row)
    m, w, n = (int(row[name]) for name in ("n_mutant", "n_wildtype", "n"))
    cells = []
    for name, right, of in zip(SHARES, (tp, tn, tp + tn), (m, w, n), strict=True):
        exact = proportion(right, of)
        interval = f"exact 95% CI {exact.exact_low:.3f}-{exact.exact_high:.3f}"
        cells.append(
            Cell(
                row=_label(row),
                item=name,
                published=row[name],
                recomputed=f"{count_of(Fraction(right, of), of)} = {right / of:.4f}",
                status=status_of(row[name], Fraction(right, of)),
                convention=f"{tp} + {tn} right of {n}, half-up rounding"
                if name == "accuracy"
                else f"k/{of}, half-up rounding",
                remark=interval if name == "accuracy" else "",
                value=right / of,
            )
        )
    return cells


def printed_area(row: Row) -> PrintedArea:
    """The area of a row."""
    return PrintedArea(
        auc=row["auc"], n_mutant=int(row["n_mutant"]), n_wildtype=int(row["n_wildtype"])
    )


def _area(row: Row) -> Cell:
    area = printed_area(row)
    status, points = lattice_areas(area)
    low, high = hanley_mcneil_interval(float(row["auc"]), area.n_mutant, area.n_wildtype)
    remark = f"Hanley-McNeil 95% CI {low:.3f}-{min(high, 1):.3f}"
    if not points:
        remark = f"{_neighbors(area)}; {remark}"
    return Cell(
        row=_label(row),
        item="AUC",
        published=row["auc"],
        recomputed=f"{_pairs(points[0], area)}/{area.pairs} = {float(points[0]):.4f}"
        if points
        else "",
        status=status,
        convention=f"half pairs of {area.n_mutant} x {area.n_wildtype}",
        remark=remark,
        value=float(points[0] * area.pairs) if points else float("nan"),
    )


def _neighbors(area: PrintedArea) -> str:
    """The two areas of the lattice around a printed one that is not on it."""
    below = number_in(area.auc).value * 2 * area.pairs // 1
    around = [Fraction(int(below) + i, 2 * area.pairs) for i in (0, 1)]
    words = " and ".join(f"{_pairs(p, area)} pairs give {float(p):.4f}" for p in around)
    return f"no area: {words}"


def _pairs(point: Fraction, area: PrintedArea) -> str:
    return f"{float(point * area.pairs):g}"


def _percent(row: Row) -> list[Cell]:
    """`(+4.2%)` beside `+1 K`: of the patches of the training set."""
    if not row["added"] or row["set"] != "test":
        return []
    patches = next(r for r in typed("liu2020_text") if r["row"].startswith("patches"))
    share = Fraction(int(row["synthetic"]), int(patches["total"]))
    return [
        Cell(
            row=_label(row),
            item="added share",
            published=row["added"],
            recomputed=f"{100 * float(share):.3f}%",
            status=status_of(row["added"], share),
            convention=f"{row['synthetic']} of {patches['total']} real patches",
            value=float(share),
        )
    ]


def _label(row: Row) -> str:
    return f"{row['row']}, {row['set']}"


def _classes(rows: Sequence[Row]) -> list[str]:
    fitting = class_sizes_that_fit(rows)
    words = " or ".join(f"{m} mutant and {w} wildtype" for m, w in fitting)
    shares = [
        (row[name], share) for row in rows for name, share in zip(SHARES, _values(row), strict=True)
    ]
    to_even = sum(f"{float(value):.3f}" != text for text, value in shares)
    areas = sum(lattice_areas(printed_area(row))[0] == "match" for row in rows)
    return [
        f"All {len(rows)} rows of tables 1 to 3 fit {words} patients in either set, and no other "
        "split of 34.",
        f"Half-up rounding gives all {len(shares)} percentages; halves to even, as many programs "
        f"round, would miss {to_even}.",
        f"{areas} of {len(rows)} areas lie on the lattice of half pairs.",
    ]


def _values(row: Row) -> list[Fraction]:
    tp, tn = counts_of_row(row)
    m, w, n = (int(row[name]) for name in ("n_mutant", "n_wildtype", "n"))
    return [Fraction(tp, m), Fraction(tn, w), Fraction(tp + tn, n)]


def _sweep(rows: Sequence[Row]) -> list[str]:
    """What the choice of a count rests on, in the test set."""
    test = [row for row in rows if row["set"] == "test"]
    right = {row["row"]: sum(counts_of_row(row)) for row in test}
    best = [name for name, count in right.items() if count == max(right.values())]
    pairs = sorted((_area(row).value for row in test if row["row"] in best), reverse=True)
    return [
        f"Test: {', '.join(best)} tie at {max(right.values())}/{test[0]['n']}; the first is ahead "
        f"of the second by {pairs[0] - pairs[1]:g} of {printed_area(test[0]).pairs} pairs of AUC."
    ]


def _age(rows: Sequence[Row]) -> list[str]:
    image, both = (
        next(r for r in rows if (r["set"], r["row"]) == ("test", name))
        for name in ("Image", "Age & image")
    )
    gained = sum(counts_of_row(both)) - sum(counts_of_row(image))
    pairs = _area(both).value - _area(image).value
    return [f"Test: age adds {gained} patient and {pairs:g} pair of AUC to the image alone."]
