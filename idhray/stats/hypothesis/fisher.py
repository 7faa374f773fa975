"""The P value of Fisher's exact test for tables of any size, without simulation.

Every table with the observed margins is counted, but not one by one. The categories of the longer
side are dealt into two halves, and what each half can take from the totals of the shorter side is
listed on its own; an entry of one half and an entry of the other that together use up the totals
are a table. What is left of the totals matters only up to its order, so one list serves them all.

Letters: K categories of the shorter side; P partial tables, the entries of a half; W ways in which
one category can take its cases.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from idhray.stats.sample import SampleError

TOLERANCE = 1e-7  # relative: tables whose probability is this near to the observed count as equal
MOST_PARTIAL_TABLES = 100_000_000  # of a half: ten seconds
MOST_COMPLETIONS = 10_000_000  # of them kept: some hundred MB
_CHUNK = 1_000_000  # partial tables at a time

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Some partial tables of a half."""

    taken: Ints  # (K, P), what they use of the totals of the shorter side
    log_weight: Floats  # (P,), minus the sum of the log factorials of their cells


def fisher_p(counts: Ints) -> float:
    """The share of tables with these margins that are no likelier than this one.

    Args:
        counts: (rows, columns), no row or column empty.

    Raises:
        SampleError: too many partial tables.

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
    for part in _partial_tables(fewer, totals):
        left = -np.sort(part.taken - totals[:, None], axis=0)  # descending, as in `completions`
        for state, log_weight in _by_state(_number(left, totals), part.log_weight):
            log_weights, up_to = completions[state]
            light = np.searchsorted(log_weights, limit - log_weight, side="right")
            share += float((np.exp(constant + log_weights[-1] + log_weight) * up_to[light]).sum())
    return min(share, 1.0)


def _log_factorial(number: ArrayLike) -> Floats:
    return np.asarray(gammaln(np.asarray(number) + 1.0))


def _deal(categories: Ints, totals: Ints) -> tuple[list[int], list[int]]:
    """The categories in two halves, the one with fewer partial tables first; none is empty."""
    halves: tuple[list[int], list[int]] = ([], [])
    sizes = [0.0, 0.0]  # logs of the numbers of partial tables
    for category in sorted(categories.tolist(), reverse=True):
        smaller = int(sizes[1] < sizes[0])
        halves[smaller].append(category)
        sizes[smaller] += math.log(_ways(category, totals)) + 1e-9  # log 1 also counts as a turn
    return halves if sizes[0] <= sizes[1] else halves[::-1]


def _ways(category: int, totals: Ints) -> float:
    """W, without listing them."""
    ways = np.zeros(category + 1)  # by the number of cases taken
    ways[0] = 1
    for total in totals.tolist():
        up_to = np.cumsum(ways)
        ways = up_to - np.concatenate([np.zeros(total + 1), up_to])[: category + 1]
    return float(ways[-1])


def _countable(categories: list[int], totals: Ints) -> bool:
    """Whether the partial tables can be listed, kept in one order, and their states numbered."""
    ways = math.prod(_ways(category, totals) for category in categories)
    return (
        ways <= min(MOST_PARTIAL_TABLES, MOST_COMPLETIONS * math.factorial(len(totals)))
        and math.prod((totals + 1).tolist()) < 2**63
    )


def _partial_tables(categories: list[int], totals: Ints) -> Iterator[_Part]:
    """Every way in which the categories, one after another, can take their cases."""
    if not categories:
        yield _Part(taken=np.zeros((len(totals), 1), dtype=np.int64), log_weight=np.zeros(1))
        return
    cells = _cells(categories[-1], totals)  # (K, W)
    own = -_log_factorial(cells).sum(axis=0)
    step = max(_CHUNK // len(own), 1)
    for part in _partial_tables(categories[:-1], totals):
        for start in range(0, len(part.log_weight), step):
            taken = part.taken[:, start : start + step]
            fits = np.ones((taken.shape[1], len(own)), dtype=bool)
            for k, total in enumerate(totals):
                fits &= np.add.outer(taken[k], cells[k]) <= total
            before, new = np.nonzero(fits)
            log_weight = part.log_weight[start + before] + own[new]
            yield _Part(taken=taken[:, before] + cells[:, new], log_weight=log_weight)


def _cells(category: int, totals: Ints) -> Ints:
    """(K, W): every row of cells with the sum `category` and no cell above its total."""
    rows = np.zeros((0, 1), dtype=np.int64)
    for k, total in enumerate(totals.tolist()):
        left = category - rows.sum(axis=0)
        low, high = np.maximum(left - totals[k + 1 :].sum(), 0), np.minimum(left, total)
        choices = high - low + 1
        which = np.repeat(np.arange(len(left)), choices)
        first = np.repeat(np.cumsum(choices) - choices - low, choices)
        rows = np.vstack([rows[:, which], np.arange(len(which)) - first])
    return rows


def _completions(categories: list[int], totals: Ints) -> dict[int, tuple[Floats, Floats]]:
    """State -> ascending log weights of the partial tables that use it up, and their running sums.

    The sums, one longer, are relative to the heaviest, so that none is lost to underflow.
    """
    numbers, log_weights = [], []
    for part in _partial_tables(categories, totals):
        in_order = (np.diff(part.taken, axis=0) <= 0).all(axis=0)
        numbers.append(_number(part.taken[:, in_order], totals))
        log_weights.append(part.log_weight[in_order])
    found = {}
    for state, weights in _by_state(np.concatenate(numbers), np.concatenate(log_weights)):
        ascending = np.sort(weights)
        running = np.cumsum(np.exp(ascending - ascending[-1]))
        found[state] = ascending, np.concatenate([[0.0], running])
    return found


def _number(states: Ints, totals: Ints) -> Ints:
    """(P,): one whole number for each of the (K, P) states."""
    bases = np.cumprod(np.concatenate([[1], totals[:-1] + 1]))
    return np.asarray(bases @ states)


def _by_state(numbers: Ints, log_weight: Floats) -> Iterator[tuple[int, Floats]]:
    """Each state with the log weights that lead to it."""
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    yield from zip(found.tolist(), np.split(log_weight[order], starts[1:]), strict=True)
