"""Table 2: the regressions of every model, coefficient by coefficient, and each model as a whole.

Source: Park et al. 2021, table 2, with what it lacks: the intercept, standard errors, intervals of
the odds ratio, whole-factor tests, R2, and what elimination removed.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from idhray.stats.papers.park.choice import refit
from idhray.stats.papers.park.features import BY_NAME
from idhray.stats.papers.park.models import ReaderModel
from idhray.stats.probabilities.optimism import optimism
from idhray.stats.regression.logistic import LogisticFit
from idhray.stats.roc.area import auc
from idhray.stats.sample import Labels, SampleError, Scored
from idhray.stats.settings import StatsSettings

UNIVARIABLE, FULL, FINAL, WITH_AGE = "univariable", "multivariable", "final", "final with age"


def table2(models: list[ReaderModel]) -> pd.DataFrame:
    """A row per model, analysis and coefficient.

    The analyzes: `univariable`, one feature at a time; `multivariable`, all candidates together;
    `final`, after elimination, what predicts; `final with age`, the image's log odds and age. A
    feature that is in none of them has a row `univariable` without figures, and `not_analysed`.
    """
    rows = [row for model in models for row in _rows(model)]
    return pd.DataFrame(rows)


def _rows(model: ReaderModel) -> Iterator[dict[str, Any]]:
    for name in BY_NAME:
        if name in model.univariable:
            yield from _terms(model, UNIVARIABLE, model.univariable[name])
        else:
            yield {
                "model": model.number,
                "analysis": UNIVARIABLE,
                "feature": name,
                "level": "",
                "reference": "",
                "not_analysed": model.not_analysed[name],
            }
    yield from _terms(model, FULL, model.full)
    yield from _terms(model, FINAL, model.fit)
    if model.with_age:
        yield from _terms(model, WITH_AGE, model.with_age)


def _terms(model: ReaderModel, analysis: str, fit: LogisticFit) -> Iterator[dict[str, Any]]:
    for term in fit.terms:
        if analysis == UNIVARIABLE and term is fit.terms[0]:
            continue  # six intercepts that nobody uses
        whole = fit.factor_tests.get(term.predictor)
        yield {
            "model": model.number,
            "analysis": analysis,
            "feature": term.predictor,
            "level": term.level,
            "reference": term.reference,
            "not_analysed": "",
            "beta": term.beta,
            "se": term.se,
            "beta_low": term.wald_low,
            "beta_high": term.wald_high,
            "beta_profile_low": term.profile_low,
            "beta_profile_high": term.profile_high,
            "odds_ratio": term.odds_ratio,
            "odds_ratio_low": term.odds_ratio_wald[0],
            "odds_ratio_high": term.odds_ratio_wald[1],
            "odds_ratio_profile_low": term.odds_ratio_profile[0],
            "odds_ratio_profile_high": term.odds_ratio_profile[1],
            "wald_p": term.wald_p,
            "lr_p": term.lr_p,
            "feature_lr_p": whole[0].p if whole else np.nan,
            "feature_wald_p": whole[1].p if whole else np.nan,
            "r2_nagelkerke": fit.r2_nagelkerke,
            "method": fit.method,
            "notes": " ".join(fit.notes),
        }


def model_table(models: list[ReaderModel], settings: StatsSettings) -> pd.DataFrame:
    """A row per model: its cases, its fit, and its AUC without and with correction for optimism."""
    return pd.DataFrame([_model_row(model, settings) for model in models])


def _model_row(model: ReaderModel, settings: StatsSettings) -> dict[str, Any]:
    cases, fit = model.cases, model.fit
    truth = cases["label"].to_numpy(dtype=int)
    kept = [predictor.name for predictor in fit.predictors]
    return {
        "model": model.number,
        "name": model.name,
        "n": len(cases),
        "wildtype": int((truth == 0).sum()),
        "mutant_real": int(((truth == 1) & cases["real"]).sum()),
        "mutant_synthetic": int((~cases["real"]).sum()),
        "candidates": ", ".join(model.candidates),
        "kept": ", ".join(kept),
        "removed": ", ".join(name for name in model.candidates if name not in kept),
        "mutants_per_parameter": fit.n_mutant / (len(fit.terms) - 1),
        "method": fit.method,
        "log_likelihood": fit.log_likelihood,
        "lr_chi2": fit.lr.statistic,
        "lr_df": fit.lr.df,
        "lr_p": fit.lr.p,
        "aic": fit.aic,
        "bic": fit.bic,
        "r2_nagelkerke": fit.r2_nagelkerke,
        "r2_cox_snell": fit.r2_cox_snell,
        "r2_mcfadden": fit.r2_mcfadden,
        "auc_apparent": auc(Scored(truth, fit.p_mutant(cases))),
        **_optimism(model, truth, settings),
        "threshold": model.threshold,
        "notes": " ".join(model.notes),
    }


def _optimism(model: ReaderModel, truth: Labels, settings: StatsSettings) -> dict[str, Any]:
    """What is left on real training patients once the whole choice is repeated on resamples.

    Synthetic cases are fitted and never judged; model 2 has no real mutant to be judged by.
    """
    names = ("auc_real", "auc_optimism", "auc_corrected", "slope_corrected", "brier_corrected")
    real = model.cases["real"].to_numpy(dtype=bool)
    if len(set(truth[real])) < 2:
        why = "No correction for optimism: there is no real mutant among its training cases."
        return {**dict.fromkeys(names, np.nan), "optimism_notes": why}
    try:
        found = optimism(
            model.cases,
            truth,
            refit(list(model.univariable), settings),
            train_only=~real,
            resamples=settings.optimism_resamples,
            seed=settings.seed,
        )
    except SampleError as error:
        why = f"No correction for optimism: {error}."
        return {**dict.fromkeys(names, np.nan), "optimism_notes": why}
    values = (
        found.auc.apparent,
        found.auc.optimism,
        found.auc.corrected,
        found.slope.corrected,
        found.brier.corrected,
    )
    return {**dict(zip(names, values, strict=True)), "optimism_notes": " ".join(found.notes)}
