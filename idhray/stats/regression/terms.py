"""The coefficients of a fitted model, each with its reference, intervals and tests."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.regression.design import INTERCEPT, Column, Design
from idhray.stats.regression.likelihood import Likelihood, NoMaximumError, Point
from idhray.stats.regression.profile import likelihood_ratio, profile_interval
from idhray.stats.sample import CONFIDENCE, z_of


@dataclass(frozen=True, kw_only=True)
class Term:
    """One coefficient of a model."""

    predictor: str
    """`(Intercept)` for the intercept."""
    level: str
    """Empty for the intercept and for numbers."""
    reference: str
    """The level that `level` is compared with."""
    beta: float
    se: float
    """From the inverse of X'WX at the estimate, for both methods."""
    wald_low: float
    wald_high: float
    wald_p: float
    profile_low: float
    """From the profile likelihood, or the penalized one in Firth's fit."""
    profile_high: float
    lr_p: float
    """P of the (penalized) likelihood ratio."""

    @property
    def odds_ratio(self) -> float:
        """exp(beta)."""
        return float(np.exp(self.beta))

    @property
    def odds_ratio_wald(self) -> tuple[float, float]:
        """Wald's interval of the odds ratio."""
        return float(np.exp(self.wald_low)), float(np.exp(self.wald_high))

    @property
    def odds_ratio_profile(self) -> tuple[float, float]:
        """Profile interval of the odds ratio."""
        return float(np.exp(self.profile_low)), float(np.exp(self.profile_high))

    @property
    def label(self) -> str:
        """`margin: clear, not indistinct`, or the bare name of a number."""
        column = Column(predictor=self.predictor, level=self.level, reference=self.reference)
        return column.label


def terms_of(
    model: Likelihood,
    best: Point,
    design: Design,
    tests: Mapping[str, tuple[Significance, Significance]],
) -> tuple[tuple[Term, ...], list[str]]:
    """Every coefficient with its intervals and tests, and notes on intervals that do not exist.

    Args:
        model: The likelihood.
        best: Its maximum.
        design: Meaning of the coefficients.
        tests: Likelihood ratio and Wald test per predictor; a predictor of one column takes its
            likelihood ratio from here.
    """
    z = z_of(CONFIDENCE)
    errors = np.sqrt(np.diag(np.linalg.inv(best.information)))
    terms, notes = [], []
    for index, (column, beta, se) in enumerate(zip(design.columns, best.beta, errors, strict=True)):
        name = column.predictor
        tested = name != INTERCEPT and len(design.column_indices(name)) == 1
        lr = tests[name][0] if tested else likelihood_ratio(model, best, [index])
        try:
            low, high = profile_interval(model, best, index)
        except NoMaximumError as error:
            low = high = float("nan")
            notes.append(f"{column.label}: no profile interval: {error}.")
        terms.append(
            Term(
                predictor=column.predictor,
                level=column.level,
                reference=column.reference,
                beta=float(beta),
                se=float(se),
                wald_low=float(beta - z * se),
                wald_high=float(beta + z * se),
                wald_p=float(2 * stats.norm.sf(abs(beta) / se)),
                profile_low=low,
                profile_high=high,
                lr_p=lr.p,
            )
        )
    return tuple(terms), notes
