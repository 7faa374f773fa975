"""Figures of arms and single trainings: areas, accuracy, AUPRC, Brier score.

Letters: K folds, R repeats, N patients of a fold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from idhray.stats.arms.columns import TEST
from idhray.stats.arms.contrasts import ArmAreas
from idhray.stats.arms.names import arm_name
from idhray.stats.arms.predictions import ArmPredictions
from idhray.stats.mrmc.split_plot import combined_contrast
from idhray.stats.sample import Labels

TRIAL = ["fold", "repeat", "arm"]
RATES = ("auprc", "accuracy", "sensitivity", "specificity", "brier")


def trial_table(areas: ArmAreas, threshold: float) -> pd.DataFrame:
    """One row per complete block: the figures of a single training on its test patients."""
    rows = []
    predictions = areas.predictions
    for number, fold in enumerate(predictions.folds):
        for arm, repeat in sorted(fold.blocks):
            of_mutants, _ = areas.components(number, arm, [repeat])
            rates = _rates(fold.labels, fold.blocks[arm, repeat], threshold)
            rows.append(
                {
                    "arm": arm,
                    "fold": fold.fold,
                    "repeat": repeat,
                    "patients": len(fold.labels),
                    "auc": float(of_mutants.mean()),
                    **rates,
                }
            )
    return pd.DataFrame(rows)


def _rates(labels: Labels, p: NDArray[np.float64], threshold: float) -> dict[str, float]:
    called, mutant = p >= threshold, labels == 1
    return {
        "auprc": float(average_precision_score(labels, p)),
        "accuracy": float((called == mutant).mean()),
        "sensitivity": float(called[mutant].mean()),
        "specificity": float((~called)[~mutant].mean()),
        "brier": float(np.square(p - labels).mean()),
    }


def arm_table(
    areas: ArmAreas, trials: pd.DataFrame, arms: Sequence[str], repeats: Sequence[int]
) -> pd.DataFrame:
    """One row per arm: means over folds and repeats, with the interval of the mean area.

    An arm is described by its repeats (of `repeats`) that are complete in all folds; without any it
    has no row.
    """
    rows: list[dict[str, Any]] = []
    predictions = areas.predictions
    for arm in arms:
        judged = [r for r in predictions.complete_repeats([arm]) if r in set(repeats)]
        if not judged:
            continue
        area = combined_contrast(areas.folds([arm], judged), [1.0])
        of_arm = trials[(trials["arm"] == arm) & trials["repeat"].isin(judged)]
        rows.append(
            {
                "arm": arm,
                "folds": len(predictions.folds),
                "repeats": len(judged),
                **class_counts(predictions),
                "auc": area.difference,
                "auc_low": max(area.ci_low, 0.0),
                "auc_high": min(area.ci_high, 1.0),
                "auc_se": area.se,
                "sd_repeats": _sd_repeats(of_arm),
                **{name: float(of_arm[name].mean()) for name in RATES},
            }
        )
    return pd.DataFrame(rows)


def fewest_of_a_class(predictions: ArmPredictions) -> int:
    """Fewest test patients of a class in a fold."""
    return min(int(np.bincount(fold.labels, minlength=2).min()) for fold in predictions.folds)


def class_counts(predictions: ArmPredictions) -> dict[str, int]:
    """Number of tested patients and of each class."""
    labels = np.concatenate([fold.labels for fold in predictions.folds])
    mutants = int(labels.sum())
    return {"n": len(labels), "n_mutant": mutants, "n_wildtype": len(labels) - mutants}


def _sd_repeats(trials: pd.DataFrame) -> float:
    """SD between repeats of the area within a fold: root of the mean variance over folds."""
    variances = trials.groupby("fold")["auc"].var(ddof=1)
    return float(np.sqrt(variances.mean()))


def response_table(arms: pd.DataFrame, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Arms by kind and amount, each with its area and its difference from the baseline."""
    rows = []
    compared = (
        contrasts[contrasts["role"] != "control"].set_index("arm") if len(contrasts) else None
    )
    for row in arms.to_dict("records"):
        name = arm_name(row["arm"])
        entry = {"arm": row["arm"], "kind": name.kind, "suffix": name.suffix, "amount": name.amount}
        entry |= {key: row[key] for key in ("auc", "auc_low", "auc_high")}
        if compared is not None and row["arm"] in compared.index:
            difference = compared.loc[row["arm"]]
            entry |= {key: difference[key] for key in ("baseline", "estimate", "ci_low", "ci_high")}
        rows.append(entry)
    return pd.DataFrame(rows)


def with_details(
    single: pd.DataFrame, rows: pd.DataFrame, trials: pd.DataFrame | None
) -> pd.DataFrame:
    """Trials with generator and epoch, if the predictions name them, and further columns."""
    details = rows[rows["split"] == TEST].drop_duplicates(TRIAL)[
        [*TRIAL, "generator", "epoch_chosen"]
    ]
    names = [
        name
        for name in ("generator", "epoch_chosen")
        if details[name].replace("", np.nan).notna().any()
    ]
    table = single.merge(details[[*TRIAL, *names]], on=TRIAL, how="left")
    if trials is not None:
        further = [name for name in trials.columns if name not in table.columns]
        table = table.merge(trials[[*TRIAL, *further]], on=TRIAL, how="outer")
    return table.sort_values(["arm", "fold", "repeat"], ignore_index=True)
