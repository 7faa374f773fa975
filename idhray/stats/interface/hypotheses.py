"""Significance tests of counts and numbers."""

from typing import Literal

import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.hypothesis import compare, contingency
from idhray.stats.hypothesis.contingency import OddsRatio
from idhray.stats.hypothesis.mcnemar import McNemar, mcnemar_paired
from idhray.stats.hypothesis.significance import Significance
from idhray.stats.interface.answer import Answer, interval_text, one_row, significance_answer
from idhray.stats.interface.inputs import check_index
from idhray.stats.table1 import standardized
from idhray.stats.text import printed


def mcnemar(
    first_right: ArrayLike, second_right: ArrayLike, *, method: McNemar = "exact"
) -> Answer[Significance]:
    """McNemar's test: are two classifiers right equally often on the same patients?

    Args:
        first_right, second_right: (N,) True where that classifier is right.
        method: `exact`, `mid-P`, `chi-square`, or `chi-square corrected`.

    Raises:
        SampleError: unequal lengths, no patients, or values other than right and wrong.
    """
    check_index(first_right, second_right)
    return significance_answer(mcnemar_paired(first_right, second_right, method))


def fisher_exact(table: ArrayLike) -> Answer[Significance]:
    """Fisher's exact test of a table of counts, two-sided; larger tables as Freeman and Halton.

    Raises:
        SampleError: not a table of counts, or too many tables have its margins.
    """
    return significance_answer(contingency.fisher_exact(table))


def chi_square(table: ArrayLike, *, yates: bool = False) -> Answer[Significance]:
    """Pearson's chi-square test of a table of counts; a note counts small expected counts.

    Raises:
        SampleError: not a table of counts.
    """
    return significance_answer(contingency.chi_square(table, yates=yates))


def odds_ratio(table: ArrayLike) -> Answer[OddsRatio]:
    """The conditional odds ratio of a 2 x 2 table with its exact interval.

    Raises:
        SampleError: not a 2 x 2 table of counts, or a row or column is empty.
    """
    ratio = contingency.odds_ratio(table)
    return Answer(
        figures=ratio,
        text=f"Odds ratio {printed(ratio.conditional)} "
        f"({interval_text(ratio.ci_low, ratio.ci_high)}).",
        table=one_row(odds_ratio=ratio.conditional, ci_low=ratio.ci_low, ci_high=ratio.ci_high),
    )


def mann_whitney(
    x: ArrayLike,
    y: ArrayLike,
    *,
    method: Literal["asymptotic", "exact"] = "asymptotic",
    continuity: bool = False,
) -> Answer[Significance]:
    """Mann and Whitney's test (Wilcoxon's rank sum test) of two groups of numbers.

    Raises:
        SampleError: an empty group, a missing value, or too many values for the exact test.
    """
    return significance_answer(compare.mann_whitney(x, y, method=method, continuity=continuity))


def welch_t(x: ArrayLike, y: ArrayLike) -> Answer[Significance]:
    """Welch's t test of equal means, variances not assumed equal.

    Raises:
        SampleError: a group with fewer than two values, or a missing value.
    """
    return significance_answer(compare.welch_t(x, y))


def standardized_difference(x: ArrayLike, y: ArrayLike) -> Answer[float]:
    """Mean of `x` minus mean of `y`, over the root of their mean variance.

    Raises:
        SampleError: an empty group, or a missing value.
    """
    value = standardized.standardized_difference(x, y)
    return Answer(
        figures=value,
        text=f"Standardized difference {printed(value)}.",
        table=pd.DataFrame({"standardized_difference": [value]}),
    )
