"""Areas of the predictors that a reader asks for first: age, sex, grade, image, image and age.

Letters: K folds, R repeats, N tested patients of a fold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from idhray.stats.arms.predictors import AGE, IMAGE, PredictorScores
from idhray.stats.mrmc.split_plot import combined_contrast
from idhray.stats.roc.delong import components, covariance
from idhray.stats.roc.intervals import hanley_mcneil_interval
from idhray.stats.sample import Labels, z_of
from idhray.stats.text import printed

FEW_OF_A_CLASS = 30
"""Below this many patients of a class the notes say how far areas move."""


def baseline_table(predictors: Sequence[PredictorScores], labels: Sequence[Labels]) -> pd.DataFrame:
    """One row per predictor: mean area over folds (and repeats) with its interval, and AUPRC.

    A patient without the value (an unknown age) is left out of the row. A fold with fewer than two
    such patients of a class is left out, too; `folds` counts the others.
    """
    return pd.DataFrame([_row(predictor, labels) for predictor in predictors])


def _row(predictor: PredictorScores, labels: Sequence[Labels]) -> dict[str, Any]:
    folds = []
    for truth, scores in zip(labels, predictor.scores, strict=True):
        present = ~np.isnan(scores).any(axis=0)
        if min(np.bincount(truth[present], minlength=2)) >= 2:
            folds.append((truth[present], scores[:, present]))
    mutants = int(sum(truth.sum() for truth, _ in folds))
    patients = sum(len(truth) for truth, _ in folds)
    area, low, high = _area(folds) if folds else (np.nan, np.nan, np.nan)
    return {
        "predictor": predictor.predictor,
        "arm": predictor.arm,
        "n": patients,
        "n_mutant": mutants,
        "n_wildtype": patients - mutants,
        "folds": len(folds),
        "repeats": len(predictor.scores[0]),
        "auc": area,
        "auc_low": low,
        "auc_high": high,
        "auprc": float(np.mean([_auprc(*fold) for fold in folds])) if folds else np.nan,
        "fitted_on": predictor.fitted_on,
        "fitted_here": predictor.fitted_here,
    }


def _area(folds: Sequence[tuple[Labels, NDArray[np.float64]]]) -> tuple[float, float, float]:
    """Mean area over folds with its 95% interval: over patients, and trainings if repeated."""
    parts = [components(truth, scores) for truth, scores in folds]
    if len(folds[0][1]) > 1:
        area = combined_contrast([[part] for part in parts], [1.0])
        return area.difference, max(area.ci_low, 0.0), min(area.ci_high, 1.0)
    mean = float(np.mean([of_mutants.mean() for of_mutants, _ in parts]))
    variance = sum(float(covariance(*part)[0, 0]) for part in parts) / len(parts) ** 2
    half = z_of(0.95) * variance**0.5 if variance > 0 else np.nan
    return mean, max(mean - half, 0.0), min(mean + half, 1.0)


def _auprc(labels: Labels, scores: NDArray[np.float64]) -> float:
    return float(np.mean([average_precision_score(labels, row) for row in scores]))


def age_headline(baselines: pd.DataFrame) -> str:
    """A sentence if age alone does at least as well as every image; else empty."""
    if baselines.empty:
        return ""
    age = baselines[(baselines["predictor"] == AGE) & baselines["auc"].notna()]
    image = baselines[(baselines["predictor"] == IMAGE) & baselines["auc"].notna()]
    if age.empty or image.empty or image["auc"].max() > age["auc"].iloc[0]:
        return ""
    best = image.loc[image["auc"].idxmax()]
    return (
        f"No image classifier here is better than age alone: AUC {printed(age['auc'].iloc[0])} by "
        f"age ({age['n'].iloc[0]} patients), {printed(best['auc'])} by image (arm {best['arm']})."
    )


def few_patients_sentence(auc: float, n_mutant: int, n_wildtype: int) -> str:
    """A sentence on how far an area moves with the cohort; empty with 30 or more of each class."""
    if min(n_mutant, n_wildtype) >= FEW_OF_A_CLASS or not np.isfinite(auc):
        return ""
    low, high = hanley_mcneil_interval(auc, n_mutant, n_wildtype)
    name, number = ("wildtype", n_wildtype) if n_wildtype <= n_mutant else ("mutant", n_mutant)
    return (
        f"With {number} {name} patients an AUC of {printed(auc)} moves by about "
        f"\u00b1{printed((high - low) / 2, 2)} from cohort to cohort (95%, Hanley-McNeil), and "
        "more within strata."
    )
