"""Choice of the test that compares two groups; its result names the test.

`choose` depends on the data. Numbers: Welch's t test if Shapiro and Wilk's test rejects normality
in no group, else Mann-Whitney, exact with fewer than 50 values in either group. Counts: chi-square
without continuity correction if all expected counts are 5 or more, else Fisher's exact test.

`park2021` is one convention for all: chi-square without continuity correction, the only test that
gives the P values of Park et al. 2021, table 1; and Mann-Whitney as R does it with ties, by the
normal approximation with continuity correction.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from idhray.stats.hypothesis.compare import SampleValues, mann_whitney, shapiro_wilk, welch_t
from idhray.stats.hypothesis.contingency import FEW, chi_square, expected_counts, fisher_exact
from idhray.stats.hypothesis.significance import Significance
from idhray.stats.sample import SampleError
from idhray.stats.text import p_text, printed

Convention = Literal["choose", "park2021"]
CONVENTIONS = ("choose", "park2021")
_EXACT_BELOW = 50  # values per group, as in R's wilcox.test
_REJECTING_P = 0.05  # a smaller P of Shapiro and Wilk rejects normality


def not_normal_reason(samples: Mapping[str, SampleValues]) -> str:
    """The reason against Welch's t test as a sentence; empty if there is none.

    Args:
        samples: Name of a group -> its values, one or more.
    """
    for name, values in samples.items():
        test = shapiro_wilk(values)
        if np.isnan(test.p):
            return f"Mann-Whitney, as normality cannot be tested in {name}: {test.notes[0]}"
        if test.p < _REJECTING_P:
            figures = f"W = {printed(test.statistic)}, {p_text(test.p)}"
            return f"Mann-Whitney, as Shapiro-Wilk rejects normality in {name} ({figures})."
    return ""


def compare_numbers(
    x: ArrayLike, y: ArrayLike, *, normal: bool, convention: Convention = "choose"
) -> Significance:
    """The convention's test of two groups of numbers.

    Raises:
        SampleError: an empty group, or a missing value.
    """
    if convention == "choose" and normal:
        return welch_t(x, y)
    exact = convention == "choose" and max(len(np.ravel(x)), len(np.ravel(y))) < _EXACT_BELOW
    return mann_whitney(x, y, method="exact" if exact else "asymptotic", continuity=not exact)


def compare_counts(table: ArrayLike, *, convention: Convention = "choose") -> Significance:
    """The convention's test of (levels, groups) counts; a note gives the reason against chi-square.

    If Fisher's exact test has too many tables to count, it is chi-square after all, with a note.

    Raises:
        SampleError: not a table of counts.
    """
    pearson = chi_square(table)
    expected = expected_counts(table)
    few = expected[expected > 0].min() < FEW  # an empty row expects 0, and is not in the test
    if convention == "park2021" or np.isnan(pearson.p) or not few:
        return pearson
    try:
        exact = fisher_exact(table)
    except SampleError as error:
        return replace(pearson, notes=(*pearson.notes, f"Not exact. {error}."))
    return replace(exact, notes=pearson.notes)
