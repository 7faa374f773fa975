"""Table 1: what the cases of each group are like, and whether groups differ.

Every comparison names its test (see `choice.py`), beside a standardized difference, which does not
grow with the number of cases. Values that are missing are counted, and left out of the tests.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.sample import SampleError
from idhray.stats.table1.choice import (
    CONVENTIONS,
    Convention,
    compare_counts,
    compare_numbers,
    why_not_normal,
)
from idhray.stats.table1.standardized import (
    standardized_difference,
    standardized_difference_of_counts,
)
from idhray.stats.table1.summaries import (
    Categorical,
    Continuous,
    Levels,
    Numbers,
    known_numbers,
    levels_in,
    numbers_in,
)

NO_TEST = "none"
Pair = tuple[str, str]
Columns = Mapping[str, "pd.Series[Any]"]  # label of a group -> its cases' cells


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two groups in one variable."""

    first: str
    second: str
    """Labels of the groups."""
    test: Significance
    """Its method is `none`, and a note says why, where a group has no values."""
    standardized_difference: float
    """First minus second of a continuous variable, 0 or more of a categorical one; NaN where it
    does not exist, and then the characteristic's notes say why."""


@dataclass(frozen=True, kw_only=True)
class Characteristic:
    """One variable of the table."""

    variable: Continuous | Categorical
    groups: Mapping[str, Numbers | Levels]
    """Label of a group -> its figures."""
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    """What is missing, and why a test was chosen."""


def characteristics(
    cases: pd.DataFrame,
    variables: Sequence[Continuous | Categorical],
    *,
    group: str,
    groups: Mapping[str, str],
    comparisons: Sequence[tuple[str, str]] | None = None,
    convention: Convention = "choose",
    alpha: float = 0.05,
    identity: str = "",
) -> list[Characteristic]:
    """The rows of a table 1, one per variable.

    Args:
        cases: One row per patient or synthetic case.
        variables: In the table's order.
        group: The column that says the group.
        groups: Its values in the table's order -> their labels. Every case is in one of them.
        comparisons: Pairs of values of `group`; None: every pair.
        convention: How tests are chosen.
        alpha: A smaller Shapiro-Wilk P rejects normality, under `choose`.
        identity: A column whose values, where there are any, may come only once: the patient.

    Raises:
        SampleError: a column is lacking; a group is empty, or not in `groups`; a value is not a
            number or not a level; a patient comes twice.

    Source: Park et al. 2021, table 1, for the layout.
    """
    pairs = list(combinations(groups, 2)) if comparisons is None else list(comparisons)
    if convention not in CONVENTIONS:
        raise SampleError(f"table 1: no convention {convention!r}; {' or '.join(CONVENTIONS)}")
    _check_columns(cases, [group, identity, *(variable.name for variable in variables)])
    _check_groups(cases[group], groups, pairs)
    if identity:
        _check_identity(cases[identity])
    named = [(groups[first], groups[second]) for first, second in pairs]
    rows = []
    for variable in variables:
        columns = {
            label: cases.loc[cases[group] == value, variable.name]
            for value, label in groups.items()
        }
        if isinstance(variable, Continuous):
            rows.append(_continuous(variable, columns, named, convention, alpha))
        else:
            rows.append(_categorical(variable, columns, named, convention))
    return rows


def _continuous(
    variable: Continuous,
    columns: Columns,
    pairs: Sequence[Pair],
    convention: Convention,
    alpha: float,
) -> Characteristic:
    values = {label: known_numbers(column) for label, column in columns.items()}
    reason = ""
    if convention == "choose":
        reason = why_not_normal({label: own for label, own in values.items() if len(own)}, alpha)

    def compare(first: str, second: str) -> tuple[Significance, float]:
        x, y = values[first], values[second]
        test = compare_numbers(x, y, normal=not reason, convention=convention)
        return test, standardized_difference(x, y)

    groups = {label: numbers_in(column) for label, column in columns.items()}
    return _characteristic(variable, groups, pairs, compare, reason)


