"""Age as a predictor: a Gaussian per class.

Source: Liu et al. 2020, Methods. The paper does not state the priors; they are a setting here.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import expit, logit

from idhray.stats.sample import SampleError, labels_of

Priors = Literal["equal", "empirical"]

_FLAT = 1e-12  # curvature of the log odds below which their parabola is a line


@dataclass(frozen=True, kw_only=True)
class AgeModel:
    """Two Gaussians over age, one per class (Gaussian discriminant analysis)."""

    mean_mutant: float
    sd_mutant: float
    n_mutant: int
    mean_wildtype: float
    sd_wildtype: float
    n_wildtype: int
    prior_mutant: float
    shared_variance: bool
    missing: int
    """Patients left out because their age is unknown."""

    def log_odds(self, age: ArrayLike) -> NDArray[np.float64]:
        """Logit of P(mutant | age); the densities stay logarithms, so no age overflows."""
        years = np.asarray(age, dtype=np.float64)
        mutant = stats.norm.logpdf(years, self.mean_mutant, self.sd_mutant)
        wildtype = stats.norm.logpdf(years, self.mean_wildtype, self.sd_wildtype)
        return np.asarray(mutant - wildtype + logit(self.prior_mutant))

    def p_mutant(self, age: ArrayLike) -> NDArray[np.float64]:
        """P(mutant | age); NaN for an unknown age."""
        return np.asarray(expit(self.log_odds(age)))

    def turning_point(self) -> float:
        """The age at which the log odds turn, never between the means; NaN with equal SDs."""
        a, b, _ = self._parabola()
        return -b / (2 * a) if abs(a) > _FLAT else float("nan")

    def roots(self) -> tuple[float, ...]:
        """The ages at which both classes are equally likely, ascending: two, one or none.

        With unequal variances the log odds are a parabola: beyond the second root the wider class
        is likelier again, so very young patients may be called wildtype (below 28 years in the
        local cohort of Liu et al., table 6).
        """
        a, b, c = self._parabola()
        if abs(a) <= _FLAT:
            return () if b == 0 else (-c / b,)
        discriminant = b * b - 4 * a * c
        if discriminant < 0:
            return ()
        # This form has no cancellation when a is tiny.
        half_sum = -0.5 * (b + np.copysign(np.sqrt(discriminant), b))
        return tuple(sorted({float(half_sum / a), float(c / half_sum) if half_sum else 0.0}))

    def threshold(self) -> float:
        """The root between the two means, else the one nearest to their middle; NaN if none."""
        middle = (self.mean_mutant + self.mean_wildtype) / 2
        return min(self.roots(), key=lambda root: abs(root - middle), default=float("nan"))

    def _parabola(self) -> tuple[float, float, float]:
        """The coefficients of log odds = a age^2 + b age + c."""
        a = 0.5 / self.sd_wildtype**2 - 0.5 / self.sd_mutant**2
        b = self.mean_mutant / self.sd_mutant**2 - self.mean_wildtype / self.sd_wildtype**2
        mutant = stats.norm.logpdf(0.0, self.mean_mutant, self.sd_mutant)
        wildtype = stats.norm.logpdf(0.0, self.mean_wildtype, self.sd_wildtype)
        return a, b, float(mutant - wildtype + logit(self.prior_mutant))


def fit_age_model(
    age: ArrayLike, truth: ArrayLike, *, shared_variance: bool = False, priors: Priors = "equal"
) -> AgeModel:
    """Gaussians fitted to training patients; patients without an age are left out and counted.

    Variances divide by n - 1, or by n - 2 if shared, as in R's MASS::qda and lda.

    Args:
        shared_variance: One variance for both classes (linear discriminant); Liu et al. speak of
            two Gaussians, each with its own variance.
        priors: Both classes equally likely, or as frequent as in these patients.

    Raises:
        SampleError: a class has fewer than two known ages, all its ages are equal, or an age is
            infinite.
    """
    years, labels = np.asarray(age, dtype=np.float64), labels_of(truth)
    if years.shape != labels.shape:
        raise SampleError(f"{len(labels)} labels, but {years.size} ages")
    if infinite := int(np.isinf(years).sum()):
        raise SampleError(f"{infinite} of {len(years)} ages are infinite")
    has_age = ~np.isnan(years)
    mutant, wildtype = years[has_age & (labels == 1)], years[has_age & (labels == 0)]
    m, w = len(mutant), len(wildtype)
    if min(m, w) < 2:
        raise SampleError(
            f"ages are known of {m} mutant and {w} wildtype training patients; "
            "an age model needs two of each"
        )
    var_mutant, var_wildtype = mutant.var(ddof=1), wildtype.var(ddof=1)
    if shared_variance:
        squares = (m - 1) * var_mutant + (w - 1) * var_wildtype
        var_mutant = var_wildtype = squares / (m + w - 2)
    if min(var_mutant, var_wildtype) <= 0:
        raise SampleError("all ages of one class are equal: no Gaussian can be fitted to them")
    return AgeModel(
        mean_mutant=float(mutant.mean()),
        sd_mutant=float(np.sqrt(var_mutant)),
        n_mutant=m,
        mean_wildtype=float(wildtype.mean()),
        sd_wildtype=float(np.sqrt(var_wildtype)),
        n_wildtype=w,
        prior_mutant=0.5 if priors == "equal" else m / (m + w),
        shared_variance=shared_variance,
        missing=int((~has_age).sum()),
    )
