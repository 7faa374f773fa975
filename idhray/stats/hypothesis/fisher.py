"""The P value of Fisher's exact test for tables of any size, without simulation.

Every table with the observed margins is counted, but not one by one. The categories of the longer
side are split into two halves. For each half, its partial tables are listed: every way to fill its
categories from the totals of the shorter side. A partial table of one half and one of the other
that together use up the totals form a table. Only the order-independent remainder of the totals
matters, so one list of the second half serves all partial tables of the first.

Letters: K categories of the shorter side; P partial tables of a half; W ways to fill one category.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from idhray.stats.sample import SampleError

TOLERANCE = 1e-7  # relative difference of two probabilities that count as equal
MOST_PARTIAL_TABLES = 100_000_000  # in one half; they take ten seconds
MOST_COMPLETIONS = 10_000_000  # partial tables in memory; they take some hundred MB
_CHUNK = 1_000_000  # partial tables per step

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _PartialTables:
    """Some partial tables of a half."""

    taken: Ints  # (K, P), their share of the totals of the shorter side
    log_weight: Floats  # (P,), minus the sum of the log factorials of their cells


def fisher_p(counts: Ints) -> float:
    """The share of tables with these margins that are no likelier than this one.

    Args:
        counts: (rows, columns) without an empty row or column.

    Raises:
        SampleError: there are too many partial tables.

    Source: Freeman and Halton 1951; the probability of a table given its margins is
        prod(row sums!) prod(column sums!) / (n! prod(cells!)).
    """
    table = counts if counts.shape[0] >= counts.shape[1] else counts.T
    categories, totals = table.sum(axis=1), np.sort(table.sum(axis=0))[::-1]
    fewer, more = _deal(categories, totals)
    if not _countable(more, totals):
        raise SampleError(
            f"Fisher's exact test: too many tables have the margins of this {counts.shape[0]} x "
            f"{counts.shape[1]} table of {counts.sum()} cases; merge rare levels, or take the "
            "chi-square test"
        )
    fixed = [*totals.tolist(), *categories.tolist()]
    constant = float(_log_factorial(fixed).sum() - _log_factorial(table.sum()))
    limit = -float(_log_factorial(table).sum()) + TOLERANCE
    share = 0.0
    completions = _completions(more, totals)
    for partial in _partial_tables(fewer, totals):
        # Descending, as in `_completions`.
        remaining = -np.sort(partial.taken - totals[:, None], axis=0)
        for state, log_weight in _by_state(_number(remaining, totals), partial.log_weight):
            log_weights, cumulative = completions[state]
            lighter = np.searchsorted(log_weights, limit - log_weight, side="right")
            scale = np.exp(constant + log_weights[-1] + log_weight)
            share += float((scale * cumulative[lighter]).sum())
    return min(share, 1.0)


def _log_factorial(number: ArrayLike) -> Floats:
    return np.asarray(gammaln(np.asarray(number) + 1.0))


def _deal(categories: Ints, totals: Ints) -> tuple[list[int], list[int]]:
    """The categories in two halves; the half with fewer partial tables comes first."""
    halves: tuple[list[int], list[int]] = ([], [])
    sizes = [0.0, 0.0]  # logs of the numbers of partial tables
    for category in sorted(categories.tolist(), reverse=True):
        smaller = int(sizes[1] < sizes[0])
        halves[smaller].append(category)
        sizes[smaller] += math.log(_ways(category, totals)) + 1e-9  # so that log 1 = 0 counts too
    return halves if sizes[0] <= sizes[1] else halves[::-1]


def _ways(category: int, totals: Ints) -> float:
    """The number W of ways to fill one category, without listing them."""
    ways = np.zeros(category + 1)  # by the number of cases placed so far
    ways[0] = 1
    for total in totals.tolist():
        cumulative = np.cumsum(ways)
        ways = cumulative - np.concatenate([np.zeros(total + 1), cumulative])[: category + 1]
    return float(ways[-1])


def _countable(categories: list[int], totals: Ints) -> bool:
    """True if the partial tables can be listed, stored in one order, and their states numbered."""
    ways = math.prod(_ways(category, totals) for category in categories)
    return (
        ways <= min(MOST_PARTIAL_TABLES, MOST_COMPLETIONS * math.factorial(len(totals)))
        and math.prod((totals + 1).tolist()) < 2**63
    )


def _partial_tables(categories: list[int], totals: Ints) -> Iterator[_PartialTables]:
    """Every way to fill the categories, one after another."""
    if not categories:
        yield _PartialTables(
            taken=np.zeros((len(totals), 1), dtype=np.int64), log_weight=np.zeros(1)
        )
        return
    cells = _cells(categories[-1], totals)  # (K, W)
    weights = -_log_factorial(cells).sum(axis=0)
    step = max(_CHUNK // len(weights), 1)
    for partial in _partial_tables(categories[:-1], totals):
        for start in range(0, len(partial.log_weight), step):
            taken = partial.taken[:, start : start + step]
            fits = np.ones((taken.shape[1], len(weights)), dtype=bool)
            for k, total in enumerate(totals):
                fits &= np.add.outer(taken[k], cells[k]) <= total
            old_tables, new_cells = np.nonzero(fits)
            log_weight = partial.log_weight[start + old_tables] + weights[new_cells]
            yield _PartialTables(
                taken=taken[:, old_tables] + cells[:, new_cells], log_weight=log_weight
            )


def _cells(category: int, totals: Ints) -> Ints:
    """Every row of cells, (K, W), with the sum `category` and no cell above its total."""
    rows = np.zeros((0, 1), dtype=np.int64)
    for k, total in enumerate(totals.tolist()):
        remaining = category - rows.sum(axis=0)
        low, high = np.maximum(remaining - totals[k + 1 :].sum(), 0), np.minimum(remaining, total)
        choices = high - low + 1
        repeated = np.repeat(np.arange(len(remaining)), choices)
        first = np.repeat(np.cumsum(choices) - choices - low, choices)
        rows = np.vstack([rows[:, repeated], np.arange(len(repeated)) - first])
    return rows


def _completions(categories: list[int], totals: Ints) -> dict[int, tuple[Floats, Floats]]:
    """State -> ascending log weights of the partial tables that use it up, and their running sums.

    The sums have one element more. They are relative to the heaviest weight, so that none is lost
    to underflow.
    """
    numbers, log_weights = [], []
    for partial in _partial_tables(categories, totals):
        in_order = (np.diff(partial.taken, axis=0) <= 0).all(axis=0)
        numbers.append(_number(partial.taken[:, in_order], totals))
        log_weights.append(partial.log_weight[in_order])
    by_state = {}
    for state, weights in _by_state(np.concatenate(numbers), np.concatenate(log_weights)):
        ascending = np.sort(weights)
        running = np.cumsum(np.exp(ascending - ascending[-1]))
        by_state[state] = ascending, np.concatenate([[0.0], running])
    return by_state


def _number(states: Ints, totals: Ints) -> Ints:
    """One whole number, (P,), for each of the (K, P) states."""
    bases = np.cumprod(np.concatenate([[1], totals[:-1] + 1]))
    return np.asarray(bases @ states)


def _by_state(numbers: Ints, log_weight: Floats) -> Iterator[tuple[int, Floats]]:
    """Each state with the log weights of its partial tables."""
    order = np.argsort(numbers, kind="stable")
    states, starts = np.unique(numbers[order], return_index=True)
    yield from zip(states.tolist(), np.split(log_weight[order], starts[1:]), strict=True)
