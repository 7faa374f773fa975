"""The design matrix of a regression: which column belongs to which level of which predictor.

A factor of L levels has L - 1 columns of 0 and 1 (treatment coding, as in R), one per level other
than its reference. Letters: N patients, K columns, the intercept's included.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.stats.sample import SampleError

INTERCEPT = "(Intercept)"
Matrix = NDArray[np.float64]  # (N, K)
_COLLINEAR = 1e-7  # share of a column's length that the columns before it leave unexplained


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A categorical predictor; every other level is compared with the first."""

    name: str
    levels: tuple[str, ...]
    """The first is the reference."""

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or len(set(self.levels)) < len(self.levels):
            raise SampleError(f"{self.name}: two or more distinct levels needed: {self.levels}")


@dataclass(frozen=True, kw_only=True)
class Covariate:
    """A numeric predictor that enters linearly."""

    name: str


Predictor = Factor | Covariate


@dataclass(frozen=True, kw_only=True)
class Column:
    """What a column of the design stands for."""

    predictor: str
    level: str = ""
    """Empty for the intercept and for numbers."""
    reference: str = ""

    @property
    def label(self) -> str:
        """`margin: clear, not indistinct`, or the bare name of a number."""
        named = f"{self.predictor}: {self.level}, not {self.reference}"
        return named if self.level else self.predictor


@dataclass(frozen=True, kw_only=True)
class Design:
    """A matrix of full rank with what its columns mean."""

    matrix: Matrix
    columns: tuple[Column, ...]
    """The intercept first."""
    predictors: tuple[Predictor, ...]
    """Factors keep only the levels that occur."""
    notes: tuple[str, ...]

    def places(self, predictor: str) -> list[int]:
        """Numbers of the columns that belong to a predictor."""
        return [place for place, one in enumerate(self.columns) if one.predictor == predictor]

    def subset(self, names: Sequence[str]) -> "Design":
        """The intercept and the predictors that are named, in that order."""
        places = [place for name in (INTERCEPT, *names) for place in self.places(name)]
        by_name = {one.name: one for one in self.predictors}
        return Design(
            matrix=self.matrix[:, places],
            columns=tuple(self.columns[place] for place in places),
            predictors=tuple(by_name[name] for name in names),
            notes=self.notes,
        )


def fitting_design(frame: pd.DataFrame, predictors: Sequence[Predictor]) -> Design:
    """The design on which a model can be fitted.

    A level that occurs in no patient gets no column, and a note says so.

    Raises:
        SampleError: a predictor is named twice, absent, constant, or has missing values, an
            unknown level or infinite numbers; the reference level occurs in no patient; a column
            is a combination of others; or there are no more patients than columns.
    """
    notes: list[str] = []
    occurring = tuple(_occurring(frame, one, notes) for one in predictors)
    _check_names([one.name for one in predictors])
    columns, matrix = coded(frame, occurring)
    if len(frame) <= len(columns):
        raise SampleError(
            f"{len(frame)} patients for {len(columns)} parameters (intercept included): "
            "use fewer predictors or join levels"
        )
    _check_rank(columns, matrix)
    return Design(matrix=matrix, columns=columns, predictors=occurring, notes=tuple(notes))


def coded(
    frame: pd.DataFrame, predictors: Sequence[Predictor]
) -> tuple[tuple[Column, ...], Matrix]:
    """The columns and their (N, K) values, by the given levels, whether or not they occur.

    Raises:
        SampleError: a predictor is absent, or has missing values, an unknown level or infinite
            numbers.
    """
    columns = [Column(predictor=INTERCEPT)]
    values: list[NDArray[Any]] = [np.ones(len(frame))]
    for one in predictors:
        found = _values(frame, one)
        if isinstance(one, Covariate):
            columns.append(Column(predictor=one.name))
            values.append(found)
            continue
        for level in one.levels[1:]:
            columns.append(Column(predictor=one.name, level=level, reference=one.levels[0]))
            values.append((found == level).astype(np.float64))
    return tuple(columns), np.column_stack(values)


def _values(frame: pd.DataFrame, predictor: Predictor) -> NDArray[Any]:
    """Levels as text (object) or numbers (float64), (N,), after they were checked."""
    name = predictor.name
    if list(frame.columns).count(name) != 1:
        raise SampleError(f"{name}: {list(frame.columns).count(name)} columns of that name, not 1")
    series = frame[name]
    if missing := int(series.isna().sum()):
        raise SampleError(
            f"{name}: missing for {missing} of {len(frame)} patients; "
            "fill it in, or leave these patients out of every model that is compared"
        )
    if isinstance(predictor, Factor):
        levels: NDArray[Any] = series.astype(str).to_numpy(dtype=object)
        if unknown := sorted(set(levels) - set(predictor.levels)):
            raise SampleError(
                f"{name}: {', '.join(unknown)} is no level that the model has; "
                f"it has {', '.join(predictor.levels)}"
            )
        return levels
    try:
        numbers: NDArray[Any] = series.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise SampleError(f"{name}: not numbers; name its levels and make it a Factor") from None
    if not np.isfinite(numbers).all():
        raise SampleError(f"{name}: {int((~np.isfinite(numbers)).sum())} values are infinite")
    return numbers


def _occurring(frame: pd.DataFrame, predictor: Predictor, notes: list[str]) -> Predictor:
    """The predictor with the levels that occur; refuses a constant one or an empty reference."""
    name, values = predictor.name, _values(frame, predictor)
    if len(set(values)) < 2:
        found = f"{values[0]} in all {len(values)} patients" if len(values) else "no patients"
        raise SampleError(f"{name}: {found}; a constant predictor has no coefficient, leave it out")
    if isinstance(predictor, Covariate):
        return predictor
    levels = tuple(level for level in predictor.levels if level in set(values))
    if levels[0] != predictor.levels[0]:
        raise SampleError(
            f"{name}: its reference level {predictor.levels[0]} occurs in no patient; "
            f"put another level first ({', '.join(levels)})"
        )
    for level in predictor.levels:
        if level not in levels:
            notes.append(f"{name}: {level} occurs in no patient and has no coefficient.")
    return Factor(name=name, levels=levels)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if list(names).count(name) > 1 or name in ("", INTERCEPT):
            raise SampleError(f"predictor names must be distinct and not {INTERCEPT}: {name!r}")


def _check_rank(columns: Sequence[Column], matrix: Matrix) -> None:
    """Refuse a column that those before it determine (its diagonal in R of QR is nearly 0)."""
    lengths = np.linalg.norm(matrix, axis=0)
    left = np.abs(np.diag(np.linalg.qr(matrix / lengths, mode="r")))
    guilty = [one.label for one, rest in zip(columns, left, strict=True) if rest < _COLLINEAR]
    if guilty:
        raise SampleError(
            f"{'; '.join(guilty)}: determined by the other columns (collinear); "
            "leave one of the predictors out or join levels"
        )
