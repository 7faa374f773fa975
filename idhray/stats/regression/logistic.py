"""Logistic regression of IDH status on findings: estimates, intervals and tests as R gives them.

Maximum likelihood, or Firth's penalized likelihood if the classes are separated. A coefficient
(beta) is a difference of log odds of being mutant; its odds ratio is exp(beta).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, xlogy

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.regression.design import (
    Design,
    Predictor,
    coded,
    fitting_design,
    linear_predictor,
)
from idhray.stats.regression.likelihood import Likelihood
from idhray.stats.regression.profile import likelihood_ratio, wald
from idhray.stats.regression.separation import Separation, separation
from idhray.stats.regression.terms import Term, terms_of
from idhray.stats.sample import Labels, SampleError, labels_of

ML = "maximum likelihood"
FIRTH = "Firth's penalized likelihood"
MIN_EVENTS_PER_PARAMETER = 10
"""Below this a note is added. Source: Peduzzi et al. 1996 (J Clin Epidemiol 49:1373)."""

FitMethod = Literal["auto", "ml", "firth"]


@dataclass(frozen=True, kw_only=True)
class LogisticFit:
    """A fitted model with all figures that are reported of it."""

    method: str
    """`maximum likelihood` or `Firth's penalized likelihood`."""
    predictors: tuple[Predictor, ...]
    """Factors with the levels that occurred."""
    terms: tuple[Term, ...]
    """The intercept first."""
    n: int
    n_mutant: int
    log_likelihood: float
    """Log-likelihood at the estimates, without the penalty in either method."""
    null_log_likelihood: float
    """Log-likelihood of the share of mutants alone."""
    penalized_log_likelihood: float | None
    """With Firth's penalty; None in a fit by maximum likelihood."""
    aic: float
    bic: float
    r2_nagelkerke: float
    """This and the next two may lie below 0 in Firth's fit, which does not maximize them."""
    r2_cox_snell: float
    r2_mcfadden: float
    lr: Significance
    """Likelihood ratio of all coefficients but the intercept."""
    factor_tests: Mapping[str, tuple[Significance, Significance]]
    """Per predictor, all its levels together: (penalized) likelihood ratio, and Wald."""
    separated: tuple[str, ...]
    """Columns that separate the classes, `margin: clear, not indistinct`."""
    notes: tuple[str, ...]

    @property
    def beta(self) -> NDArray[np.float64]:
        """Coefficients, the intercept's first."""
        return np.array([term.beta for term in self.terms])

    def linear_predictor(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Log odds of being mutant, one per row.

        Raises:
            SampleError: a predictor is absent, or has missing values or a level that no patient
                had on whom the model was fitted.
        """
        return linear_predictor(coded(frame, self.predictors)[1], self.beta)

    def p_mutant(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """P(mutant), one per row; raises as `linear_predictor`."""
        return np.asarray(expit(self.linear_predictor(frame)))


def fit_logistic(
    frame: pd.DataFrame,
    truth: ArrayLike,
    predictors: Sequence[Predictor],
    *,
    method: FitMethod = "auto",
) -> LogisticFit:
    """A model of being mutant (1) on predictors.

    Args:
        frame: One row per patient with the predictors' columns.
        truth: One 0 or 1 per row, by position.
        method: `auto` is maximum likelihood, and Firth's penalized likelihood if the classes
            are separated; `ml` refuses such patients; `firth` always penalizes.

    Raises:
        SampleError: as `fitting_design`; one class only; or separated classes with method `ml`.
    """
    labels, design = labeled_design(frame, truth, predictors)
    separated = separation(design, labels)
    if separated and method == "ml":
        raise SampleError(_refusal(separated))
    return _fit(design, labels, separated, penalized=method == "firth" or separated is not None)


def labeled_design(
    frame: pd.DataFrame, truth: ArrayLike, predictors: Sequence[Predictor]
) -> tuple[Labels, Design]:
    """0/1 labels and the design they belong to; raises SampleError as `fit_logistic`."""
    labels = labels_of(truth)
    if len(labels) != len(frame):
        raise SampleError(f"{len(labels)} labels, but {len(frame)} rows of predictors")
    return labels, fitting_design(frame, predictors)


def _fit(
    design: Design, labels: Labels, separated: Separation | None, *, penalized: bool
) -> LogisticFit:
    model = Likelihood(matrix=design.matrix, labels=labels, penalized=penalized)
    best = model.maximum()
    n, count = design.matrix.shape
    mutant = int(labels.sum())
    null = float(xlogy(mutant, mutant / n) + xlogy(n - mutant, 1 - mutant / n))
    plain = best.log_likelihood
    cox_snell = 1 - np.exp(2 * (null - plain) / n)
    tests = {
        predictor.name: (
            likelihood_ratio(model, best, design.column_indices(predictor.name)),
            wald(best, design.column_indices(predictor.name)),
        )
        for predictor in design.predictors
    }
    terms, gaps = terms_of(model, best, design, tests)
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
        separated=separated.columns if separated else (),
        notes=(*design.notes, *gaps, *_notes(separated, n, mutant, count, penalized=penalized)),
    )


def _refusal(separated: Separation) -> str:
    return (
        f"{separated.kind} separation by {'; '.join(separated.columns)}: there is no finite "
        "maximum-likelihood estimate; use Firth's penalized likelihood (method firth)"
    )


def _notes(
    separated: Separation | None, n: int, mutant: int, count: int, *, penalized: bool
) -> list[str]:
    notes = []
    if separated:
        notes.append(
            f"{separated.kind.capitalize()} separation by {'; '.join(separated.columns)}: fitted "
            "by Firth's penalized likelihood, with its intervals and P values."
        )
        notes.extend(separated.notes)
    if penalized:
        notes.append("AIC, BIC and R2 take the likelihood without the penalty.")
    events = min(mutant, n - mutant)
    if count > 1 and events < MIN_EVENTS_PER_PARAMETER * (count - 1):
        notes.append(
            f"{events} patients in the smaller class for {count - 1} coefficients: "
            f"{events / (count - 1):.1f} each, below {MIN_EVENTS_PER_PARAMETER}."
        )
    return notes
