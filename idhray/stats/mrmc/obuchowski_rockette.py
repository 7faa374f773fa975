"""Obuchowski and Rockette's analysis of areas under ROC curves, with Hillis's degrees of freedom.

Every reader reads every case under every treatment (modality). Readers and cases are each a random
sample, or fixed: then the answer holds for these readers, or these cases, only.

Letters: T treatments, R readers, N cases.

Source: Obuchowski and Rockette 1995; Hillis 2007 (Stat Med 26:596); Hillis, Obuchowski and Berbaum
2011. Figures are those of R's MRMCaov 0.3.0.
"""

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from idhray.stats.mrmc.area_covariance import AreaCovariance, areas_with_covariance
from idhray.stats.mrmc.contrast import cumulative_t, quantile_t
from idhray.stats.mrmc.variance_components import (
    Areas,
    ErrorCovariances,
    MeanSquares,
    VarianceComponents,
    error_covariances,
    mean_squares,
    variance_components,
)
from idhray.stats.roc.delong import NO_VARIANCE
from idhray.stats.sample import CONFIDENCE, Labels, SampleError, Scores

Sampling = Literal["random", "fixed"]
_ROUNDING = 1e-12  # a difference of covariances below this share of the variance is rounding


@dataclass(frozen=True, kw_only=True)
class MrmcDesign:
    """The factors that are samples of a larger population."""

    readers: Sampling = "random"
    cases: Sampling = "random"

    def __post_init__(self) -> None:
        if {self.readers, self.cases} - {"random", "fixed"}:
            raise SampleError(
                f"readers and cases must be random or fixed, got {self.readers!r}, {self.cases!r}"
            )
        if self.readers == self.cases == "fixed":
            raise SampleError("readers and cases are both fixed: nothing varies; make one random")


@dataclass(frozen=True, kw_only=True)
class EqualityTest:
    """Test that all treatments have the same mean area."""

    ms_treatment: float
    denominator: float
    name: str
    """`F`, or `chi-square` with fixed readers."""
    statistic: float
    df1: float
    df2: float
    """Infinite with fixed readers."""
    p: float


@dataclass(frozen=True, kw_only=True)
class AreaEstimate:
    """A mean area of a treatment with its interval, clipped to 0..1."""

    value: float
    se: float
    df: float
    """Infinite where the normal distribution is used."""
    ci_low: float
    ci_high: float


@dataclass(frozen=True, kw_only=True)
class TreatmentDifference(AreaEstimate):
    """Mean area of a treatment minus that of another one, with its interval and test."""

    t: float
    """The difference over its standard error."""
    p: float
    """Two-sided, of no difference."""


@dataclass(frozen=True, kw_only=True)
class ObuchowskiRockette:
    """The whole analysis. Treatments and readers are numbered as in the ratings."""

    design: MrmcDesign
    covariance: AreaCovariance
    areas: Areas
    """(T, R)."""
    area_errors: Areas
    """(T, R) standard errors of the areas over cases."""
    squares: MeanSquares
    components: VarianceComponents | None
    """None with fixed cases, whose covariances are no part of the model."""
    equality: EqualityTest | None
    """None with a single treatment."""
    differences: dict[tuple[int, int], TreatmentDifference]
    """(first, second) treatment -> area of the first minus area of the second."""
    means: tuple[AreaEstimate, ...]
    """Mean area of each treatment over readers, from its readings alone."""
    n_mutant: int
    n_wildtype: int


@dataclass(frozen=True, kw_only=True)
class _ErrorTerm:
    """Variance by which R readers' mean is judged, times R; and its degrees of freedom."""

    value: float
    df: float


def obuchowski_rockette(
    labels: Labels,
    ratings: Scores,
    *,
    covariance: AreaCovariance = "delong",
    design: MrmcDesign | None = None,
) -> ObuchowskiRockette:
    """The analysis of empirical areas of (T, R, N) ratings.

    Args:
        labels: (N,) 0 wildtype, 1 mutant, in the order of the ratings' last axis.
        ratings: (T, R, N); a higher rating speaks for mutant.
        covariance: Estimate of the covariance of areas over cases.
        design: None: random readers and random cases.

    Raises:
        SampleError: a rating is NaN; a class has a single case; a single reader is a random one.
    """
    design = MrmcDesign() if design is None else design
    t, r, n = _shape(labels, ratings, design)
    flat, over_cases = areas_with_covariance(labels, ratings.reshape(t * r, n), covariance)
    areas, over_cases = flat.reshape(t, r), over_cases.reshape(t, r, t, r)
    squares, errors = mean_squares(areas), error_covariances(over_cases)
    term = _difference_term(design, squares, errors, (t, r))
    return ObuchowskiRockette(
        design=design,
        covariance=covariance,
        areas=areas,
        area_errors=np.sqrt(np.einsum("ijij->ij", over_cases)),
        squares=squares,
        components=None if design.cases == "fixed" else variance_components(squares, errors, t),
        equality=_equality(design, squares, term, t) if t > 1 else None,
        differences={
            (i, j): _difference(float(areas[i].mean() - areas[j].mean()), term, r)
            for i, j in itertools.combinations(range(t), 2)
        },
        means=tuple(_mean(design, areas[i], over_cases[i, :, i]) for i in range(t)),
        n_mutant=int(labels.sum()),
        n_wildtype=int((1 - labels).sum()),
    )


