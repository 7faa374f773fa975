"""Liu 2020, tables 1 to 4: the counts behind every percentage, the areas, and the age groups."""

from collections.abc import Sequence
from fractions import Fraction
from math import nan

from benchmarks.papers.areas import lattice_areas, pairs_of, pairs_text
from benchmarks.papers.cells import (
    Block,
    Cell,
    Row,
    compared,
    count_of,
    find,
    fractions_that_print,
    number_in,
    same_text,
    sizes_of,
    status_of,
    typed,
)
from idhray.stats.accuracy.rates import proportion
from idhray.stats.roc.intervals import hanley_mcneil_interval

ROWS = "liu2020_table123"
GROUPS = "liu2020_table4"
PREDICTORS = ("Age", "Image", "Age & image")
Errors = tuple[int, int]  # mutants called wildtype, wildtypes called mutant


def tables_1_to_3() -> list[Block]:
    """26 rows of sensitivity, specificity, accuracy and area; a block per table."""
    findings = {"Table 1": _classes(typed(ROWS)), "Table 2": [_tie()], "Table 3": [_gain_by_age()]}
    return [
        Block(
            f"{name}: sensitivity, specificity, accuracy and AUC",
            [cell for row in typed(ROWS) if row["source"] == name for cell in _cells(row)],
            sentences,
        )
        for name, sentences in findings.items()
    ]


