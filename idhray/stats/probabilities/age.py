"""Age as a predictor: a Gaussian per class, and its fusion with the image's probability.

Source: Liu et al. 2020, Methods, and table 3. The paper states neither priors nor the patients on
whom the fusion was fitted; both are choices here, and named.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from firthmodels import detect_separation
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from idhray.stats.sample import Labels, SampleError, labels_of

Priors = Literal["equal", "empirical"]
Variance = Literal["sample", "maximum likelihood"]
Scale = Literal["logit", "probability"]

MIN_PROBABILITY = 1e-4
"""Probabilities are kept this far from 0 and 1 before their logits are taken."""
_FLAT = 1e-12  # curvature of the log odds below which their parabola is a line
OLDEST_YEARS = 120.0
"""A root beyond it, or below 0, concerns nobody."""


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
    variance: Variance = "sample"
    monotone: bool = False
    """Past the turning point the odds stay what they are there: one threshold, no second root."""

    def log_odds(self, age: ArrayLike) -> NDArray[np.float64]:
        """Logit of P(mutant | age); the densities stay logarithms, so no age overflows."""
        years = np.asarray(age, dtype=np.float64)
        if self.monotone:
            years = np.clip(years, *self._kept())
        mutant = stats.norm.logpdf(years, self.mean_mutant, self.sd_mutant)
        wildtype = stats.norm.logpdf(years, self.mean_wildtype, self.sd_wildtype)
        return np.asarray(mutant - wildtype + logit(self.prior_mutant))

    def p_mutant(self, age: ArrayLike) -> NDArray[np.float64]:
        """P(mutant | age); NaN where the age is."""
        return np.asarray(expit(self.log_odds(age)))

    def turning_point(self) -> float:
        """The age at which the log odds turn, never between the means; NaN with equal SDs."""
        a, b, _ = self._parabola()
        return -b / (2 * a) if abs(a) > _FLAT else float("nan")

    def roots(self) -> tuple[float, ...]:
        """The ages at which both classes are equally likely, ascending: two, one or none.

        With unequal variances the log odds are a parabola: beyond the second root the wider class
        wins again, so very young patients may be called wildtype (below 28 years in the local
        cohort of Liu et al., table 6). A monotone model has no second root.
        """
        a, b, c = self._parabola()
        if abs(a) <= _FLAT:
            return () if b == 0 else (-c / b,)
        inside = b * b - 4 * a * c
        if inside < 0:
            return ()
        far = -0.5 * (b + np.copysign(np.sqrt(inside), b))  # no cancellation when a is tiny
        both = sorted({float(far / a), float(c / far) if far else 0.0})
        low, high = self._kept() if self.monotone else (-np.inf, np.inf)
        return tuple(root for root in both if low < root < high)

    def threshold(self) -> float:
        """The root between the two means, else the one nearest to their middle; NaN if none."""
        middle = (self.mean_mutant + self.mean_wildtype) / 2
        return min(self.roots(), key=lambda root: abs(root - middle), default=float("nan"))

    def notes(self) -> tuple[str, ...]:
        """What the shape of the odds means for patients, in sentences; empty if nothing odd."""
        notes = []
        turn = self.turning_point()
        roots = [root for root in self.roots() if 0 < root < OLDEST_YEARS]
        if self.monotone and 0 < turn < OLDEST_YEARS:
            side = "Below" if turn < self.mean_mutant else "Above"
            notes.append(f"{side} {turn:.1f} years the odds are held at those of that age.")
        if not roots:
            every = "mutant" if self.log_odds(self.mean_mutant) >= 0 else "wildtype"
            notes.append(f"Every age is called {every}.")
        if len(roots) == 2:
            inner = "mutant" if self.sd_mutant < self.sd_wildtype else "wildtype"
            notes.append(
                f"Between {roots[0]:.1f} and {roots[1]:.1f} years {inner} is likelier, on both "
                "sides of it the other class: the second root of unequal variances."
            )
        return tuple(notes)

    def _parabola(self) -> tuple[float, float, float]:
        """Log odds = a age^2 + b age + c."""
        a = 0.5 / self.sd_wildtype**2 - 0.5 / self.sd_mutant**2
        b = self.mean_mutant / self.sd_mutant**2 - self.mean_wildtype / self.sd_wildtype**2
        mutant = stats.norm.logpdf(0.0, self.mean_mutant, self.sd_mutant)
        wildtype = stats.norm.logpdf(0.0, self.mean_wildtype, self.sd_wildtype)
        return a, b, float(mutant - wildtype + logit(self.prior_mutant))

    def _kept(self) -> tuple[float, float]:
        """The ages from the turning point on, on the side of it where both means are."""
        turn = self.turning_point()
        if np.isnan(turn):
            return -np.inf, np.inf
        return (turn, np.inf) if turn < self.mean_mutant else (-np.inf, turn)


def fit_age_model(
    age: ArrayLike,
    truth: ArrayLike,
    *,
    shared_variance: bool = False,
    priors: Priors = "equal",
    variance: Variance = "sample",
    monotone: bool = False,
) -> AgeModel:
    """Gaussians fitted to training patients; those without an age are left out and counted.

    Args:
        shared_variance: One variance for both classes (linear discriminant); Liu et al. speak of
            two Gaussians, each with its own.
        priors: Both classes equally likely, or as frequent as in these patients.
        variance: Squares over n - 1 as R's MASS::qda and lda by default, or over n, as
            scikit-learn and MASS with method "mle". Shared: over n - 2, or n.
        monotone: Ignore the second root, so that very young patients stay mutant.

    Raises:
        SampleError: a class has fewer than two known ages, or all its ages are equal; an age is
            infinite; or the model is to be monotone and both means are equal.
    """
    years, labels = np.asarray(age, dtype=np.float64), labels_of(truth)
    if years.shape != labels.shape:
        raise SampleError(f"{len(labels)} labels, but {years.size} ages")
    if infinite := int(np.isinf(years).sum()):
        raise SampleError(f"{infinite} of {len(years)} ages are infinite")
    known = ~np.isnan(years)
    mutant, wildtype = years[known & (labels == 1)], years[known & (labels == 0)]
    m, w = len(mutant), len(wildtype)
    if min(m, w) < 2:
        raise SampleError(
            f"ages are known of {m} mutant and {w} wildtype training patients; "
            "an age model needs two of each"
        )
    lost = 1 if variance == "sample" else 0  # degree of freedom per mean
    var_mutant, var_wildtype = mutant.var(ddof=lost), wildtype.var(ddof=lost)
    if shared_variance:
        squares = (m - lost) * var_mutant + (w - lost) * var_wildtype
        var_mutant = var_wildtype = squares / (m + w - 2 * lost)
    if min(var_mutant, var_wildtype) <= 0:
        raise SampleError("all ages of one class are equal: no Gaussian can be fitted to them")
    if monotone and mutant.mean() == wildtype.mean():
        raise SampleError(f"both mean ages are {mutant.mean():g}: no monotone age model has a side")
    return AgeModel(
        mean_mutant=float(mutant.mean()),
        sd_mutant=float(np.sqrt(var_mutant)),
        n_mutant=m,
        mean_wildtype=float(wildtype.mean()),
        sd_wildtype=float(np.sqrt(var_wildtype)),
        n_wildtype=w,
        prior_mutant=0.5 if priors == "equal" else m / (m + w),
        shared_variance=shared_variance,
        missing=int((~known).sum()),
        variance=variance,
        monotone=monotone,
    )


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """Logistic regression on two probabilities or their logits."""

    intercept: float
    image: float
    """Weight of the image; on logits, 1 would take the classifier at its word."""
    age: float
    """Weight of the age model."""
    n_mutant: int
    n_wildtype: int
    scale: Scale = "logit"
    """What the weights are of."""

    def p_mutant(self, p_image: ArrayLike, p_age: ArrayLike) -> NDArray[np.float64]:
        """P(mutant | image, age); NaN where one of them is."""
        image, age = _scaled(p_image, p_age, self.scale).T
        return np.asarray(expit(self.intercept + self.image * image + self.age * age))


def fit_fusion(
    p_image: ArrayLike,
    p_age: ArrayLike,
    truth: ArrayLike,
    *,
    penalty_c: float = 1.0,
    scale: Scale = "logit",
) -> Fusion:
    """A fusion fitted on VALIDATION patients.

    Not on training patients: what a network predicts for images that it was trained on is
    resubstitution, near 0 or 1 whatever it learned, and would give the image all the weight. So
    the fusion's figures on the validation set are themselves resubstitution, unlike the test set's.

    Args:
        penalty_c: Inverse strength of the L2 penalty on both weights. At 1 a perfectly separated
            handful of patients gets finite weights; infinity is R's plain `glm`.
        scale: Logits, on which both add up as evidence does, or the bare probabilities; Liu et al.
            do not say which.

    Raises:
        SampleError: one class only, probabilities missing or outside 0..1, or unequal lengths; or
            no penalty, and the patients are separated or a probability is the same for all.
    """
    labels: Labels = labels_of(truth)
    columns = _scaled(p_image, p_age, scale)
    if len(columns) != len(labels) or not np.isfinite(columns).all():
        raise SampleError(
            f"the fusion needs two probabilities for each of {len(labels)} patients; "
            f"got {int(np.isfinite(columns).all(axis=1).sum())}"
        )
    if np.isinf(penalty_c):
        _check_finite(columns, labels)
    model = LogisticRegression(C=penalty_c, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    model.fit(columns, labels)
    image, age = model.coef_[0]
    return Fusion(
        intercept=float(model.intercept_[0]),
        image=float(image),
        age=float(age),
        n_mutant=int(labels.sum()),
        n_wildtype=int((1 - labels).sum()),
        scale=scale,
    )


def _check_finite(columns: NDArray[np.float64], labels: Labels) -> None:
    """Refuse what has no maximum-likelihood estimate."""
    spread = np.column_stack([np.ones(len(columns)), columns])
    if np.linalg.matrix_rank(spread) < 3:
        raise SampleError("fusion: image and age say the same of all patients; use penalty_c = 1")
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    if detect_separation(standard, labels).separation:
        raise SampleError(
            "fusion: image and age separate the classes, so that unpenalized weights are infinite; "
            "use penalty_c = 1"
        )


def _scaled(p_image: ArrayLike, p_age: ArrayLike, scale: Scale) -> NDArray[np.float64]:
    """(patients, 2): image and age, as logits kept finite or as they are."""
    columns = np.column_stack([np.asarray(p_image, dtype=float), np.asarray(p_age, dtype=float)])
    if bad := int(((columns < 0) | (columns > 1)).sum()):
        raise SampleError(f"fusion: {bad} of {columns.size} probabilities lie outside 0 to 1")
    if scale == "probability":
        return columns
    return np.asarray(logit(columns.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)))
