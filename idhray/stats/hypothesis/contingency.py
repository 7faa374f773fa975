"""Tests of contingency tables of counts: chi-square, G, Fisher's exact test, and an odds ratio.

Rows are the levels of a variable and columns are the groups, or the other way round; no P depends
on the order. Rows and columns without any case are left out, and a note names them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from idhray.stats.hypothesis.fisher import fisher_p
from idhray.stats.hypothesis.significance import Significance
from idhray.stats.sample import CONFIDENCE, SampleError

PEARSON = "Pearson chi-square without continuity correction"
YATES = "Pearson chi-square with Yates continuity correction"
G_TEST = "G test (likelihood ratio) without continuity correction"
FISHER = "Fisher exact"
FEW = 5.0  # expected count; below it the chi-square distribution is doubtful (Cochran's rule)

ContingencyTable = NDArray[np.int64]  # (rows, columns), none negative


@dataclass(frozen=True, kw_only=True)
class OddsRatio:
    """The odds ratio of a 2 x 2 table: first row over second, first column over second."""

    conditional: float
    """Maximum likelihood given the margins, as R's fisher.test prints it; may be 0 or infinite."""
    ci_low: float
    ci_high: float
    """Exact limits, from the noncentral hypergeometric distribution; may be infinite."""


def counts_of(table: ArrayLike) -> ContingencyTable:
    """A table of counts as (rows, columns) int64, at least 2 x 2.

    Raises:
        SampleError: the shape is another one, a count is negative, fractional or missing, or all
            counts are 0.
    """
    try:
        cells = np.asarray(table, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SampleError(f"a contingency table needs rows of counts of one length: {error}")
    if cells.ndim != 2 or min(cells.shape) < 2:
        raise SampleError(
            f"a contingency table needs 2 or more rows and columns, got {cells.shape}"
        )
    wrong = ~np.isfinite(cells) | (cells < 0) | (cells != np.floor(cells))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise SampleError(
            f"contingency table, row {row + 1}, column {column + 1}: {cells[row, column]:g} is not "
            "a count; give numbers of cases, not percentages"
        )
    if not cells.any():
        raise SampleError("a contingency table without a single case; check the groups")
    return cells.astype(np.int64)


def expected_counts(table: ArrayLike) -> NDArray[np.float64]:
    """Expected counts, (rows, columns): row sum times column sum over the total.

    Raises:
        SampleError: `table` is not a table of counts.
    """
    return np.asarray(stats.contingency.expected_freq(counts_of(table)), dtype=np.float64)


def chi_square(table: ArrayLike, *, yates: bool = False) -> Significance:
    """Pearson's chi-square test of independence; a note counts the expected counts below 5.

    Args:
        table: (rows, columns) counts.
        yates: Continuity correction, min(1/2, |O - E|) as in R. It exists for 2 x 2 tables only;
            a larger table gets no correction, and a note says so.

    Returns:
        P is NaN, with the reason in the notes, if all cases are in one row or one column.

    Raises:
        SampleError: `table` is not a table of counts.

    Source: Pearson 1900; Yates 1934; equal to R's chisq.test.
    """
    return _chi_square(table, yates=yates, likelihood=False)


def g_test(table: ArrayLike) -> Significance:
    """The likelihood-ratio chi-square test of independence; otherwise as `chi_square`."""
    return _chi_square(table, yates=False, likelihood=True)


def fisher_exact(table: ArrayLike) -> Significance:
    """Fisher's exact test (Freeman and Halton's for more than 2 x 2), two-sided, never simulated.

    P is the sum over all tables with the same margins that are no likelier than this one, with R's
    relative tolerance of 1e-7.

    Returns:
        The statistic of a 2 x 2 table is its conditional odds ratio; larger tables have none. P is
        NaN, with the reason in the notes, if all cases are in one row or one column.

    Raises:
        SampleError: `table` is not a table of counts, or too many tables have these margins.

    Source: Fisher 1935; Freeman and Halton 1951; equal to R's fisher.test.
    """
    counts, notes = _without_empty_lines(counts_of(table))
    if min(counts.shape) < 2:
        return Significance(method=FISHER, p=float("nan"), notes=notes)
    statistic = float("nan")
    if counts.shape == (2, 2):
        statistic = float(stats.contingency.odds_ratio(counts, kind="conditional").statistic)
    return Significance(method=FISHER, p=fisher_p(counts), statistic=statistic, notes=notes)


def odds_ratio(table: ArrayLike) -> OddsRatio:
    """The odds ratio of a 2 x 2 table with its exact confidence interval.

    Raises:
        SampleError: `table` is not a 2 x 2 table of counts, or a row or column is empty.

    Source: Cornfield 1956; the conditional estimate is that of R's fisher.test.
    """
    counts = counts_of(table)
    if counts.shape != (2, 2):
        raise SampleError(f"an odds ratio needs a 2 x 2 table, got {counts.shape}")
    if not counts.sum(axis=0).all() or not counts.sum(axis=1).all():
        raise SampleError(
            f"no odds ratio in {counts.tolist()}: a row or column has no cases; both groups and "
            "both levels are needed"
        )
    result = stats.contingency.odds_ratio(counts, kind="conditional")
    low, high = result.confidence_interval(confidence_level=CONFIDENCE)
    return OddsRatio(
        conditional=float(result.statistic),
        ci_low=float(low),
        ci_high=float(high),
    )


def _chi_square(table: ArrayLike, *, yates: bool, likelihood: bool) -> Significance:
    counts, notes = _without_empty_lines(counts_of(table))
    if yates and counts.shape != (2, 2) and min(counts.shape) > 1:
        notes = (*notes, "Yates' correction exists for 2 x 2 tables only; none was made.")
        yates = False
    method = G_TEST if likelihood else YATES if yates else PEARSON
    if min(counts.shape) < 2:
        return Significance(method=method, p=float("nan"), notes=notes)
    power = "log-likelihood" if likelihood else "pearson"
    result = stats.chi2_contingency(counts, correction=yates, lambda_=power)
    return Significance(
        method=method,
        p=float(result.pvalue),
        statistic=float(result.statistic),
        df=int(result.dof),
        notes=(*notes, *_low_count_notes(result.expected_freq)),
    )


def _low_count_notes(expected: NDArray[np.float64]) -> tuple[str, ...]:
    """Cochran's warning, with the number of low expected counts and the lowest."""
    low = int((expected < FEW).sum())
    if not low:
        return ()
    be = "is" if low == 1 else "are"
    return (
        f"{low} of {expected.size} expected counts {be} below 5 (lowest {expected.min():.2f}).",
    )


def _without_empty_lines(counts: ContingencyTable) -> tuple[ContingencyTable, tuple[str, ...]]:
    """The table without its empty rows and columns, and a note for each of them."""
    notes = [
        f"{name} {number + 1} has no cases and is left out."
        for axis, name in enumerate(("Row", "Column"))
        for number in np.flatnonzero(counts.sum(axis=1 - axis) == 0)
    ]
    occupied = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    for size, name in zip(occupied.shape, ("row", "column"), strict=True):
        if size < 2:
            notes.append(f"All cases are in one {name}: there is nothing to test.")
    return occupied, tuple(notes)