def _categorical(
    variable: Categorical, columns: Columns, pairs: Sequence[Pair], convention: Convention
) -> Characteristic:
    groups = {label: levels_in(column, variable.levels) for label, column in columns.items()}

    def compare(first: str, second: str) -> tuple[Significance, float]:
        sides = (groups[first].counts, groups[second].counts)
        counts = {level: [side[level] for side in sides] for level in variable.levels}
        table = [pair for pair in counts.values() if any(pair)]
        if len(table) < 2:
            return _no_test(f"All cases of {first} and {second} have one level."), 0.0
        test = compare_counts(table, convention=convention)
        empty = [variable.levels[level] for level, pair in counts.items() if not any(pair)]
        notes = (f"No case has the level {', '.join(empty)}.",) if empty else ()
        distance = standardized_difference_of_counts(table)
        return replace(test, notes=(*test.notes, *notes)), distance

    return _characteristic(variable, groups, pairs, compare, "")


def _characteristic(
    variable: Continuous | Categorical,
    groups: Mapping[str, Numbers] | Mapping[str, Levels],
    pairs: Sequence[Pair],
    compare: Callable[[str, str], tuple[Significance, float]],
    reason: str,
) -> Characteristic:
    """A variable with its comparisons, and notes on what is missing."""
    notes = [_missing(label, own) for label, own in groups.items() if own.missing]
    notes += [reason] if reason else []
    comparisons = []
    for first, second in pairs:
        if lacking := [label for label in (first, second) if not groups[label].n]:
            why = f"No values in {' and '.join(lacking)}: nothing to compare."
            test, distance = _no_test(why), float("nan")
        else:
            test, distance = compare(first, second)
            if np.isnan(distance):
                notes.append(
                    f"No standardized difference of {first} and {second}: a single value, or "
                    "neither group varies where they differ."
                )
        comparisons.append(
            Comparison(first=first, second=second, test=test, standardized_difference=distance)
        )
    return Characteristic(
        variable=variable,
        groups=dict(groups),
        comparisons=tuple(comparisons),
        notes=tuple(notes),
    )


def _no_test(why: str) -> Significance:
    return Significance(method=NO_TEST, p=float("nan"), notes=(why,))


def _missing(label: str, own: Numbers | Levels) -> str:
    if not own.n:
        return f"{label}: no values in {own.missing} cases."
    return f"{label}: missing in {own.missing} of {own.n + own.missing} cases, left out here."


def _check_columns(cases: pd.DataFrame, names: Sequence[str]) -> None:
    if lacking := [name for name in names if name and name not in cases.columns]:
        raise SampleError(f"table 1: the cases have no column {', '.join(lacking)}")


def _check_groups(
    column: "pd.Series[str]", groups: Mapping[str, str], pairs: Sequence[Pair]
) -> None:
    if len(groups) < 2 or len(set(groups.values())) < len(groups):
        raise SampleError(f"table 1: needs 2 or more groups with a label each, got {dict(groups)}")
    if strange := [name for pair in pairs for name in pair if name not in groups]:
        raise SampleError(f"table 1: compares {strange[0]!r}, which is none of {list(groups)}")
    outside = column[~column.isin(list(groups))]
    if len(outside):
        raise SampleError(
            f"table 1: {len(outside)} cases with {column.name} {outside.iloc[0]!r}, which is none "
            f"of {', '.join(groups)}; leave them out first, or add the group"
        )
    if empty := [value for value in groups if not (column == value).any()]:
        raise SampleError(f"table 1: no case with {column.name} {empty[0]!r}; drop the group")


def _check_identity(column: "pd.Series[str]") -> None:
    named = column[column.notna() & (column.astype(object) != "")]
    if len(twice := named[named.duplicated()]):
        raise SampleError(
            f"table 1: {column.name} {twice.iloc[0]!r} comes more than once; one row per "
            f"{column.name}, so that cases are independent"
        )
