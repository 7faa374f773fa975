"""Summary of one variable in one group of patients: median and quartiles, or counts of levels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.stats.hypothesis.compare import SampleValues, values_of
from idhray.stats.sample import SampleError
from idhray.stats.text import printed

DASH = "\u2013"


@dataclass(frozen=True, kw_only=True)
class Continuous:
    """A continuous variable."""

    name: str
    """Name of its column."""
    label: str
    digits: int = 0
    """Decimals in print."""


@dataclass(frozen=True, kw_only=True)
class Categorical:
    """A categorical variable."""

    name: str
    """Name of its column."""
    label: str
    levels: Mapping[str, str]
    """Value in the column -> name in the table, in the order of the table."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A continuous variable in one group; NaN if there are too few values for a figure."""

    n: int
    """Cases with a value."""
    missing: int
    mean: float
    sd: float
    """Standard deviation with n - 1."""
    median: float
    q1: float
    q3: float
    """Quartiles by linear interpolation, as R's default (type 7)."""

    def text(self, digits: int = 0) -> str:
        """`60 [53-64]`, median and quartiles with an en dash; a dash without values."""
        if not self.n:
            return DASH
        median, q1, q3 = (printed(v, digits) for v in (self.median, self.q1, self.q3))
        return f"{median} [{q1}{DASH}{q3}]"


@dataclass(frozen=True, kw_only=True)
class Levels:
    """A categorical variable in one group."""

    n: int
    """Cases with a value."""
    missing: int
    counts: Mapping[str, int]
    """Value -> cases, for every level in order."""

    def share(self, level: str) -> float:
        """Share of the cases with a value; NaN if there are none."""
        return self.counts[level] / self.n if self.n else float("nan")

    def text(self, level: str) -> str:
        """`47 (58.8%)`; a dash without values."""
        if not self.n:
            return DASH
        return f"{self.counts[level]} ({printed(100 * self.share(level), 1)}%)"


def numbers_of(column: "pd.Series[float]") -> SampleValues:
    """Values of the cells of a column that are neither null nor empty.

    Raises:
        SampleError: one is not a number, or infinite.
    """
    filled = column[column.notna() & (column.astype(object) != "")]
    numbers = pd.to_numeric(filled, errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(numbers).any():
        wrong = filled[np.isnan(numbers)].iloc[0]
        raise SampleError(f"{column.name}: {wrong!r} is not a number; correct or empty the cell")
    return values_of(numbers, str(column.name)) if len(numbers) else numbers


def numbers_in(column: "pd.Series[float]") -> Numbers:
    """Summary of a continuous column.

    Raises:
        SampleError: a value is not a number, or infinite.
    """
    values = numbers_of(column)
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
    """Number of cases per level of a column; null and empty cells are missing.

    Raises:
        SampleError: a value is not among the levels.
    """
    filled = column[column.notna() & (column.astype(object) != "")].astype(str)
    if len(unknown := filled[~filled.isin(list(levels))]):
        raise SampleError(
            f"{column.name}: {len(unknown)} cases with {unknown.iloc[0]!r}, which is none of "
            f"{', '.join(levels)}; correct them or add the level"
        )
    counts = {level: int((filled == level).sum()) for level in levels}
    return Levels(n=len(filled), missing=len(column) - len(filled), counts=counts)
