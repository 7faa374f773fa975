"""Table 1 as data frames: every figure in a column of its own, or cells as readers expect them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from idhray.stats.accuracy.rates import printed
from idhray.stats.table1.characteristics import Characteristic, Comparison
from idhray.stats.table1.summaries import Categorical, Levels, Numbers
from idhray.stats.text import p_cell

_NUMBERS = ("n", "missing", "mean", "sd", "median", "q1", "q3")


def characteristics_frame(rows: Sequence[Characteristic]) -> pd.DataFrame:
    """Numbers: a row per continuous variable, and per level of a categorical one.

    Columns: variable; level (empty for a continuous variable); of each group `GROUP: n`,
    `missing`, `mean`, `sd`, `median`, `q1`, `q3`, `count`, `share`; of each comparison, in the
    first row of its variable, `A vs B: test`, `statistic`, `df`, `p`, `standardized_difference`;
    and there, notes. NaN: a figure of the other kind of variable, or one that the notes explain.
    """
    lines = []
    for row in rows:
        for number, level in enumerate(_levels(row)):
            line: dict[str, Any] = {"variable": row.variable.name, "level": level}
            for label, own in row.groups.items():
                line |= {f"{label}: {name}": value for name, value in _figures(own, level).items()}
            if number == 0:
                for one in row.comparisons:
                    line |= {f"{_pair(one)}: {name}": value for name, value in _test(one).items()}
                line["notes"] = " ".join(all_notes(row))
            lines.append(line)
    return pd.DataFrame(lines)


def printed_characteristics(rows: Sequence[Characteristic]) -> pd.DataFrame:
    """Text: median [IQR] or n (%) by group; then test, P and standardized difference by pair.

    A variable's comparisons stand in its first row, above its levels. A dash is a figure that does
    not exist; `all_notes` say why.
    """
    lines = []
    for row in rows:
        heading = {"Variable": row.variable.label, "Level": ""}
        if not isinstance(row.variable, Categorical):
            heading |= _cells(row, "")
        for one in row.comparisons:
            heading |= {
                f"{_pair(one)}: P": p_cell(one.test.p),
                f"{_pair(one)}: test": one.test.method,
                f"{_pair(one)}: standardized difference": printed(one.standardized_difference, 2),
            }
        lines.append(heading)
        if isinstance(row.variable, Categorical):
            for level, name in row.variable.levels.items():
                lines.append({"Variable": "", "Level": name} | _cells(row, level))
    frame = pd.DataFrame(lines).fillna("")
    first = ["Variable", "Level", *rows[0].groups] if rows else []
    return frame[[*first, *(name for name in frame.columns if name not in first)]]


def all_notes(row: Characteristic) -> list[str]:
    """The notes on a variable, then those on its comparisons behind the names of their groups."""
    of_tests = [f"{_pair(one)}: {note}" for one in row.comparisons for note in one.test.notes]
    return [*row.notes, *of_tests]


def _pair(one: Comparison) -> str:
    return f"{one.first} vs {one.second}"


def _levels(row: Characteristic) -> list[str]:
    return list(row.variable.levels) if isinstance(row.variable, Categorical) else [""]


def _figures(own: Numbers | Levels, level: str) -> dict[str, float]:
    """The same columns for either kind; NaN where they are the other kind's."""
    figures = {name: float(getattr(own, name, "nan")) for name in _NUMBERS}
    if isinstance(own, Levels):
        return figures | {"count": own.counts[level], "share": own.share(level)}
    return figures | {"count": float("nan"), "share": float("nan")}


def _test(one: Comparison) -> dict[str, Any]:
    return {
        "test": one.test.method,
        "statistic": one.test.statistic,
        "df": one.test.df,
        "p": one.test.p,
        "standardized_difference": one.standardized_difference,
    }


def _cells(row: Characteristic, level: str) -> dict[str, str]:
    """The printed cell of every group."""
    digits = 0 if isinstance(row.variable, Categorical) else row.variable.digits
    return {
        label: own.text(level) if isinstance(own, Levels) else own.text(digits)
        for label, own in row.groups.items()
    }
