"""One variable in one group of patients: median and quartiles, or counts of levels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.stats.accuracy.rates import printed
from idhray.stats.hypothesis.compare import SampleValues, values_of
from idhray.stats.sample import SampleError

DASH = "\u2013"


@dataclass(frozen=True, kw_only=True)
class Continuous:
    """A variable in numbers."""

    name: str
    """Its column."""
    label: str
    digits: int = 0
    """Decimals in print."""


@dataclass(frozen=True, kw_only=True)
class Categorical:
    """A variable in levels."""

    name: str
    """Its column."""
    label: str
    levels: Mapping[str, str]
    """Value in the column -> name in the table, in the table's order."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A continuous variable in one group; NaN where there are too few values for a figure."""

    n: int
    """Cases with a value."""
    missing: int
    mean: float
    sd: float
    """With n - 1."""
    median: float
    q1: float
    q3: float
    """Quartiles by linear interpolation, as R's default (type 7)."""

    def text(self, digits: int = 0) -> str:
        """`60 [53-64]`, median and quartiles with an en dash; a dash without values."""
        if not self.n:
            return DASH
        median, q1, q3 = (printed(one, digits) for one in (self.median, self.q1, self.q3))
        return f"{median} [{q1}{DASH}{q3}]"


@dataclass(frozen=True, kw_only=True)
class Levels:
    """A categorical variable in one group."""

    n: int
    """Cases with a value."""
    missing: int
    counts: Mapping[str, int]
    """Value -> cases, every level in order."""

    def share(self, level: str) -> float:
        """Of the cases with a value; NaN where there are none."""
        return self.counts[level] / self.n if self.n else float("nan")

    def text(self, level: str) -> str:
        """`47 (58.8%)`; a dash without values."""
        if not self.n:
            return DASH
        return f"{self.counts[level]} ({printed(100 * self.share(level), 1)}%)"


def known_numbers(column: "pd.Series[float]") -> SampleValues:
    """The values of a column that are there; null and empty cells are missing.

    Raises:
        SampleError: one is not a number, or infinite.
    """
    known = column[column.notna() & (column.astype(object) != "")]
    numbers = pd.to_numeric(known, errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(numbers).any():
        wrong = known[np.isnan(numbers)].iloc[0]
        raise SampleError(f"{column.name}: {wrong!r} is not a number; correct or empty the cell")
    return values_of(numbers, str(column.name)) if len(numbers) else numbers


def numbers_in(column: "pd.Series[float]") -> Numbers:
    """The figures of a continuous column.

    Raises:
        SampleError: a value is not a number, or infinite.
    """
    values = known_numbers(column)
    nan = float("nan")
    q1, median, q3 = np.quantile(values, (0.25, 0.5, 0.75)) if len(values) else (nan, nan, nan)
    return Numbers(
        n=len(values),
        missing=len(column) - len(values),
        mean=float(values.mean()) if len(values) else nan,
        sd=float(values.std(ddof=1)) if len(values) > 1 else nan,
        median=float(median),
        q1=float(q1),
        q3=float(q3),
    )


def levels_in(column: "pd.Series[str]", levels: Mapping[str, str]) -> Levels:
    """How many cases of a column have each level; null and empty cells are missing.

    Raises:
        SampleError: a value is not among the levels.
    """
    known = column[column.notna() & (column.astype(object) != "")].astype(str)
    if len(strange := known[~known.isin(list(levels))]):
        raise SampleError(
            f"{column.name}: {len(strange)} cases with {strange.iloc[0]!r}, which is none of "
            f"{', '.join(levels)}; correct them or add the level"
        )
    counts = {level: int((known == level).sum()) for level in levels}
    return Levels(n=len(known), missing=len(column) - len(known), counts=counts)
