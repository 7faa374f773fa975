"""Logistic regression of IDH status on findings."""

from collections.abc import Mapping, Sequence

import pandas as pd
from numpy.typing import ArrayLike

from idhray.stats.interface.answer import Answer, interval_text
from idhray.stats.interface.inputs import check_columns, check_index, labels_from
from idhray.stats.regression.candidates import Rule
from idhray.stats.regression.design import Covariate, Factor, Predictor
from idhray.stats.regression.logistic import FitMethod, LogisticFit, fit_logistic
from idhray.stats.regression.stepwise import Stepwise, stepwise
from idhray.stats.sample import Labels
from idhray.stats.text import p_text, printed


def logistic_regression(
    frame: pd.DataFrame,
    truth: str | ArrayLike,
    *,
    numeric: Sequence[str] = (),
    categorical: Mapping[str, Sequence[str]] | None = None,
    method: FitMethod = "auto",
) -> Answer[LogisticFit]:
    """A logistic model of being mutant, with profile-likelihood intervals.

    Args:
        frame: One row per patient.
        truth: Labels, mutant or wildtype, 1 or 0; or the name of their column.
        numeric: Columns that enter linearly.
        categorical: Column -> its levels, the reference first.
        method: `auto` is maximum likelihood, and Firth's penalized likelihood if the classes are
            separated; `ml` refuses such patients; `firth` always penalizes.

    Returns:
        Frame: one row per coefficient with predictor, level, reference, odds_ratio, ci_low,
        ci_high, p (likelihood ratio), beta, se, wald_low, wald_high, wald_p.

    Raises:
        SampleError: a column is missing, constant or collinear, or has missing values; one class
            only; separated classes with method `ml`.
    """
    predictors = _predictors(frame, numeric, categorical)
    fit = fit_logistic(frame, _labels(frame, truth), predictors, method=method)
    return Answer(figures=fit, text=_text(fit), table=_terms(fit), notes=fit.notes)


def stepwise_regression(
    frame: pd.DataFrame,
    truth: str | ArrayLike,
    *,
    numeric: Sequence[str] = (),
    categorical: Mapping[str, Sequence[str]] | None = None,
    rule: Rule = "lr",
    alpha: float = 0.05,
) -> Answer[Stepwise]:
    """Backward elimination of whole predictors; the frame is that of the chosen model.

    Its P values and intervals take the chosen predictors as though they had been fixed before.

    Args:
        frame, truth, numeric, categorical: As for `logistic_regression`.
        rule: `lr` or `wald` remove the largest P above `alpha`; `aic` or `bic` minimize it.
        alpha: Largest P that a predictor may have.

    Raises:
        SampleError: as `logistic_regression`; alpha is not between 0 and 1.
    """
    predictors = _predictors(frame, numeric, categorical)
    result = stepwise(frame, _labels(frame, truth), predictors, rule=rule, alpha=alpha)
    chosen = ", ".join(result.chosen) or "no predictor"
    return Answer(
        figures=result,
        text=f"{result.rule}: {chosen}.\n{_text(result.fit)}",
        table=_terms(result.fit),
        notes=(*result.notes, *result.fit.notes),
    )


def _labels(frame: pd.DataFrame, truth: str | ArrayLike) -> Labels:
    if isinstance(truth, str):
        check_columns(frame, [truth])
        return labels_from(frame[truth])
    check_index(frame, truth)
    return labels_from(truth)


def _predictors(
    frame: pd.DataFrame, numeric: Sequence[str], categorical: Mapping[str, Sequence[str]] | None
) -> list[Predictor]:
    factors = {} if categorical is None else categorical
    check_columns(frame, [*numeric, *factors])
    covariates = [Covariate(name=name) for name in numeric]
    return [
        *covariates,
        *(Factor(name=name, levels=tuple(levels)) for name, levels in factors.items()),
    ]


def _text(fit: LogisticFit) -> str:
    lines = [f"{fit.n} patients, {fit.n_mutant} mutant, {fit.method}."]
    lines += [
        f"{term.label}: odds ratio {printed(term.odds_ratio)} "
        f"({interval_text(*term.odds_ratio_profile)}), {p_text(term.lr_p)}."
        for term in fit.terms[1:]
    ]
    return "\n".join(lines)


def _terms(fit: LogisticFit) -> pd.DataFrame:
    rows = [
        {
            "predictor": term.predictor,
            "level": term.level,
            "reference": term.reference,
            "odds_ratio": term.odds_ratio,
            "ci_low": term.odds_ratio_profile[0],
            "ci_high": term.odds_ratio_profile[1],
            "p": term.lr_p,
            "beta": term.beta,
            "se": term.se,
            "wald_low": term.wald_low,
            "wald_high": term.wald_high,
            "wald_p": term.wald_p,
        }
        for term in fit.terms
    ]
    return pd.DataFrame(rows)
