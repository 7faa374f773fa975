"""Classifiers side by side on one arm, such as several networks without synthetic images."""

from collections.abc import Sequence

import pandas as pd

from idhray.stats.arms.columns import TEST
from idhray.stats.arms.contrasts import ArmAreas
from idhray.stats.arms.figures import arm_table, trial_table
from idhray.stats.arms.predictions import predictions_of


def classifier_table(
    rows: pd.DataFrame, arm: str, repeats: Sequence[int], threshold: float
) -> pd.DataFrame:
    """One row per classifier: `model`, and the figures of `arm_table` on test patients.

    A classifier without a repeat that is complete in all folds has no row.

    Args:
        rows: Checked rows (`columns.prediction_rows`) of all classifiers.
        arm: The arm on which they are compared.
        repeats: Repeats that may be used.
        threshold: Probability from which a patient is called mutant.
    """
    tables = []
    for model, of_model in rows[rows["arm"] == arm].groupby("model"):
        areas = ArmAreas(predictions_of(of_model, TEST, source=str(model)))
        figures = arm_table(areas, trial_table(areas, threshold), [arm], repeats)
        figures.insert(0, "model", str(model))
        tables.append(figures)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