def class_sizes_that_fit(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """All (mutants, wildtypes) for which every row has whole counts and their accuracy."""
    n = int(rows[0]["n"])
    return [(m, n - m) for m in range(1, n) if all(_fits(row, m, n - m) for row in rows)]


def _fits(row: Row, m: int, w: int) -> bool:
    return any(
        status_of(row["accuracy"], (s * m + t * w) / (m + w)) == "match"
        for s in fractions_that_print(row["sensitivity"], m)
        for t in fractions_that_print(row["specificity"], w)
    )


def counts_of_row(row: Row) -> tuple[int, int]:
    """True positives and true negatives."""
    m, w = sizes_of(row)
    sensitivity = fractions_that_print(row["sensitivity"], m)[0]
    return int(sensitivity * m), int(fractions_that_print(row["specificity"], w)[0] * w)


def _shares(row: Row) -> list[tuple[str, int, int]]:
    """(column, patients called right, of how many) of sensitivity, specificity and accuracy."""
    (tp, tn), (m, w) = counts_of_row(row), sizes_of(row)
    return [("sensitivity", tp, m), ("specificity", tn, w), ("accuracy", tp + tn, m + w)]


def _cells(row: Row) -> list[Cell]:
    label, cells = f"{row['row']}, {row['set']}", []
    for name, right, n in _shares(row):
        rule, remark = f"k/{n}", ""
        if name == "accuracy":
            exact, (tp, tn) = proportion(right, n), counts_of_row(row)
            rule = f"{tp} + {tn} right of {n}"
            remark = f"exact 95% CI {exact.exact_low:.3f}-{exact.exact_high:.3f}"
        share, convention = Fraction(right, n), f"{rule}, half-up rounding"
        text = f"{count_of(share, n)} = {right / n:.4f}"
        cells.append(compared((label, name), row[name], share, text, convention, remark=remark))
    cells.append(_area_cell(row, label))
    if row["added"] and row["set"] == "test":  # `(+4.2%)` beside `+1 K`
        total = find("liu2020_text", row="patches of the training set")["total"]
        share = Fraction(int(row["synthetic"]), int(total))
        convention, text = f"{row['synthetic']} of {total} real patches", f"{float(share):.3%}"
        cells.append(compared((label, "added share"), row["added"], share, text, convention))
    return cells


def _area_cell(row: Row, label: str) -> Cell:
    """The area as a number of pairs."""
    (m, w), (status, points) = sizes_of(row), lattice_areas(row)
    low, high = hanley_mcneil_interval(float(row["auc"]), m, w)
    text, value, remark = "", nan, f"Hanley-McNeil 95% CI {low:.3f}-{min(high, 1):.3f}"
    if points:
        text = f"{pairs_text(points[0], row)}/{m * w} = {float(points[0]):.4f}"
        value = float(points[0] * m * w)
    else:
        below = int(number_in(row["auc"]).value * 2 * m * w)
        around = [Fraction(k, 2 * m * w) for k in (below, below + 1)]
        pairs = (f"{pairs_text(point, row)} pairs give {float(point):.4f}" for point in around)
        remark = f"no area: {' and '.join(pairs)}; {remark}"
    place, convention = (label, "AUC"), f"half pairs of {m} x {w}"
    return Cell(*place, row["auc"], text, status, convention, remark, value)


def _classes(rows: Sequence[Row]) -> list[str]:
    words = [f"{m} mutant and {w} wildtype" for m, w in class_sizes_that_fit(rows)]
    shares = [(row[name], Fraction(k, n)) for row in rows for name, k, n in _shares(row)]
    to_even = sum(f"{float(share):.3f}" != text for text, share in shares)
    areas = sum(lattice_areas(row)[0] == "match" for row in rows)
    return [
        f"All {len(rows)} rows of tables 1 to 3 fit {' or '.join(words)} patients in either set, "
        "and no other split of 34.",
        f"Half-up rounding gives all {len(shares)} percentages; halves to even, as many programs "
        f"round, would miss {to_even}.",
        f"{areas} of {len(rows)} areas lie on the lattice of half pairs.",
    ]


def _tie() -> str:
    """The basis on which the number of synthetic images was chosen, in the test set."""
    rows = [row for row in typed(ROWS) if (row["source"], row["set"]) == ("Table 2", "test")]
    right = [sum(counts_of_row(row)) for row in rows]
    tied = [row for row, count in zip(rows, right, strict=True) if count == max(right)]
    pairs = sorted((_area_cell(row, "").value for row in tied), reverse=True)
    return (
        f"Test: {', '.join(row['row'] for row in tied)} tie at {max(right)}/{rows[0]['n']}; the "
        f"first is ahead of the second by {pairs[0] - pairs[1]:g} of {pairs_of(rows[0])} pairs of "
        "AUC."
    )


def _gain_by_age() -> str:
    image, both = (find(ROWS, source="Table 3", set="test", row=name) for name in PREDICTORS[1:])
    gained = sum(counts_of_row(both)) - sum(counts_of_row(image))
    pairs = _area_cell(both, "").value - _area_cell(image, "").value
    return f"Test: age adds {gained} patient and {pairs:g} pair of AUC to the image alone."


def table_4() -> Block:
    """Patients, errors and accuracy of both age groups; their sums against table 3."""
    groups = [row for row in typed(GROUPS) if not row["predictor"]]
    return Block(
        "Table 4: two age groups of the validation and test sets",
        [
            *(_group_cell(row, other) for row, other in zip(groups, groups[::-1], strict=True)),
            *(cell for row in typed(GROUPS) if row["predictor"] for cell in _error_cells(row)),
            *map(_against_table_3, PREDICTORS),
        ],
        [_pooled_accuracy(predictor) for predictor in PREDICTORS],
    )


def errors_of_table_4(predictor: str) -> Errors:
    """Errors of both age groups together."""
    rows = [row for row in typed(GROUPS) if row["predictor"] == predictor]
    return sum(int(r["errors_mutant"]) for r in rows), sum(int(r["errors_wildtype"]) for r in rows)


def errors_of_table_3(predictor: str) -> Errors:
    """Errors of validation and test together, from the counts behind the percentages."""
    rows = [find(ROWS, source="Table 3", set=name, row=predictor) for name in ("val", "test")]
    (m, w), right = patients_of_both_sets(), [counts_of_row(row) for row in rows]
    return m - sum(tp for tp, _ in right), w - sum(tn for _, tn in right)


def patients_of_both_sets() -> tuple[int, int]:
    """Mutants and wildtypes of validation and test together."""
    (m, w), (m_test, w_test) = (sizes_of(find(ROWS, set=name)) for name in ("val", "test"))
    return m + m_test, w + w_test


def _group_cell(row: Row, other: Row) -> Cell:
    """The classes of a group; where they do not add up, what the other group leaves for them."""
    n, (m, w), place = int(row["n"]), sizes_of(row), (row["row"], "mutant:wildtype")
    text = f"{n} ({m}:{w})"
    if m + w == n:
        return same_text(place, text, text, "sum of both classes", value=float(w))
    m_left, w_left = (a - b for a, b in zip(patients_of_both_sets(), sizes_of(other), strict=True))
    left, remark = f"{n} ({m_left}:{w_left})", f"{m} + {w} = {m + w}, not {n}"
    convention = "both sets less the other group"
    return Cell(*place, text, left, "impossible", convention, remark, float(w_left))


def _error_cells(row: Row) -> list[Cell]:
    errors, n, label = int(row["errors"]), int(row["n"]), row["row"]
    total = int(row["errors_mutant"]) + int(row["errors_wildtype"])
    printed = f"{errors} ({row['errors_mutant']}:{row['errors_wildtype']})"
    share, right = Fraction(n - errors, n), n - errors
    text = f"{right}/{n} = {float(share):.4f}"
    status, convention = status_of(row["errors"], Fraction(total)), "sum of both classes"
    return [
        Cell(label, "errors", printed, str(total), status, convention, value=float(total)),
        compared((label, "accuracy"), row["accuracy"], share, text, "half-up rounding"),
    ]


def _against_table_3(predictor: str) -> Cell:
    (m4, w4), (m3, w3) = errors_of_table_4(predictor), errors_of_table_3(predictor)
    texts = f"{m4 + w4} ({m4}:{w4})", f"{m3 + w3} ({m3}:{w3})"
    differ = f"differ by {m3 - m4} mutant and {w3 - w4} wildtype patients; "
    remark = "" if (m4, w4) == (m3, w3) else f"{differ}the paper does not settle which is right"
    place, convention = (f"{predictor}, both groups", "errors"), "table 3, validation and test"
    return same_text(place, *texts, convention, remark=remark, value=float(m3 + w3))


def _pooled_accuracy(predictor: str) -> str:
    n = sum(patients_of_both_sets())
    four, three = (n - sum(of(predictor)) for of in (errors_of_table_4, errors_of_table_3))
    return (
        f"{predictor}, pooled accuracy: table 4 {four}/{n} = {four / n:.3f}, "
        f"table 3 {three}/{n} = {three / n:.3f}."
    )
