"""Table 1: summaries of the cases of each group, and comparisons of groups.

Every comparison names its test (see `choice.py`) and has a standardized difference, which does not
grow with the number of cases. Missing values are counted, and left out of the tests.
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
    not_normal_reason,
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
    levels_in,
    numbers_in,
    numbers_of,
)

NO_TEST = "none"
GroupPair = tuple[str, str]  # labels
GroupCells = Mapping[str, "pd.Series[Any]"]  # label of a group -> its cases' cells


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two groups compared in one variable."""

    first: str
    second: str
    """Labels of the groups."""
    test: Significance
    """With the method `none` and a note if a group has no values."""
    standardized_difference: float
    """First minus second for a continuous variable, 0 or more for a categorical one; NaN if it
    does not exist, and the characteristic's notes give the reason."""


@dataclass(frozen=True, kw_only=True)
class Characteristic:
    """One variable of the table."""

    variable: Continuous | Categorical
    groups: Mapping[str, Numbers | Levels]
    """Label of a group -> its summary."""
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]
    """Notes on missing values, and the reason for the choice of a test."""


def characteristics(
    cases: pd.DataFrame,
    variables: Sequence[Continuous | Categorical],
    *,
    group: str,
    groups: Mapping[str, str],
    comparisons: Sequence[tuple[str, str]] | None = None,
    convention: Convention = "choose",
    identity: str = "",
) -> list[Characteristic]:
    """The rows of a table 1, one per variable.

    Args:
        cases: One row per patient or synthetic case.
        variables: Variables in the order of the table.
        group: Name of the column that holds the group.
        groups: Value of that column -> label, in the order of the table. Every case is in one of
            these groups.
        comparisons: Pairs of values of `group`; None: every pair.
        convention: Convention by which tests are chosen.
        identity: Name of a column whose values, if present, may occur only once: the patient.

    Raises:
        SampleError: a column is missing; a group is empty, or not in `groups`; a value is not a
            number or not a level; a patient occurs twice.

    Source: Park et al. 2021, table 1, for the layout.
    """
    pairs = list(combinations(groups, 2)) if comparisons is None else list(comparisons)
    if convention not in CONVENTIONS:
        raise SampleError(f"table 1: no convention {convention!r}; {' or '.join(CONVENTIONS)}")
    _check_columns(cases, [group, identity, *(variable.name for variable in variables)])
    _check_groups(cases[group], groups, pairs, least=2 if comparisons is None else 1)
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
            rows.append(_continuous(variable, columns, named, convention))
        else:
            rows.append(_categorical(variable, columns, named, convention))
    return rows


def _continuous(
    variable: Continuous,
    columns: GroupCells,
    pairs: Sequence[GroupPair],
    convention: Convention,
) -> Characteristic:
    values = {label: numbers_of(column) for label, column in columns.items()}
    reason = ""
    if convention == "choose":
        reason = not_normal_reason({label: x for label, x in values.items() if len(x)})

    def compare(first: str, second: str) -> tuple[Significance, float]:
        x, y = values[first], values[second]
        test = compare_numbers(x, y, normal=not reason, convention=convention)
        return test, standardized_difference(x, y)

    groups = {label: numbers_in(column) for label, column in columns.items()}
    return _characteristic(variable, groups, pairs, compare, reason)


def _categorical(
    variable: Categorical, columns: GroupCells, pairs: Sequence[GroupPair], convention: Convention
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
    pairs: Sequence[GroupPair],
    compare: Callable[[str, str], tuple[Significance, float]],
    reason: str,
) -> Characteristic:
    """A variable with its comparisons, and notes on what is missing."""
    notes = [_missing(label, group) for label, group in groups.items() if group.missing]
    notes += [reason] if reason else []
    comparisons = []
    for first, second in pairs:
        if without_values := [label for label in (first, second) if not groups[label].n]:
            missing = f"No values in {' and '.join(without_values)}: nothing to compare."
            test, distance = _no_test(missing), float("nan")
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


def _no_test(reason: str) -> Significance:
    return Significance(method=NO_TEST, p=float("nan"), notes=(reason,))


def _missing(label: str, group: Numbers | Levels) -> str:
    if not group.n:
        return f"{label}: no values in {group.missing} cases."
    cases = group.n + group.missing
    return f"{label}: missing in {group.missing} of {cases} cases, left out here."


def _check_columns(cases: pd.DataFrame, names: Sequence[str]) -> None:
    if missing_columns := [name for name in names if name and name not in cases.columns]:
        raise SampleError(f"table 1: the cases have no column {', '.join(missing_columns)}")


def _check_groups(
    column: "pd.Series[str]",
    groups: Mapping[str, str],
    pairs: Sequence[GroupPair],
    *,
    least: int,
) -> None:
    if len(groups) < least or len(set(groups.values())) < len(groups):
        raise SampleError(
            f"table 1: needs {least} or more groups with a label each, got {dict(groups)}"
        )
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
