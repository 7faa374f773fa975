"""Liu 2020, tables 5 and 6, abstract and text: the patients, the split, and repeated figures."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, comb, floor, sqrt

from benchmarks.papers.cells import (
    Block,
    Cell,
    Row,
    best_convention,
    compared,
    find,
    float_in,
    number_in,
    same_text,
    sizes_of,
    typed,
)
from benchmarks.papers.liu_tables import (
    GROUPS,
    ROWS,
    errors_of_table_3,
    errors_of_table_4,
    patients_of_both_sets,
)
from idhray.stats.audit.printed_number import shortly

PATIENTS = "liu2020_table56"
TEXT = "liu2020_text"
CLASSES = "wildtype + mutant"
WITHIN_BETWEEN = "within and between classes, divisor n - 1"
COLUMNS = {"n": "both", "n_mutant": "mutant", "n_wildtype": "wildtype"}


def tables_5_and_6() -> Block:
    """Sums of rows and columns, sexes, and the mean and SD of both classes together."""
    return Block("Tables 5 and 6: the patients", [c for r in typed(PATIENTS) for c in _cells(r)])


def pooled_mean_sd(
    sizes: Sequence[int], means: Sequence[float], sds: Sequence[float]
) -> tuple[float, float]:
    """Mean and sample SD of groups put together, from those of each (divisor n - 1)."""
    n, groups = sum(sizes), list(zip(sizes, means, sds, strict=True))
    mean = sum(k * m for k, m, _ in groups) / n
    inside = sum((k - 1) * sd**2 for k, _, sd in groups)
    between = sum(k * (m - mean) ** 2 for k, m, _ in groups)
    return mean, sqrt((inside + between) / (n - 1))


def mean_sd(text: str) -> tuple[float, float]:
    """`55.5±13.3` as two numbers."""
    mean, sd = map(float_in, text.split("±"))
    return mean, sd


def class_sizes(source: str) -> tuple[int, int]:
    """Wildtypes and mutants of table 5 or 6."""
    m, w = sizes_of(find(PATIENTS, source=source, row="Total"))
    return w, m


def all_patients() -> tuple[int, int]:
    """Wildtypes and mutants of tables 5 and 6 together."""
    (w5, m5), (w6, m6) = class_sizes("Table 5"), class_sizes("Table 6")
    return w5 + w6, m5 + m6


def _cells(row: Row) -> list[Cell]:
    label = f"{row['row']}, {row['set']}"
    if row["kind"] == "mean±SD":
        means, sds = zip(mean_sd(row["wildtype"]), mean_sd(row["mutant"]), strict=True)
        texts, rules = row["both"].split("±"), ("weighted mean of the classes", WITHIN_BETWEEN)
        values = pooled_mean_sd(class_sizes(row["source"]), means, sds)
        return [
            compared((label, name), text, value, f"{value:.2f}", rule)
            for name, text, value, rule in zip(("mean", "SD"), texts, values, rules, strict=True)
        ]
    if row["kind"] == "male:female":
        sexes = [[int(k) for k in row[name].split(":")] for name in ("wildtype", "mutant")]
        assert tuple(map(sum, sexes)) == class_sizes(row["source"])
        both = ":".join(str(a + b) for a, b in zip(*sexes, strict=True))
        convention = "sum of the classes, each complete"
        return [same_text((label, "both classes"), row["both"], both, convention)]
    if row["row"] != "Total":
        return [_sum_cell(label, row["n"], [row["n_wildtype"], row["n_mutant"]], CLASSES)]
    types = [r for r in typed(PATIENTS) if r["source"] == row["source"] and r["n"] and r is not row]
    return [
        _sum_cell(f"{label}, {words}", row[name], [r[name] for r in types], "sum of the types")
        for name, words in COLUMNS.items()
    ]


def _sum_cell(label: str, published: str, parts: Sequence[str], convention: str) -> Cell:
    total = sum(map(int, parts))
    return same_text((label, "number"), published, str(total), convention, value=float(total))


def text() -> Block:
    """Accuracies, the split, and the numbers of tiles in the text."""
    rows = typed(TEXT)
    sums = [row for row in rows if row["parts"] and not row["ratio"]]
    return Block(
        "Abstract and text, against the tables",
        [
            *(cell for row in rows if row["table"] for cell in _repeated(row)),
            *_about([r for r in rows if r["percent"] and r["set"] == "validation and test"]),
            *_about([r for r in rows if r["percent"] and r["set"] != "validation and test"]),
            *(_tiles(row) for row in rows if row["slides"]),
            *(
                _sum_cell(row["row"], row["total"], parts, " + ".join(parts))
                for row in sums
                for parts in [row["parts"].split("+")]
            ),
            *(_class_cell(row) for row in rows if row["n"] and not row["table"]),
            *(_split_cell(row) for row in rows if row["ratio"]),
        ],
        [_stratified()],
    )


def _repeated(row: Row) -> list[Cell]:
    source = find(ROWS, source=row["table"], set=row["set"], row=row["table_row"])
    convention = f"{row['table']}, {row['table_row']}"
    names = ("accuracy", "auc")
    return [same_text((row["row"], n), row[n], source[n], convention) for n in names]


def _about(rows: Sequence[Row]) -> list[Cell]:
    """`about 85%`: the table and the patients that give it."""
    shares = [_shares_by_table(row) for row in rows]
    values = {table: [float(share[table]) for share in shares] for table in shares[0]}
    best = best_convention([row["percent"] for row in rows], values)
    return [
        compared((row["row"], "accuracy"), row["percent"], value, f"{value:.1%}", best)
        for row, value in zip(rows, values[best], strict=True)
    ]


def _shares_by_table(row: Row) -> dict[str, Fraction]:
    """The accuracy of a predictor by the table that it may be from."""
    predictor = row["table_row"]
    if row["set"] != "validation and test":
        source = find(GROUPS, set=row["set"], predictor=predictor)
        return {"table 4, this group": 1 - Fraction(int(source["errors"]), int(source["n"]))}
    n = sum(patients_of_both_sets())
    test = find(ROWS, source="Table 3", set="test", row=predictor)
    return {
        "table 3, pooled": 1 - Fraction(sum(errors_of_table_3(predictor)), n),
        "table 4, pooled": 1 - Fraction(sum(errors_of_table_4(predictor)), n),
        "table 3, test set": number_in(test["accuracy"]).value,
    }


def _tiles(row: Row) -> Cell:
    value = Fraction(int(row["total"]), int(row["slides"]))
    convention = f"{row['total']} tiles of {row['slides']} slides"
    remark = "only rounded up" if str(ceil(value)) == row["mean"] else ""
    place, text = (row["row"], "mean"), f"{float(value):.1f}"
    return compared(place, row["mean"], value, text, convention, remark=remark)


def _class_cell(row: Row) -> Cell:
    (w, m), place = all_patients(), (row["row"], "mutant:wildtype")
    printed = f"{row['n']} ({row['n_mutant']}:{row['n_wildtype']})"
    return same_text(place, printed, f"{w + m} ({m}:{w})", "tables 5 and 6 together")


def _split_cell(row: Row) -> Cell:
    """198/34/34 by the rounding of 6:1:1 that gives it."""
    n, printed = int(row["total"]), row["parts"].replace("+", "/")
    shares = [Fraction(int(part) * n, 8) for part in row["ratio"].split(":")]
    down, up = ([round_(share) for share in shares[1:]] for round_ in (floor, ceil))
    roundings = {
        "half-up rounding of every part": [floor(share + Fraction(1, 2)) for share in shares],
        "rounded down for validation and test": [n - sum(down), *down],
        "rounded up for validation and test, the rest to training": [n - sum(up), *up],
    }
    texts = {name: "/".join(map(str, parts)) for name, parts in roundings.items()}
    name = next(name for name, text in texts.items() if text == printed)
    exact = f"exactly {'/'.join(f'{float(share):g}' for share in shares)}"
    return same_text((row["row"], "patients"), printed, texts[name], name, remark=exact)


def _stratified() -> str:
    """Probability of 18 mutants in both sets when patients are drawn without regard to class."""
    (w, m), (k, j) = all_patients(), sizes_of(find(ROWS))  # k mutants, j wildtypes per set
    n = k + j
    first = Fraction(comb(m, k) * comb(w, j), comb(m + w, n))
    second = Fraction(comb(m - k, k) * comb(w - j, j), comb(m + w - n, n))
    return (
        f"{k} mutants in both sets of {n} have probability {shortly(float(first * second))} under "
        f"a simple random split (expected {m * n / (m + w):.2f}), so it was probably stratified; "
        f"training is left {m - 2 * k} mutant and {w - 2 * j} wildtype."
    )
