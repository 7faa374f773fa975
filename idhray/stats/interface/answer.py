"""The result of every function of the API: figures, a text and a table."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.text import NO_VARIANCE, p_text, printed, signed

FiguresT = TypeVar("FiguresT")


@dataclass(frozen=True, kw_only=True)
class Answer(Generic[FiguresT]):
    """A result: `figures` for programs, `summary()` for a report, `frame()` for a table."""

    figures: FiguresT
    text: str
    table: pd.DataFrame = field(repr=False, compare=False)
    notes: tuple[str, ...] = ()
    """Reasons for missing figures, and warnings, in sentences."""

    def summary(self) -> str:
        """The result in words, and its notes."""
        return "\n".join((self.text, *self.notes))

    def frame(self) -> pd.DataFrame:
        """The result as a table, one row per item; a copy."""
        return self.table.copy()

    def __str__(self) -> str:
        """The summary."""
        return self.summary()


def one_row(**columns: Any) -> pd.DataFrame:
    """A table of one row."""
    return pd.DataFrame([columns])


def interval_text(low: float, high: float, *, sign: bool = False) -> str:
    """`95% CI 0.825 to 0.969`, or the statement that there is none."""
    if np.isnan(low) or np.isnan(high):
        return "no interval"
    if low == high:
        return f"no interval, {NO_VARIANCE}"
    show = signed if sign else printed
    return f"95% CI {show(low)} to {show(high)}"


def significance_answer(test: Significance) -> Answer[Significance]:
    """The answer of a significance test."""
    statistic = "" if np.isnan(test.statistic) else f"statistic {printed(test.statistic)}, "
    freedom = "" if test.df is None else f"df {test.df}, "
    return Answer(
        figures=test,
        text=f"{test.method}: {statistic}{freedom}{p_text(test.p)}.",
        table=one_row(
            method=test.method,
            statistic=test.statistic,
            df=test.df,
            p=test.p,
            notes=" ".join(test.notes),
        ),
        notes=test.notes,
    )
