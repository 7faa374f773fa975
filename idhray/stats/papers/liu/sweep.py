"""Tables 1 and 2: how well each model does without synthetic images, and one model with more.

Source: Liu et al. 2020, tables 1 and 2, with what they lack: intervals, repeats, paired tests.
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
"""The synthetic count that every other one is compared with."""


def table1(predictions: Predictions, threshold: float) -> pd.DataFrame:
    """A row per split and model that was trained without synthetic images."""
    rows = []
    for split in SPLITS:
        for model in predictions.models():
            if BASELINE in predictions.counts(model):
                cell = predictions.scores(model, BASELINE, split)
                row = _figures(cell, threshold)
                rows.append({"split": split, "model": model, **row})
    return pd.DataFrame(rows)


def table2(
    predictions: Predictions, model: str, threshold: float, *, draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """A row per split and synthetic count, with its difference to no synthetic images.

    The difference is tested twice: by DeLong's method with the variance between trainings, and by
    a bootstrap of patients and of trainings (`draws` resamples), which assumes less and is for
    comparison: where the two disagree, neither is to be trusted far.
    P values are adjusted by Holm over the counts of a split. `chosen` marks the count with the
    highest mean AUC on VALIDATION, the fewest images among equals, in both splits.
    """
    rows = []
    for split in SPLITS:
        baseline = predictions.scores(model, BASELINE, split)
        for count in predictions.counts(model):
            cell = predictions.scores(model, count, split)
            row = {"split": split, "model": model, "n_synthetic": count}
            row |= _figures(cell, threshold)
            if count != BASELINE:
                gain = auc_difference(cell.labels, cell.scores, baseline.scores)
                row |= {
                    "difference": gain.difference,
                    "difference_low": gain.ci_low,
                    "difference_high": gain.ci_high,
                    "difference_p": gain.p,
                    "difference_method": gain.ci_method,
                    **_bootstrapped(cell, baseline, draws, seed),
                    "se_patients": gain.se_patients,
                    "se_trainings": gain.se_trainings,
                }
            rows.append(row)
    table = pd.DataFrame(rows)
    if "difference_p" in table:
        table["difference_p_holm"] = table.groupby("split")["difference_p"].transform(holm)
    table["chosen"] = table["n_synthetic"] == best_count(table)
    return table


def _figures(cell: SplitScores, threshold: float) -> dict[str, Any]:
    return {
        **performance(cell.labels, cell.scores, threshold),
        **area_columns(cell.labels, cell.scores),
        **predictive_columns(cell.labels, cell.scores, threshold),
    }


def _bootstrapped(
    cell: SplitScores, baseline: SplitScores, draws: int, seed: int
) -> dict[str, float | None]:
    found = bootstrap_auc_difference(
        cell.labels, cell.scores, baseline.scores, draws=draws, seed=seed
    )
    return {
        "difference_bootstrap_low": found.ci_low,
        "difference_bootstrap_high": found.ci_high,
        "difference_bootstrap_p": found.p,
    }


def holm(p: "pd.Series[float]") -> "pd.Series[float]":
    """P values adjusted by Holm; the baseline's row has none and keeps none.

    A comparison without a P of its own (DeLong variance 0) counts as one with P = 1.
    """
    adjusted = pd.Series(np.nan, index=p.index)
    if len(p) > 1:
        compared = p.index[1:]  # the first row of a split is the baseline
        adjusted[compared] = multipletests(p[compared].fillna(1.0), method="holm")[1]
    return adjusted


def best_count(table: pd.DataFrame) -> int:
    """The count with the highest mean AUC on validation; the fewest among equals."""
    val = table[table["split"] == "val"].sort_values("n_synthetic")
    # Rounded: areas are fractions, and the same one summed in another order may differ by 1e-16.
    return int(val["n_synthetic"].iloc[int(val["auc"].round(9).to_numpy().argmax())])


def by_repeat(predictions: Predictions, model: str, threshold: float) -> pd.DataFrame:
    """A row per split, count and repeat: the dots behind the means of table 2."""
    rows = []
    for split in SPLITS:
        for count in predictions.counts(model):
            cell = predictions.scores(model, count, split)
            for number, scores in enumerate(cell.scores):
                at = accuracy_at(cell.labels, scores, threshold)
                rows.append(
                    {
                        "split": split,
                        "n_synthetic": count,
                        "number": number,
                        "auc": auc(Scored(cell.labels, scores)),
                        "sensitivity": at.sensitivity.value,
                        "specificity": at.specificity.value,
                        "accuracy": at.accuracy.value,
                    }
                )
    return pd.DataFrame(rows)


def calibration_table(predictions: Predictions, model: str) -> pd.DataFrame:
    """Calibration of each patient's mean probability over the repeats, by split and count."""
    return _of_means(predictions, model, lambda cell: [calibration_columns(cell.labels, cell.mean)])


def decision_table(predictions: Predictions, model: str) -> pd.DataFrame:
    """Decision curves of each patient's mean probability over the repeats, by split and count."""
    return _of_means(predictions, model, lambda cell: decision_rows(cell.labels, cell.mean))


def _of_means(
    predictions: Predictions, model: str, rows: Callable[[SplitScores], list[dict[str, Any]]]
) -> pd.DataFrame:
    return pd.DataFrame(
        {"split": split, "n_synthetic": count, **row}
        for split in SPLITS
        for count in predictions.counts(model)
        for row in rows(predictions.scores(model, count, split))
    )


def roc_table(predictions: Predictions, model: str) -> pd.DataFrame:
    """The points of the mean ROC curve of each split and count."""
    curves = []
    for split in SPLITS:
        for count in predictions.counts(model):
            cell = predictions.scores(model, count, split)
            fpr, tpr = roc_points(Scored(cell.labels, cell.scores))
            curves.append(
                pd.DataFrame({"split": split, "n_synthetic": count, "fpr": fpr, "tpr": tpr})
            )
    return pd.concat(curves, ignore_index=True)