def _shape(labels: Labels, ratings: Scores, design: MrmcDesign) -> tuple[int, int, int]:
    if ratings.ndim != 3 or ratings.shape[2] != len(labels) or not ratings.size:
        raise SampleError(
            f"ratings must be (treatments, readers, {len(labels)} cases), got {ratings.shape}"
        )
    if not np.isfinite(ratings).all():
        raise SampleError("ratings are NaN or infinite; every reader must rate every case")
    t, r, n = ratings.shape
    if r == 1 and design.readers == "random":
        raise SampleError("one reader is no sample of readers; take readers as fixed")
    return t, r, n


def _difference_term(
    design: MrmcDesign, squares: MeanSquares, errors: ErrorCovariances, shape: tuple[int, int]
) -> _ErrorTerm:
    """Denominator of the test of equality, by the factors that are random."""
    t, r = shape
    rounding = _ROUNDING * errors.error  # a rest of it would pass for a variance, and give P = 0
    apart = _without_rounding(errors.cov2 - errors.cov3, rounding)
    if design.readers == "fixed":
        over_cases = errors.error - errors.cov1 + (r - 1) * apart
        return _ErrorTerm(value=_without_rounding(over_cases, rounding), df=np.inf)
    return _random_readers(
        squares.treatment_reader,
        0.0 if design.cases == "fixed" else r * max(apart, 0.0),
        (t - 1) * (r - 1),
    )


def _without_rounding(value: float, rounding: float) -> float:
    return 0.0 if abs(value) <= rounding else value


def _random_readers(square: float, over_cases: float, df: int) -> _ErrorTerm:
    """A mean square of `df` degrees of freedom, plus a term over cases (Hillis 2007)."""
    total = square + over_cases
    if square <= NO_VARIANCE**2:
        return _ErrorTerm(value=total, df=np.inf if over_cases > NO_VARIANCE**2 else df)
    return _ErrorTerm(value=total, df=df * (total / square) ** 2)


def _equality(
    design: MrmcDesign, squares: MeanSquares, term: _ErrorTerm, treatments: int
) -> EqualityTest:
    df1 = treatments - 1
    ratio = squares.treatment / term.value if term.value > NO_VARIANCE**2 else np.nan
    normal = np.isinf(term.df)
    fixed = design.readers == "fixed"
    return EqualityTest(
        ms_treatment=squares.treatment,
        denominator=term.value,
        name="chi-square" if fixed else "F",
        statistic=df1 * ratio if fixed else ratio,
        df1=df1,
        df2=term.df,
        p=float(stats.chi2.sf(df1 * ratio, df1) if normal else stats.f.sf(ratio, df1, term.df)),
    )


def _difference(value: float, term: _ErrorTerm, readers: int) -> TreatmentDifference:
    """NaN for all but the value and its error if the variance is 0 or negative."""
    se, half = _error_and_half_width(2 * term.value / readers, term.df)
    t = value / se if se > NO_VARIANCE else np.nan
    return TreatmentDifference(
        value=value,
        se=se,
        df=term.df,
        ci_low=value - half,
        ci_high=value + half,
        t=t,
        p=min(2 * cumulative_t(-abs(t), term.df), 1.0),
    )


def _mean(design: MrmcDesign, areas: Areas, over_cases: NDArray[np.float64]) -> AreaEstimate:
    """Mean of the (R,) areas of a treatment with their (R, R) covariance over cases."""
    r = len(areas)
    errors = error_covariances(over_cases[None, :, None, :])
    if design.readers == "fixed":
        term = _ErrorTerm(value=errors.error + (r - 1) * max(errors.cov2, 0.0), df=np.inf)
    else:
        over = 0.0 if design.cases == "fixed" else r * max(errors.cov2, 0.0)
        term = _random_readers(float(areas.var(ddof=1)), over, r - 1)
    value = float(areas.mean())
    se, half = _error_and_half_width(term.value / r, term.df)
    return AreaEstimate(
        value=value,
        se=se,
        df=term.df,
        ci_low=max(value - half, 0.0),
        ci_high=min(value + half, 1.0),
    )


def _error_and_half_width(variance: float, df: float) -> tuple[float, float]:
    """Standard error and half the width of the interval; NaN where they do not exist."""
    se = float(np.sqrt(variance)) if variance >= 0 else np.nan
    return se, quantile_t(0.5 + CONFIDENCE / 2, df) * se if se > NO_VARIANCE else np.nan
