"""Table 3: how well each model does, by set and reader; and whether the models differ.

Source: Park et al. 2021, table 3, with what it lacks: a threshold fixed before the set is looked
at, intervals of every figure, and tests between the models. Only patients are judged. The one
exception is the apparent figure of a training set, where synthetic cases are cases, as in Park.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from idhray.stats.calibration import calibration
from idhray.stats.decision import decision_curve
from idhray.stats.delong import delong_covariance
from idhray.stats.mcnemar import mcnemar_paired
from idhray.stats.park.models import ReaderModel
from idhray.stats.park.readings import Readings
from idhray.stats.performance import performance
from idhray.stats.roc import DELONG, auc_with_ci
from idhray.stats.sample import Labels
from idhray.stats.youden import youden_optima

MEAN = "mean of readers"
TRAINING = "train"
_DECISIONS = [percent / 100 for percent in range(5, 100, 5)]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What every model says of the patients of one set, by each reader's features."""

    split: str
    age: bool
    patients: tuple[str, ...]
    labels: Labels
    p: Mapping[tuple[str, int], NDArray[np.float64]]
    """(reader, model number) -> P(mutant) of each patient."""
    thresholds: Mapping[int, float]
    """Model number -> the threshold fixed on its training cases."""

    @property
    def readers(self) -> list[str]:
        """All readers, in order."""
        return sorted({reader for reader, _ in self.p})

    @property
    def numbers(self) -> list[int]:
        """All models, in order."""
        return sorted({number for _, number in self.p})


def judged_sets(readings: Readings, models: list[ReaderModel]) -> Iterator[Judged]:
    """Validation and test patients under every model: from the image, then with age.

    With age there are only the patients whose age is known.
    """
    for split in ("val", "test"):
        cases = readings.cases[readings.cases["split"] == split]
        if cases["label"].nunique() < 2:
            continue
        yield _judged(readings, models, cases, split)
        aged = cases[cases["age"].notna()]
        with_age = [model for model in models if model.with_age is not None]
        if with_age and aged["label"].nunique() == 2:
            yield _judged(readings, with_age, aged, split, age=True)


def _judged(
    readings: Readings,
    models: list[ReaderModel],
    cases: pd.DataFrame,
    split: str,
    *,
    age: bool = False,
) -> Judged:
    p = {}
    for reader, features in readings.by_reader.items():
        own = features.loc[cases.index]
        for model in models:
            p[reader, model.number] = (
                model.p_image_age(own, cases["age"]) if age else model.p_image(own)
            )
    return Judged(
        split=split,
        age=age,
        patients=tuple(cases["patient"]),
        labels=cases["label"].to_numpy(dtype=np.int64),
        p=p,
        thresholds={m.number: m.age_threshold if age else m.threshold for m in models},
    )


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
    best = youden_optima(labels, p).chosen
    return {
        **performance(labels, p, threshold),
        "threshold": threshold,
        "own_threshold": best.threshold,
        "own_sensitivity": best.sensitivity,
        "own_specificity": best.specificity,
    }


def comparisons(sets: list[Judged]) -> pd.DataFrame:
    """Models 2 and 3 against model 1 on the same patients: AUC (DeLong), accuracy (McNemar).

    By reader, and for the mean of the readers: these readers, as Park has two; what other readers
    would do is not estimated. P values are adjusted by Holm within a set (with or without age) over
    readers and models.
    """
    rows = [row for one in sets for row in _compared(one)]
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = table.groupby(["split", "age"])["p"].transform(
            lambda p: multipletests(p.fillna(1.0), method="holm")[1]
        )
    return table


def _compared(one: Judged) -> Iterator[dict[str, Any]]:
    for number in one.numbers:
        if number == 1 or 1 not in one.numbers:
            continue
        names = {"split": one.split, "age": one.age, "model": number, "baseline": 1}
        for reader in one.readers:
            yield {
                **names,
                "reader": reader,
                **_gain(one, [reader], number),
                **_accuracy_gain(one, reader, number),
            }
        if len(one.readers) > 1:
            yield {**names, "reader": MEAN, **_gain(one, one.readers, number)}


def _gain(one: Judged, readers: list[str], number: int) -> dict[str, Any]:
    """AUC of a model minus that of model 1, each averaged over the readers, with paired DeLong.

    Source: DeLong et al. 1988, for the contrast of all areas.
    """
    scores = np.array([one.p[reader, n] for n in (number, 1) for reader in readers])
    areas = [auc_with_ci(one.labels, row).auc for row in scores]
    contrast = np.repeat([1.0, -1.0], len(readers)) / len(readers)
    difference = float(contrast @ areas)
    variance = float(contrast @ delong_covariance(one.labels, scores) @ contrast)
    se = np.sqrt(max(variance, 0.0))  # rounding may leave a variance of 0 just below it
    known = np.isfinite(se) and se > 1e-12
    half = stats.norm.ppf(0.975) * se if known else np.nan
    return {
        "auc_baseline": float(np.mean(areas[len(readers) :])),
        "auc": float(np.mean(areas[: len(readers)])),
        "difference": difference,
        "difference_low": max(difference - half, -1.0) if known else np.nan,
        "difference_high": min(difference + half, 1.0) if known else np.nan,
        "p": float(2 * stats.norm.sf(abs(difference) / se)) if known else np.nan,
        "method": DELONG if known else "none: the DeLong variance is 0 (the scores rank alike)",
    }


def _accuracy_gain(one: Judged, reader: str, number: int) -> dict[str, Any]:
    """Patients that only one of the two models calls right, at their thresholds."""
    right = {n: (one.p[reader, n] >= one.thresholds[n]) == (one.labels == 1) for n in (number, 1)}
    test = mcnemar_paired(right[number], right[1])
    return {
        "accuracy_baseline": float(right[1].mean()),
        "accuracy": float(right[number].mean()),
        "only_model_right": int((right[number] & ~right[1]).sum()),
        "only_baseline_right": int((~right[number] & right[1]).sum()),
        "mcnemar_p": test.p,
    }


def calibrations(sets: list[Judged]) -> pd.DataFrame:
    """Calibration of every model in every set, by reader."""
    return pd.DataFrame(
        {**_names(one, reader, number), **_calibration(one.labels, p)}
        for one in sets
        for (reader, number), p in one.p.items()
    )


def _calibration(labels: Labels, p: NDArray[np.float64]) -> dict[str, Any]:
    found = calibration(labels, p)
    return {
        "in_the_large": found.in_the_large.value,
        "in_the_large_low": found.in_the_large.ci_low,
        "in_the_large_high": found.in_the_large.ci_high,
        "in_the_large_p": found.in_the_large.test.p,
        "slope": found.slope.value,
        "slope_low": found.slope.ci_low,
        "slope_high": found.slope.ci_high,
        "slope_p": found.slope.test.p,
        "brier": found.brier,
        "brier_scaled": found.brier_scaled,
        "observed_expected": found.observed_expected,
        "notes": " ".join(found.notes),
    }


def decisions(sets: list[Judged]) -> pd.DataFrame:
    """Decision curves: net benefit of every model, by reader, at thresholds of 5 to 95%."""
    return pd.DataFrame(
        {
            **_names(one, reader, number),
            "threshold": point.threshold,
            "net_benefit": point.model,
            "treat_all": point.treat_all,
            "avoided_per_100": point.avoided_per_100,
        }
        for one in sets
        for (reader, number), p in one.p.items()
        for point in decision_curve(one.labels, p, _DECISIONS).points
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
