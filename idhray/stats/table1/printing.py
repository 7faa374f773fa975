"""Table 1 as data frames: one column per figure, or cells as they are printed."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from idhray.stats.table1.characteristics import Characteristic, Comparison
from idhray.stats.table1.summaries import Categorical, Levels, Numbers
from idhray.stats.text import p_cell, printed

_NUMBERS = ("n", "missing", "mean", "sd", "median", "q1", "q3")


def characteristics_frame(rows: Sequence[Characteristic]) -> pd.DataFrame:
    """Numbers: one row per continuous variable, and per level of a categorical one.

    Columns: variable; level (empty for a continuous variable); for each group `GROUP: n`,
    `missing`, `mean`, `sd`, `median`, `q1`, `q3`, `count`, `share`; for each comparison, in the
    first row of its variable, `A vs B: test`, `statistic`, `df`, `p`, `standardized_difference`;
    in the same row, notes. NaN: a figure of the other kind of variable, or one that the notes
    explain.
    """
    lines = []
    for row in rows:
        for number, level in enumerate(_levels(row)):
            line: dict[str, Any] = {"variable": row.variable.name, "level": level}
            for label, summary in row.groups.items():
                figures = _figures(summary, level)
                line |= {f"{label}: {name}": value for name, value in figures.items()}
            if number == 0:
                for comparison in row.comparisons:
                    title = _title(comparison)
                    test = _test(comparison)
                    line |= {f"{title}: {name}": value for name, value in test.items()}
                line["notes"] = " ".join(all_notes(row))
            lines.append(line)
    return pd.DataFrame(lines)


def printed_characteristics(rows: Sequence[Characteristic]) -> pd.DataFrame:
    """Text: median [IQR] or n (%) by group; then test, P and standardized difference by pair.

    A variable's comparisons are in its first row, above its levels. A dash is a figure that does
    not exist; `all_notes` gives the reason.
    """
    lines = []
    for row in rows:
        heading = {"Variable": row.variable.label, "Level": ""}
        if not isinstance(row.variable, Categorical):
            heading |= _cells(row, "")
        for comparison in row.comparisons:
            title, difference = _title(comparison), comparison.standardized_difference
            heading |= {
                f"{title}: P": p_cell(comparison.test.p),
                f"{title}: test": comparison.test.method,
                f"{title}: standardized difference": printed(difference, 2),
            }
        lines.append(heading)
        if isinstance(row.variable, Categorical):
            for level, name in row.variable.levels.items():
                lines.append({"Variable": "", "Level": name} | _cells(row, level))
    frame = pd.DataFrame(lines).fillna("")
    first = ["Variable", "Level", *rows[0].groups] if rows else []
    return frame[[*first, *(name for name in frame.columns if name not in first)]]


def all_notes(row: Characteristic) -> list[str]:
    """Notes on a variable, then on its comparisons, each after the names of its groups."""
    test_notes = [
        f"{_title(comparison)}: {note}"
        for comparison in row.comparisons
        for note in comparison.test.notes
    ]
    return [*row.notes, *test_notes]


def _title(comparison: Comparison) -> str:
    return f"{comparison.first} vs {comparison.second}"


def _levels(row: Characteristic) -> list[str]:
    return list(row.variable.levels) if isinstance(row.variable, Categorical) else [""]


def _figures(summary: Numbers | Levels, level: str) -> dict[str, float]:
    """The same columns for either kind; NaN in those of the other kind."""
    figures = {name: float(getattr(summary, name, "nan")) for name in _NUMBERS}
    if isinstance(summary, Levels):
        return figures | {"count": summary.counts[level], "share": summary.share(level)}
    return figures | {"count": float("nan"), "share": float("nan")}


def _test(comparison: Comparison) -> dict[str, Any]:
    return {
        "test": comparison.test.method,
        "statistic": comparison.test.statistic,
        "df": comparison.test.df,
        "p": comparison.test.p,
        "standardized_difference": comparison.standardized_difference,
    }


def _cells(row: Characteristic, level: str) -> dict[str, str]:
    """The printed cell of every group."""
    digits = 0 if isinstance(row.variable, Categorical) else row.variable.digits
    return {
        label: summary.text(level) if isinstance(summary, Levels) else summary.text(digits)
        for label, summary in row.groups.items()
    }
