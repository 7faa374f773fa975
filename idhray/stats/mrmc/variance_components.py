"""Mean squares and variance components of areas in a reader x treatment design.

Letters: T treatments, R readers. A covariance of areas is (T, R, T, R).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Areas = NDArray[np.float64]  # (T, R)


@dataclass(frozen=True, kw_only=True)
class MeanSquares:
    """Mean squares of a two-way table without replication; NaN with a single level."""

    treatment: float
    reader: float
    treatment_reader: float


@dataclass(frozen=True, kw_only=True)
class ErrorCovariances:
    """Mean variance of an area over cases, and mean covariances between areas.

    A covariance for which the design has no pair of areas is 0, as in MRMCaov.
    """

    error: float
    """Mean variance."""
    cov1: float
    """Same reader, different treatments."""
    cov2: float
    """Different readers, same treatment."""
    cov3: float
    """Different readers, different treatments."""


@dataclass(frozen=True, kw_only=True)
class VarianceComponents:
    """Components of the model of Obuchowski and Rockette; estimates may be negative."""

    reader: float
    treatment_reader: float
    error: float
    cov1: float
    cov2: float
    cov3: float

    @property
    def correlations(self) -> tuple[float, float, float]:
        """Cov1, Cov2 and Cov3 over the error variance; NaN if that is 0."""
        if not self.error:
            return (float("nan"),) * 3
        return self.cov1 / self.error, self.cov2 / self.error, self.cov3 / self.error


def mean_squares(areas: Areas) -> MeanSquares:
    """Mean squares of the areas."""
    t, r = areas.shape
    of_treatments, of_readers = areas.mean(axis=1), areas.mean(axis=0)
    rest = areas - of_treatments[:, None] - of_readers + areas.mean()
    return MeanSquares(
        treatment=float(r * of_treatments.var(ddof=1)) if t > 1 else np.nan,
        reader=float(t * of_readers.var(ddof=1)) if r > 1 else np.nan,
        treatment_reader=float(np.square(rest).sum() / ((t - 1) * (r - 1)))
        if min(t, r) > 1
        else np.nan,
    )


def error_covariances(covariance: NDArray[np.float64]) -> ErrorCovariances:
    """Means of a (T, R, T, R) covariance over the four kinds of pairs of areas."""
    t, r = covariance.shape[:2]
    same_treatment = np.eye(t, dtype=bool)[:, None, :, None]
    same_reader = np.eye(r, dtype=bool)[None, :, None, :]

    def mean(pairs: NDArray[np.bool_]) -> float:
        chosen = covariance[np.broadcast_to(pairs, covariance.shape)]
        return float(chosen.mean()) if len(chosen) else 0.0

    return ErrorCovariances(
        error=mean(same_treatment & same_reader),
        cov1=mean(~same_treatment & same_reader),
        cov2=mean(same_treatment & ~same_reader),
        cov3=mean(~same_treatment & ~same_reader),
    )


def variance_components(
    squares: MeanSquares, errors: ErrorCovariances, treatments: int
) -> VarianceComponents:
    """Components whose expected mean squares are the observed ones; NaN with a single reader.

    Nothing is truncated, as in MRMCaov.
    """
    if treatments == 1:
        reader = squares.reader - errors.error + errors.cov2
        return _components(reader, float("nan"), errors)
    reader = (squares.reader - squares.treatment_reader) / treatments - errors.cov1 + errors.cov3
    within = errors.error - errors.cov1 - errors.cov2 + errors.cov3
    return _components(reader, squares.treatment_reader - within, errors)


def _components(
    reader: float, treatment_reader: float, errors: ErrorCovariances
) -> VarianceComponents:
    return VarianceComponents(
        reader=reader,
        treatment_reader=treatment_reader,
        error=errors.error,
        cov1=errors.cov1,
        cov2=errors.cov2,
        cov3=errors.cov3,
    )
