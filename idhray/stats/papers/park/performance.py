"""Table 3: performance of each model, by set and reader.

Only patients are judged, except in the apparent figures of a training set, where synthetic cases
count as cases, as in Park.

Source: Park et al. 2021, table 3; a threshold fixed before the set is seen and intervals of every
figure are added.
"""

from typing import Any

import pandas as pd

from idhray.stats.accuracy.performance import performance
from idhray.stats.columns import (
    area_columns,
    calibration_columns,
    decision_rows,
    predictive_columns,
    reliability_rows,
)
from idhray.stats.papers.park.judged import JudgedSet
from idhray.stats.papers.park.models import ReaderModel
from idhray.stats.roc.youden import youden_optimum
from idhray.stats.sample import Scored

TRAINING_SPLIT = "train"


def performance_table(models: list[ReaderModel], sets: list[JudgedSet]) -> pd.DataFrame:
    """Table 3: one row per set, reader and model, from the image alone and with age.

    Training rows are apparent figures: the model is judged on the cases that it was fitted to.
    """
    rows = [
        {
            "split": TRAINING_SPLIT,
            "reader": "",
            "age": False,
            "model": model.number,
            **_row(Scored(model.cases["label"], model.p_image(model.cases)), model.threshold),
        }
        for model in models
    ]
    for judged in sets:
        for reader, number in judged.p:
            row = _row(judged.sample(reader, number), judged.thresholds[number])
            rows.append({**_key(judged, reader, number), **row})
    return pd.DataFrame(rows)


def _row(sample: Scored, threshold: float) -> dict[str, Any]:
    """Figures at the fixed threshold, and at the set's own Youden optimum, which is optimistic."""
    best = youden_optimum(sample)
    return {
        **performance(sample, threshold),
        **area_columns(sample),
        **predictive_columns(sample, threshold),
        "threshold": threshold,
        "own_threshold": best.threshold,
        "own_sensitivity": best.sensitivity,
        "own_specificity": best.specificity,
    }


def calibration_table(sets: list[JudgedSet]) -> pd.DataFrame:
    """Calibration of every model in every set, by reader."""
    return pd.DataFrame(
        {**_key(judged, reader, number), **calibration_columns(judged.sample(reader, number))}
        for judged in sets
        for reader, number in judged.p
    )


def decision_table(sets: list[JudgedSet]) -> pd.DataFrame:
    """Decision curves: net benefit of every model at thresholds of 5 to 95%, by reader."""
    return pd.DataFrame(
        {**_key(judged, reader, number), **row}
        for judged in sets
        for reader, number in judged.p
        for row in decision_rows(judged.sample(reader, number))
    )


def reliability_table(sets: list[JudgedSet]) -> pd.DataFrame:
    """Expected and observed shares of mutants in groups of similar probability."""
    return pd.DataFrame(
        {**_key(judged, reader, number), **row}
        for judged in sets
        for reader, number in judged.p
        for row in reliability_rows(judged.sample(reader, number))
    )


def patient_table(sets: list[JudgedSet]) -> pd.DataFrame:
    """P(mutant) of every patient by set, reader and model."""
    columns = ["split", "reader", "age", "model", "patient", "label", "p_mutant"]
    frames = [
        pd.DataFrame(
            {
                **_key(judged, reader, number),
                "patient": judged.patients,
                "label": judged.labels,
                "p_mutant": p,
            }
        )
        for judged in sets
        for (reader, number), p in judged.p.items()
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _key(judged: JudgedSet, reader: str, number: int) -> dict[str, Any]:
    return {"split": judged.split, "reader": reader, "age": judged.age, "model": number}
