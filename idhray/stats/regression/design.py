"""Design matrices: columns of 0, 1 and numbers, each with its predictor and level.

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
DesignMatrix = NDArray[np.float64]  # (N, K)
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
    """Predictor and level of one column of the design."""

    predictor: str
    level: str = ""
    """Empty for the intercept and for numbers."""
    reference: str = ""

    @property
    def label(self) -> str:
        """`margin: clear, not indistinct`, or the bare name of a number."""
        if not self.level:
            return self.predictor
        return f"{self.predictor}: {self.level}, not {self.reference}"


@dataclass(frozen=True, kw_only=True)
class Design:
    """A matrix of full rank with the meaning of its columns."""

    matrix: DesignMatrix
    columns: tuple[Column, ...]
    """The intercept first."""
    predictors: tuple[Predictor, ...]
    """Factors keep only the levels that occur."""
    notes: tuple[str, ...]

    def column_indices(self, predictor: str) -> list[int]:
        """Indices of the columns that belong to a predictor."""
        return [i for i, column in enumerate(self.columns) if column.predictor == predictor]

    def subset(self, names: Sequence[str]) -> "Design":
        """The intercept and the named predictors, in that order."""
        indices = [i for name in (INTERCEPT, *names) for i in self.column_indices(name)]
        by_name = {predictor.name: predictor for predictor in self.predictors}
        return Design(
            matrix=self.matrix[:, indices],
            columns=tuple(self.columns[i] for i in indices),
            predictors=tuple(by_name[name] for name in names),
            notes=self.notes,
        )


def fitting_design(frame: pd.DataFrame, predictors: Sequence[Predictor]) -> Design:
    """A design on which a model can be fitted.

    A level that occurs in no patient gets no column, and a note says so.

    Raises:
        SampleError: a predictor is named twice, absent, constant, or has missing values, an
            unknown level or infinite numbers; the reference level occurs in no patient; a column
            is a combination of others; or there are no more patients than columns.
    """
    notes: list[str] = []
    occurring = tuple(_occurring(frame, predictor, notes) for predictor in predictors)
    _check_names([predictor.name for predictor in predictors])
    columns, matrix = coded(frame, occurring)
    check_rank(columns, matrix)
    return Design(matrix=matrix, columns=columns, predictors=occurring, notes=tuple(notes))


def coded(
    frame: pd.DataFrame, predictors: Sequence[Predictor]
) -> tuple[tuple[Column, ...], DesignMatrix]:
    """Columns and their (N, K) values, one per level of a factor even if it does not occur.

    Raises:
        SampleError: a predictor is absent, or has missing values, an unknown level or infinite
            numbers.
    """
    columns = [Column(predictor=INTERCEPT)]
    values: list[NDArray[Any]] = [np.ones(len(frame))]
    for predictor in predictors:
        name, cells = predictor.name, _values(frame, predictor)
        if isinstance(predictor, Covariate):
            columns.append(Column(predictor=name))
            values.append(cells)
            continue
        for level in predictor.levels[1:]:
            columns.append(Column(predictor=name, level=level, reference=predictor.levels[0]))
            values.append((cells == level).astype(np.float64))
    return tuple(columns), np.column_stack(values)


def linear_predictor(matrix: DesignMatrix, beta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log odds, (N,); exactly equal for patients with equal columns.

    A product of matrices sums in an order that depends on the row, and so would break ties.
    """
    eta = np.zeros(len(matrix))
    for column, coefficient in zip(matrix.T, beta, strict=True):
        eta += column * coefficient
    return eta


def _values(frame: pd.DataFrame, predictor: Predictor) -> NDArray[Any]:
    """Checked levels as text (object) or numbers (float64), (N,)."""
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
        cells = f"{values[0]} in all {len(values)} patients" if len(values) else "no patients"
        raise SampleError(f"{name}: {cells}; a constant predictor has no coefficient, leave it out")
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


def check_rank(columns: Sequence[Column], matrix: DesignMatrix) -> None:
    """Refuse a matrix with as many columns as patients, or a column that others determine.

    A column that those before it determine has a diagonal of nearly 0 in R of QR.

    Raises:
        SampleError: naming the columns.
    """
    if len(matrix) <= len(columns):
        raise SampleError(
            f"{len(matrix)} patients for {len(columns)} parameters (intercept included): "
            "use fewer predictors or join levels"
        )
    lengths = np.linalg.norm(matrix, axis=0)
    unexplained = np.abs(np.diag(np.linalg.qr(matrix / lengths, mode="r")))
    collinear = [
        column.label
        for column, share in zip(columns, unexplained, strict=True)
        if share < _COLLINEAR
    ]
    if collinear:
        raise SampleError(
            f"{'; '.join(collinear)}: determined by the other columns (collinear); "
            "leave one of the predictors out or join levels"
        )
