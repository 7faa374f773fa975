"""The P value of Fisher's exact test for tables of any size, without simulation.

Every table with the observed margins is counted, but not one by one. The categories of the longer
side are dealt into two halves; what each half can take from the totals of the shorter side is
listed on its own; and a pair of one from either half that together use up those totals is a
table. Pairs are looked up in sorted lists, so the work grows with the halves, not with the tables.

Letters: K categories of the shorter side, P partial tables of a half.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from idhray.stats.sample import SampleError

TOLERANCE = 1e-7  # relative: tables this near to the observed one's probability are as likely
MOST_PARTIAL_TABLES = 10_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Half:
    """All partial tables of some categories of the longer side."""

    taken: Ints  # (P, K), what they use of the totals of the shorter side
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
    table = counts if counts.shape[0] >= counts.shape[1] else counts.T  # longer side as rows
    totals, categories = table.sum(axis=0), table.sum(axis=1)
    constant = float(
        _log_factorial(totals).sum()
        + _log_factorial(categories).sum()
        - _log_factorial(table.sum())
    )
    limit = -float(_log_factorial(table).sum()) + TOLERANCE
    first, second = (_half(part, totals, table.shape) for part in _deal(categories, totals))
    return min(_share(first, second, totals, limit, constant), 1.0)


def _log_factorial(number: Ints) -> Floats:
    return np.asarray(gammaln(np.asarray(number) + 1.0))


def _deal(categories: Ints, totals: Ints) -> tuple[list[int], list[int]]:
    """The categories in two halves of about as many partial tables, at least one in each."""
    halves: tuple[list[int], list[int]] = ([], [])
    sizes = [0.0, 0.0]  # logs
    for category in sorted(categories.tolist(), reverse=True):
        smaller = int(sizes[1] < sizes[0])
        halves[smaller].append(category)
        sizes[smaller] += np.log(_ways(category, totals)) + 1e-9  # both halves get a turn
    return halves


def _ways(category: int, totals: Ints) -> float:
    """How many ways there are to take `category` cases from the totals."""
    ways = np.ones(1)
    for total in totals:
        ways = np.convolve(ways, np.ones(total + 1))[: category + 1]
    return float(ways[-1])


def _half(categories: list[int], totals: Ints, shape: tuple[int, ...]) -> _Half:
    """Every way in which the categories, one after another, can take their cases."""
    taken, log_weight = np.zeros((1, len(totals)), dtype=np.int64), np.zeros(1)
    for category in categories:
        if len(taken) * _ways(category, totals) > MOST_PARTIAL_TABLES:
            raise SampleError(
                f"Fisher's exact test of a {shape[0]} x {shape[1]} table of "
                "this many cases has too many tables to enumerate; "
                "use the chi-square test, or merge rare levels"
            )
        row = _rows(category, totals)  # (ways, K)
        both = taken[:, None, :] + row[None, :, :]
        fits = (both <= totals).all(axis=-1)
        weight = log_weight[:, None] - _log_factorial(row).sum(axis=1)
        taken, log_weight = both[fits], weight[fits]
    return _Half(taken=taken, log_weight=log_weight)


def _rows(category: int, totals: Ints) -> Ints:
    """(ways, K): every row of cells with the sum `category`, no cell above its total."""
    rows = np.zeros((1, 0), dtype=np.int64)
    for k, total in enumerate(totals):
        left = category - rows.sum(axis=1)
        rest = int(totals[k + 1 :].sum())
        cell = np.arange(total + 1)
        fits = (cell <= left[:, None]) & (cell >= left[:, None] - rest)
        which, value = np.nonzero(fits)
        rows = np.column_stack([rows[which], value])
    return rows


def _share(first: _Half, second: _Half, totals: Ints, limit: float, constant: float) -> float:
    """Sum the probabilities of pairs that use up the totals and weigh no more than the limit."""
    radix = np.concatenate([[1], np.cumprod(totals[:-1] + 1)])
    ones, others = _by_state(first.taken @ radix, first), _by_state((totals - second.taken) @ radix, second)
    total = 0.0
    for state, left in ones.items():
        right = np.sort(others[state])
        heaviest = right[-1]
        below = np.concatenate([[0.0], np.cumsum(np.exp(right - heaviest))])
        lighter = np.searchsorted(right, limit - left, side="right")
        total += float((np.exp(constant + heaviest + left) * below[lighter]).sum())
    return total


def _by_state(states: Ints, half: _Half) -> dict[int, Floats]:
    """State -> log weights of the partial tables that lead to it."""
    order = np.argsort(states, kind="stable")
    found, starts = np.unique(states[order], return_index=True)
    parts = np.split(half.log_weight[order], starts[1:])
    return dict(zip(found.tolist(), parts, strict=True))
