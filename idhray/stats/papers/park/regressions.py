"""Table 2: the regressions of every model, coefficient by coefficient, and each model as a whole.

Source: Park et al. 2021, table 2; the intercept, standard errors, intervals of the odds ratio,
whole-factor tests, R2, and the features that elimination removed are added.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from idhray.stats.papers.park.features import BY_NAME
from idhray.stats.papers.park.models import ReaderModel
from idhray.stats.papers.park.resampled_choice import chosen_model, coded_cases
from idhray.stats.probabilities.optimism import optimism_of_rows
from idhray.stats.regression.logistic import LogisticFit
from idhray.stats.resampling import Rows
from idhray.stats.roc.area import auc
from idhray.stats.sample import Labels, SampleError, Scored, Scores
from idhray.stats.settings import StatsSettings

UNIVARIABLE, FULL, FINAL, WITH_AGE = "univariable", "multivariable", "final", "final with age"


def regression_table(models: list[ReaderModel]) -> pd.DataFrame:
    """Table 2: one row per model, analysis and coefficient.

    The analyses are `univariable`, one feature at a time; `multivariable`, all candidates together;
    `final`, the fit that predicts, after elimination; and `final with age`, the image's log odds
    and age. A feature that is in no analysis has a row `univariable` with the reason in the column
    `not_analysed` and without figures.
    """
    rows = [row for model in models for row in _rows(model)]
    return pd.DataFrame(rows)


def _rows(model: ReaderModel) -> Iterator[dict[str, Any]]:
    for name in BY_NAME:
        if name in model.univariable:
            yield from _term_rows(model, UNIVARIABLE, model.univariable[name])
        else:
            yield {
                "model": model.number,
                "analysis": UNIVARIABLE,
                "feature": name,
                "level": "",
                "reference": "",
                "not_analysed": model.not_analyzed[name],
            }
    yield from _term_rows(model, FULL, model.full)
    yield from _term_rows(model, FINAL, model.fit)
    if model.with_age:
        yield from _term_rows(model, WITH_AGE, model.with_age)


def _term_rows(model: ReaderModel, analysis: str, fit: LogisticFit) -> Iterator[dict[str, Any]]:
    for term in fit.terms:
        if analysis == UNIVARIABLE and term is fit.terms[0]:
            continue  # nobody uses the intercepts of single features
        factor_tests = fit.factor_tests.get(term.predictor)
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
            "feature_lr_p": factor_tests[0].p if factor_tests else np.nan,
            "feature_wald_p": factor_tests[1].p if factor_tests else np.nan,
            "r2_nagelkerke": fit.r2_nagelkerke,
            "method": fit.method,
            "notes": " ".join(fit.notes),
        }


def model_table(models: list[ReaderModel], settings: StatsSettings) -> pd.DataFrame:
    """One row per model: cases, fit, and AUC without and with correction for optimism."""
    return pd.DataFrame([_model_row(model, settings) for model in models])


def _model_row(model: ReaderModel, settings: StatsSettings) -> dict[str, Any]:
    cases, fit = model.cases, model.fit
    truth = cases["label"].to_numpy(dtype=int)
    remaining = [predictor.name for predictor in fit.predictors]
    return {
        "model": model.number,
        "name": model.name,
        "n": len(cases),
        "wildtype": int((truth == 0).sum()),
        "mutant_real": int(((truth == 1) & cases["real"]).sum()),
        "mutant_synthetic": int((~cases["real"]).sum()),
        "candidates": ", ".join(model.candidates),
        "kept": ", ".join(remaining),
        "removed": ", ".join(name for name in model.candidates if name not in remaining),
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
    """Figures on real training patients, corrected by repeating the whole choice on resamples.

    Synthetic cases are fitted but never judged, so model 2 has no real mutant to be judged on.
    """
    names = ("auc_real", "auc_optimism", "auc_corrected", "slope_corrected", "brier_corrected")
    real = model.cases["real"].to_numpy(dtype=bool)
    if len(set(truth[real])) < 2:
        reason = "No correction for optimism: there is no real mutant among its training cases."
        return {**dict.fromkeys(names, np.nan), "optimism_notes": reason}
    feature_names = list(model.univariable)
    cases = coded_cases(model.cases, feature_names)
    patients = coded_cases(model.cases[real], feature_names)

    def judge(rows: Rows) -> tuple[Scores, bool]:
        chosen = chosen_model(cases, rows, truth[rows], feature_names, settings)
        return chosen.p_mutant(patients), chosen.separated

    try:
        corrected = optimism_of_rows(
            truth,
            judge,
            train_only=~real,
            resamples=settings.optimism_resamples,
            seed=settings.seed,
            label=f"optimism of model {model.number}",
        )
    except SampleError as error:
        reason = f"No correction for optimism: {error}."
        return {**dict.fromkeys(names, np.nan), "optimism_notes": reason}
    values = (
        corrected.auc.apparent,
        corrected.auc.optimism,
        corrected.auc.corrected,
        corrected.slope.corrected,
        corrected.brier.corrected,
    )
    return {**dict(zip(names, values, strict=True)), "optimism_notes": " ".join(corrected.notes)}
