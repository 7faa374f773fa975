"""Table 3: how well each model does, by set and reader.

Source: Park et al. 2021, table 3, with what it lacks: a threshold fixed before the set is looked
at, and intervals of every figure. Only patients are judged. The one
exception is the apparent figure of a training set, where synthetic cases are cases, as in Park.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.stats.accuracy.performance import performance
from idhray.stats.columns import (
    area_columns,
    calibration_columns,
    decision_rows,
    predictive_columns,
    reliability_rows,
)
from idhray.stats.papers.park.judged import Judged
from idhray.stats.papers.park.models import ReaderModel
from idhray.stats.roc.youden import youden_optimum
from idhray.stats.sample import Labels, Scored

TRAINING = "train"


def table3(models: list[ReaderModel], sets: list[Judged]) -> pd.DataFrame:
    """A row per set, reader and model, from the image alone and with age.

    Training rows are apparent: the model is judged on the cases that it was fitted to.
    """
    rows = [
        {
            "split": TRAINING,
            "reader": "",
            "age": False,
            "model": model.number,
            **_row(
                model.cases["label"].to_numpy(dtype=np.int64),
                model.p_image(model.cases),
                model.threshold,
            ),
        }
        for model in models
    ]
    for one in sets:
        for (reader, number), p in one.p.items():
            row = _row(one.labels, p, one.thresholds[number])
            rows.append({**_names(one, reader, number), **row})
    return pd.DataFrame(rows)


def _row(labels: Labels, p: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    """Figures at the fixed threshold, and at the set's own Youden optimum, which flatters."""
    best = youden_optimum(Scored(labels, p))
    return {
        **performance(labels, p, threshold),
        **area_columns(labels, p),
        **predictive_columns(labels, p, threshold),
        "threshold": threshold,
        "own_threshold": best.threshold,
        "own_sensitivity": best.sensitivity,
        "own_specificity": best.specificity,
    }


def calibrations(sets: list[Judged]) -> pd.DataFrame:
    """Calibration of every model in every set, by reader."""
    return pd.DataFrame(
        {**_names(one, reader, number), **calibration_columns(one.labels, p)}
        for one in sets
        for (reader, number), p in one.p.items()
    )


def decisions(sets: list[Judged]) -> pd.DataFrame:
    """Decision curves: net benefit of every model, by reader, at thresholds of 5 to 95%."""
    return pd.DataFrame(
        {**_names(one, reader, number), **row}
        for one in sets
        for (reader, number), p in one.p.items()
        for row in decision_rows(one.labels, p)
    )


def reliabilities(sets: list[Judged]) -> pd.DataFrame:
    """Expected and observed shares of mutants in groups of similar probability."""
    return pd.DataFrame(
        {**_names(one, reader, number), **row}
        for one in sets
        for (reader, number), p in one.p.items()
        for row in reliability_rows(one.labels, p)
    )


def by_patient(sets: list[Judged]) -> pd.DataFrame:
    """P(mutant) of every patient by set, reader and model."""
    columns = ["split", "reader", "age", "model", "patient", "label", "p_mutant"]
    frames = [
        pd.DataFrame(
            {
                **_names(one, reader, number),
                "patient": one.patients,
                "label": one.labels,
                "p_mutant": p,
            }
        )
        for one in sets
        for (reader, number), p in one.p.items()
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _names(one: Judged, reader: str, number: int) -> dict[str, Any]:
    return {"split": one.split, "reader": reader, "age": one.age, "model": number}
