"""Logistic regression of IDH status on findings: estimates, intervals and tests as R gives them.

Maximum likelihood, or Firth's penalized likelihood where the classes are separated. A coefficient
(beta) is a difference of log odds of being mutant; its odds ratio is exp(beta).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, xlogy

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.regression.design import Design, Predictor, coded, fitting_design
from idhray.stats.regression.likelihood import Likelihood
from idhray.stats.regression.profile import likelihood_ratio, wald
from idhray.stats.regression.separation import Separation, separation
from idhray.stats.regression.terms import Term, terms_of
from idhray.stats.sample import Labels, SampleError, labels_of

ML = "maximum likelihood"
FIRTH = "Firth's penalized likelihood"
MIN_EVENTS_PER_PARAMETER = 10
"""Below this a note is added. Source: Peduzzi et al. 1996 (J Clin Epidemiol 49:1373)."""

Method = Literal["auto", "ml", "firth"]


@dataclass(frozen=True, kw_only=True)
class LogisticFit:
    """A fitted model with everything that is reported of it."""

    method: str
    """`maximum likelihood` or `Firth's penalized likelihood`."""
    predictors: tuple[Predictor, ...]
    """Factors with the levels that occurred."""
    terms: tuple[Term, ...]
    """The intercept first."""
    n: int
    n_mutant: int
    log_likelihood: float
    """At the estimates, without the penalty in either method."""
    null_log_likelihood: float
    """Of the share of mutants alone."""
    penalized_log_likelihood: float | None
    """With Firth's penalty; None in a fit by maximum likelihood."""
    aic: float
    bic: float
    r2_nagelkerke: float
    """This and the next two may lie below 0 in Firth's fit, which does not maximize them."""
    r2_cox_snell: float
    r2_mcfadden: float
    lr: Significance
    """All coefficients but the intercept."""
    factor_tests: Mapping[str, tuple[Significance, Significance]]
    """Per predictor, all its levels together: (penalized) likelihood ratio, and Wald."""
    separated: tuple[str, ...]
    """Columns that separate the classes, `margin: clear, not indistinct`."""
    notes: tuple[str, ...]

    @property
    def beta(self) -> NDArray[np.float64]:
        """The coefficients, the intercept's first."""
        return np.array([term.beta for term in self.terms])

    def linear_predictor(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Log odds of being mutant, one per row.

        Raises:
            SampleError: a predictor is absent, or has missing values or a level that no patient
                had on whom the model was fitted.
        """
        return np.asarray(coded(frame, self.predictors)[1] @ self.beta)

    def p_mutant(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """P(mutant), one per row; raises as `linear_predictor`."""
        return np.asarray(expit(self.linear_predictor(frame)))


def fit_logistic(
    frame: pd.DataFrame,
    truth: ArrayLike,
    predictors: Sequence[Predictor],
    *,
    method: Method = "auto",
    confidence: float = 0.95,
) -> LogisticFit:
    """A model of being mutant (1) on predictors.

    Args:
        frame: One row per patient with the predictors' columns.
        truth: One 0 or 1 per row, by position.
        method: `auto` is maximum likelihood, and Firth's penalized likelihood where the classes
            are separated; `ml` refuses such patients; `firth` always penalizes.

    Raises:
        SampleError: as `fitting_design`; one class only; separated classes with method `ml`; or
            confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise SampleError(f"confidence must lie between 0 and 1, got {confidence}")
    labels, design = labeled_design(frame, truth, predictors)
    found = separation(design, labels)
    if found and method == "ml":
        raise SampleError(_refusal(found))
    penalized = method == "firth" or found is not None
    return _fit(design, labels, found, penalized=penalized, confidence=confidence)


def univariable(
    frame: pd.DataFrame, truth: ArrayLike, predictors: Sequence[Predictor], **kw: Any
) -> list[LogisticFit]:
    """A model for each predictor by itself, in their order; options as in `fit_logistic`."""
    return [fit_logistic(frame, truth, [one], **kw) for one in predictors]


def labeled_design(
    frame: pd.DataFrame, truth: ArrayLike, predictors: Sequence[Predictor]
) -> tuple[Labels, Design]:
    """0/1 labels and the design they belong to; raises SampleError as `fit_logistic`."""
    labels = labels_of(truth)
    if len(labels) != len(frame):
        raise SampleError(f"{len(labels)} labels, but {len(frame)} rows of predictors")
    return labels, fitting_design(frame, predictors)


def _fit(
    design: Design,
    labels: Labels,
    found: Separation | None,
    *,
    penalized: bool,
    confidence: float,
) -> LogisticFit:
    model = Likelihood(matrix=design.matrix, labels=labels, penalized=penalized)
    best = model.maximum()
    n, count = design.matrix.shape
    mutant = int(labels.sum())
    null = float(xlogy(mutant, mutant / n) + xlogy(n - mutant, 1 - mutant / n))
    plain = best.log_likelihood
    cox_snell = 1 - np.exp(2 * (null - plain) / n)
    tests = {
        one.name: (
            likelihood_ratio(model, best, design.places(one.name)),
            wald(best, design.places(one.name)),
        )
        for one in design.predictors
    }
    terms, gaps = terms_of(model, best, design, tests, confidence)
    return LogisticFit(
        method=FIRTH if penalized else ML,
        predictors=design.predictors,
        terms=terms,
        n=n,
        n_mutant=mutant,
        log_likelihood=plain,
        null_log_likelihood=null,
        penalized_log_likelihood=best.value if penalized else None,
        aic=2 * count - 2 * plain,
        bic=float(count * np.log(n) - 2 * plain),
        r2_nagelkerke=float(cox_snell / (1 - np.exp(2 * null / n))),
        r2_cox_snell=float(cox_snell),
        r2_mcfadden=1 - plain / null,
        lr=likelihood_ratio(model, best, range(1, count)),
        factor_tests=tests,
        separated=found.columns if found else (),
        notes=(*design.notes, *gaps, *_notes(found, n, mutant, count, penalized=penalized)),
    )


def _refusal(found: Separation) -> str:
    return (
        f"{found.kind} separation by {'; '.join(found.columns)}: there is no finite maximum-"
        "likelihood estimate; use Firth's penalized likelihood (method firth)"
    )


def _notes(
    found: Separation | None, n: int, mutant: int, count: int, *, penalized: bool
) -> list[str]:
    notes = []
    if found:
        notes.append(
            f"{found.kind.capitalize()} separation by {'; '.join(found.columns)}: fitted by "
            "Firth's penalized likelihood, with its intervals and P values."
        )
        notes.extend(found.notes)
    if penalized:
        notes.append("AIC, BIC and R2 take the likelihood without the penalty.")
    events = min(mutant, n - mutant)
    if count > 1 and events < MIN_EVENTS_PER_PARAMETER * (count - 1):
        notes.append(
            f"{events} patients in the smaller class for {count - 1} coefficients: "
            f"{events / (count - 1):.1f} each, below {MIN_EVENTS_PER_PARAMETER}."
        )
    return notes
