"""Fisher's exact test of larger tables: against a plain enumeration in whole numbers."""

from fractions import Fraction
from itertools import product
from math import factorial, prod

import numpy as np
import pytest

from idhray.stats.hypothesis.fisher import fisher_p
from idhray.stats.sample import SampleError


def compositions(total, caps):
    """Every row of cells under the caps that sums to the total."""
    return [row for row in product(*(range(cap + 1) for cap in caps)) if sum(row) == total]


def every_table(rows, columns):
    """Every table with these row and column sums, row after row."""
    if len(rows) == 1:
        yield [tuple(columns)]
        return
    for first in compositions(rows[0], columns):
        left = [column - cell for column, cell in zip(columns, first, strict=True)]
        for rest in every_table(rows[1:], left):
            yield [first, *rest]


def slow_fisher(table):
    """The P value in fractions, so that equally likely tables are equal."""
    rows, columns = table.sum(axis=1).tolist(), table.sum(axis=0).tolist()

    def weight(cells):
        return Fraction(1, prod(factorial(cell) for row in cells for cell in row))

    weights = [weight(cells) for cells in every_table(rows, columns)]
    return float(sum(w for w in weights if w <= weight(table.tolist())) / sum(weights))


@pytest.mark.parametrize(
    "shape",
    [(2, 2), (3, 2), (2, 4), (3, 3), (4, 3), (6, 2), (4, 4)],
    ids=lambda s: "x".join(map(str, s)),
)
@pytest.mark.parametrize("seed", range(4))
def test_fisher_sums_every_table_that_is_no_likelier(shape, seed):
    """Whatever the shape, and however the rows were dealt into halves."""
    rng = np.random.default_rng(seed)
    table = rng.multinomial(
        6 + 2 * shape[0], np.full(shape[0] * shape[1], 1 / (shape[0] * shape[1]))
    )
    table = table.reshape(shape)
    table = table[table.any(axis=1)][:, table.any(axis=0)]

    assert fisher_p(table) == pytest.approx(slow_fisher(table), rel=1e-12)


def test_equally_likely_tables_count_whatever_the_rounding():
    """A symmetric table and its mirror image are as likely; a rounding error must not halve P."""
    table = np.array([[70, 40], [40, 70]])

    assert fisher_p(table) == pytest.approx(fisher_p(table[::-1]), rel=1e-12)
    assert fisher_p(table) == pytest.approx(2 * one_sided(table), rel=1e-9)


def one_sided(table):
    """P(first cell at least as large), in whole numbers."""
    (a, b), (c, d) = table.tolist()

    def ways(cell):
        cells = (cell, a + b - cell, a + c - cell, d - a + cell)
        return Fraction(1, prod(factorial(one) for one in cells))

    chances = {cell: ways(cell) for cell in range(min(a + b, a + c) + 1) if d - a + cell >= 0}
    return float(sum(w for cell, w in chances.items() if cell >= a) / sum(chances.values()))


def test_transposed_and_shuffled_tables_have_the_same_p():
    """No P may depend on the order of levels or on which side the groups stand."""
    table = np.array([[12, 3, 1], [4, 9, 2], [0, 5, 6], [2, 2, 7]])
    p = fisher_p(table)

    assert fisher_p(table.T) == pytest.approx(p, rel=1e-12)
    assert fisher_p(table[[2, 0, 3, 1]][:, [1, 2, 0]]) == pytest.approx(p, rel=1e-12)


def test_tiny_p_values_keep_their_digits():
    """All of 60 against none of 60: 2 of C(120, 60) tables' weight, about 2e-35."""
    assert fisher_p(np.array([[60, 0], [0, 60]])) == pytest.approx(
        float(Fraction(2 * factorial(60) ** 2, factorial(120))), rel=1e-9
    )


def test_too_many_tables_are_refused_with_advice():
    """Rather than run for hours, or fall back on chance unasked."""
    with pytest.raises(SampleError, match="5 x 5 table of 500 cases; merge rare levels"):
        fisher_p(np.full((5, 5), 20))
