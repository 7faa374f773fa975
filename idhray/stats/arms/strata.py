"""Areas within grade, site, sex and age group.

A stratum may have two or three patients in a fold, so that no area of a fold exists. Scores of
different folds come from different models and are not on one scale. Therefore the AUC is the share
of rightly ordered pairs among all (mutant, wildtype) pairs of patients of the same stratum who were
tested in the same fold, each pair counting once; its interval is by a jackknife over patients. The
AUPRC needs one order of all patients: the rank of a score among all tested patients of its fold,
divided by their number. Both are means over repeats, and descriptive.

Letters: K folds, R repeats, N tested patients of a fold, M mutants and W wildtypes of a stratum.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import average_precision_score

from idhray.stats.arms.predictors import AGE, FoldCohort, PredictorScores
from idhray.stats.sample import Labels, z_of

MIN_OF_A_CLASS = 5
"""Fewest patients of either class in a stratum with an area."""


def strata_table(
    predictors: Sequence[PredictorScores],
    labels: Sequence[Labels],
    people: FoldCohort,
    *,
    age_split_years: float,
) -> pd.DataFrame:
    """One row per stratum, level and predictor; areas are NaN where a class has fewer than five.

    Patients without the value that defines a stratum are in none of its levels.
    """
    rows: list[dict[str, Any]] = []
    for stratum, level, members in _strata(people, age_split_years):
        for predictor in predictors:
            if predictor.predictor == stratum != AGE:
                continue  # constant within its own level
            rows.append(
                {
                    "stratum": stratum,
                    "level": level,
                    "predictor": predictor.predictor,
                    "arm": predictor.arm,
                    **_figures(predictor, labels, members),
                    "fitted_here": predictor.fitted_here,
                }
            )
    return pd.DataFrame(rows)


def _strata(
    people: FoldCohort, age_split_years: float
) -> Iterator[tuple[str, str, list[NDArray[np.bool_]]]]:
    """Stratum, level, and per fold the mask of its patients; strata of one level are left out."""
    for stratum in ("grade", "site", "sex"):
        values = [tested[stratum].fillna("").to_numpy() for tested in people.tested]
        levels = sorted({str(value) for fold in values for value in fold} - {""})
        if len(levels) > 1:
            for level in levels:
                yield stratum, level, [fold == level for fold in values]
    ages = [tested["age"].to_numpy(dtype=float) for tested in people.tested]
    if any((~np.isnan(fold)).any() for fold in ages):
        yield "age", f"< {age_split_years:g}", [fold < age_split_years for fold in ages]
        yield "age", f">= {age_split_years:g}", [fold >= age_split_years for fold in ages]


def _figures(
    predictor: PredictorScores, labels: Sequence[Labels], members: Sequence[NDArray[np.bool_]]
) -> dict[str, Any]:
    present = [
        mask & ~np.isnan(scores).any(axis=0)
        for mask, scores in zip(members, predictor.scores, strict=True)
    ]
    truth = np.concatenate([label[mask] for label, mask in zip(labels, present, strict=True)])
    mutants = int(truth.sum())
    counts = {"n": len(truth), "n_mutant": mutants, "n_wildtype": len(truth) - mutants}
    if min(mutants, len(truth) - mutants) < MIN_OF_A_CLASS:
        return {**counts, "pairs": 0, "auc": np.nan, "auc_low": np.nan, "auc_high": np.nan} | {
            "auprc": np.nan
        }
    ordered = [
        _right_pairs(scores[:, mask], label[mask])
        for scores, label, mask in zip(predictor.scores, labels, present, strict=True)
    ]
    area, low, high = pair_area(ordered)
    ranks = [
        _fold_ranks(scores)[:, mask] for scores, mask in zip(predictor.scores, present, strict=True)
    ]
    pooled = np.hstack(ranks)
    auprc = np.mean([average_precision_score(truth, row) for row in pooled])
    pairs = sum(fold.size for fold in ordered)
    return {
        **counts,
        "pairs": pairs,
        "auc": area,
        "auc_low": low,
        "auc_high": high,
        "auprc": float(auprc),
    }


def _right_pairs(scores: NDArray[np.float64], labels: Labels) -> NDArray[np.float64]:
    """(M, W) share of repeats in which a mutant scores above a wildtype, ties counting half."""
    mutant, wildtype = scores[:, labels == 1, None], scores[:, None, labels == 0]
    return np.asarray((np.sign(mutant - wildtype) + 1).mean(axis=0) / 2)


def _fold_ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R, N) ranks within the fold over the number of ranked patients; NaN stays NaN."""
    return np.asarray(
        stats.rankdata(scores, axis=1, nan_policy="omit")
        / np.maximum((~np.isnan(scores)).sum(axis=1, keepdims=True), 1)
    )


def pair_area(folds: Sequence[NDArray[np.float64]]) -> tuple[float, float, float]:
    """Share of right pairs within folds, (M, W) each, with its 95% interval; NaN without pairs."""
    pairs = sum(fold.size for fold in folds)
    if not pairs:
        return np.nan, np.nan, np.nan
    right = sum(float(fold.sum()) for fold in folds)
    area = right / pairs
    without = []  # (right, pairs) that are left if one patient is removed
    for fold in folds:
        m, w = fold.shape
        without += [(right - each, pairs - w) for each in fold.sum(axis=1)]
        without += [(right - each, pairs - m) for each in fold.sum(axis=0)]
    shares = np.array([left / number for left, number in without if number])
    n = len(shares)
    variance = (n - 1) / n * float(np.square(shares - shares.mean()).sum())
    half = z_of(0.95) * variance**0.5 if variance > 0 else np.nan
    return area, max(area - half, 0.0), min(area + half, 1.0)
