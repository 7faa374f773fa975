"""Tables 1 and 2: every model without synthetic images, and one model at every synthetic count.

Source: Liu et al. 2020, tables 1 and 2; intervals, repeats and paired tests are added.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from idhray.stats.accuracy.performance import performance
from idhray.stats.accuracy.rates import accuracy_at
from idhray.stats.columns import (
    area_columns,
    calibration_columns,
    decision_rows,
    predictive_columns,
)
from idhray.stats.papers.liu.predictions import SPLITS, Predictions, SplitScores
from idhray.stats.roc.area import auc, auc_difference
from idhray.stats.roc.bootstrap import bootstrap_auc_difference
from idhray.stats.roc.curve import roc_points
from idhray.stats.sample import Scored

BASELINE = 0
"""The synthetic count with which every other count is compared."""


def baseline_table(predictions: Predictions, threshold: float) -> pd.DataFrame:
    """Table 1: one row per split and model that was trained without synthetic images."""
    rows = []
    for split in SPLITS:
        for model in predictions.models():
            if BASELINE in predictions.counts(model):
                cell = predictions.scores(model, BASELINE, split)
                row = _performance_columns(cell.sample, threshold)
                rows.append({"split": split, "model": model, **row})
    return pd.DataFrame(rows)


def sweep_table(
    predictions: Predictions, model: str, threshold: float, *, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Table 2: one row per split and synthetic count, with its difference from the baseline.

    The difference is tested twice: by DeLong's method with the variance between trainings, and by
    a bootstrap of patients and trainings (`draws` resamples), which has fewer assumptions and
    serves for comparison. If the two disagree, neither is reliable. P values are adjusted by Holm
    over the counts of a split. `chosen` marks, in both splits, the count with the highest mean AUC
    on VALIDATION; among equal counts, the one with the fewest images.
    """
    rows = []
    for split in SPLITS:
        baseline = predictions.scores(model, BASELINE, split)
        for count in predictions.counts(model):
            cell = predictions.scores(model, count, split)
            row = {"split": split, "model": model, "n_synthetic": count}
            row |= _performance_columns(cell.sample, threshold)
            if count != BASELINE:
                gain = auc_difference(
                    cell.sample.labels, cell.sample.scores, baseline.sample.scores
                )
                row |= {
                    "difference": gain.difference,
                    "difference_low": gain.ci_low,
                    "difference_high": gain.ci_high,
                    "difference_p": gain.p,
                    "difference_method": gain.ci_method,
                    **_bootstrap_columns(cell, baseline, draws, seed),
                    "se_patients": gain.se_patients,
                    "se_trainings": gain.se_trainings,
                }
            rows.append(row)
    table = pd.DataFrame(rows)
    if "difference_p" in table:
        table["difference_p_holm"] = table.groupby("split")["difference_p"].transform(holm_adjusted)
    table["chosen"] = table["n_synthetic"] == best_count(table)
    return table


def _performance_columns(sample: Scored, threshold: float) -> dict[str, Any]:
    return {
        **performance(sample, threshold),
        **area_columns(sample),
        **predictive_columns(sample, threshold),
    }


def _bootstrap_columns(
    cell: SplitScores, baseline: SplitScores, draws: int, seed: int
) -> dict[str, float | None]:
    bootstrapped = bootstrap_auc_difference(
        cell.sample.labels,
        cell.sample.scores,
        baseline.sample.scores,
        draws=draws,
        seed=seed,
    )
    return {
        "difference_bootstrap_low": bootstrapped.ci_low,
        "difference_bootstrap_high": bootstrapped.ci_high,
        "difference_bootstrap_p": bootstrapped.p,
    }


def holm_adjusted(p: "pd.Series[float]") -> "pd.Series[float]":
    """P values adjusted by Holm; the baseline's row has none.

    A comparison without a P (DeLong variance 0) counts as one with P = 1.
    """
    adjusted = pd.Series(np.nan, index=p.index)
    if len(p) > 1:
        compared = p.index[1:]  # the first row of a split is the baseline
        adjusted[compared] = multipletests(p[compared].fillna(1.0), method="holm")[1]
    return adjusted


def best_count(table: pd.DataFrame) -> int:
    """The count with the highest mean AUC on validation; the lowest among equal counts."""
    val = table[table["split"] == "val"].sort_values("n_synthetic")
    # Rounded, because equal areas may differ by 1e-16 if they were summed in another order.
    return int(val["n_synthetic"].iloc[int(val["auc"].round(9).to_numpy().argmax())])


def by_repeat(predictions: Predictions, model: str, threshold: float) -> pd.DataFrame:
    """One row per split, count and repeat: the single trainings behind the means of table 2."""
    rows = []
    for split in SPLITS:
        for count in predictions.counts(model):
            cell = predictions.scores(model, count, split)
            for number, scores in enumerate(cell.sample.scores):
                training = Scored(cell.sample.labels, scores)
                rates = accuracy_at(training, threshold)
                rows.append(
                    {
                        "split": split,
                        "n_synthetic": count,
                        "number": number,
                        "auc": auc(training),
                        "sensitivity": rates.sensitivity.value,
                        "specificity": rates.specificity.value,
                        "accuracy": rates.accuracy.value,
                    }
                )
    return pd.DataFrame(rows)


def calibration_table(predictions: Predictions, model: str) -> pd.DataFrame:
    """Calibration of each patient's mean probability over the repeats, by split and count."""
    return _rows_of_means(predictions, model, lambda cell: [calibration_columns(cell.mean_sample)])


def decision_table(predictions: Predictions, model: str) -> pd.DataFrame:
    """Decision curves of each patient's mean probability over the repeats, by split and count."""
    return _rows_of_means(predictions, model, lambda cell: decision_rows(cell.mean_sample))


def _rows_of_means(
    predictions: Predictions, model: str, rows: Callable[[SplitScores], list[dict[str, Any]]]
) -> pd.DataFrame:
    return pd.DataFrame(
        {"split": split, "n_synthetic": count, **row}
        for split in SPLITS
        for count in predictions.counts(model)
        for row in rows(predictions.scores(model, count, split))
    )


def roc_table(predictions: Predictions, model: str) -> pd.DataFrame:
    """Points of the mean ROC curve of each split and count."""
    curves = []
    for split in SPLITS:
        for count in predictions.counts(model):
            cell = predictions.scores(model, count, split)
            fpr, tpr = roc_points(cell.sample)
            curves.append(
                pd.DataFrame({"split": split, "n_synthetic": count, "fpr": fpr, "tpr": tpr})
            )
    return pd.concat(curves, ignore_index=True)
