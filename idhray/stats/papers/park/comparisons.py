"""Comparisons of the models of a reader study on the same patients.

Source: Park et al. 2021, table 3, which has areas and accuracies side by side without a test.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from idhray.stats.hypothesis.mcnemar import mcnemar_paired
from idhray.stats.papers.park.judged import JudgedSet
from idhray.stats.roc.area import DELONG, auc
from idhray.stats.roc.delong import delong_covariance
from idhray.stats.sample import Scored

MEAN = "mean of readers"
NO_TEST = "none: the DeLong variance is 0 (the scores rank alike)"


def comparison_table(sets: list[JudgedSet]) -> pd.DataFrame:
    """Models 2 and 3 against model 1 on the same patients: AUC (DeLong), accuracy (McNemar).

    There is a row per reader and one for the mean of the readers. The mean is that of these readers
    (Park has two); variation between readers is not estimated. P values are adjusted by Holm within
    a family: one kind of test in one set, from the image alone or with age, over models, readers
    and (DeLong) their mean.
    """
    rows = [row for judged in sets for row in _comparison_rows(judged)]
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = _holm(table, "p")
        table["mcnemar_p_holm"] = _holm(table[table["reader"] != MEAN], "mcnemar_p")
    return table


def _holm(table: pd.DataFrame, name: str) -> "pd.Series[float]":
    """P values adjusted within their set, with or without age.

    A comparison without a P counts as one with P = 1, and has no adjusted P.
    """
    families = table[name].fillna(1.0).groupby([table["split"], table["age"]])
    adjusted = families.transform(lambda p: multipletests(p, method="holm")[1])
    return adjusted.where(table[name].notna())


def _comparison_rows(judged: JudgedSet) -> Iterator[dict[str, Any]]:
    for number in judged.numbers:
        if number == 1 or 1 not in judged.numbers:
            continue
        key = {"split": judged.split, "age": judged.age, "model": number, "baseline": 1}
        for reader in judged.readers:
            yield {
                **key,
                "reader": reader,
                **_auc_gain(judged, [reader], number),
                **_accuracy_gain(judged, reader, number),
            }
        if len(judged.readers) > 1:
            yield {**key, "reader": MEAN, **_auc_gain(judged, judged.readers, number)}


def _auc_gain(judged: JudgedSet, readers: list[str], number: int) -> dict[str, Any]:
    """AUC of a model minus that of model 1, both averaged over the readers, with paired DeLong.

    Source: DeLong et al. 1988, for the contrast of all areas.
    """
    scores = np.array([judged.p[reader, n] for n in (number, 1) for reader in readers])
    areas = [auc(Scored(judged.labels, row)) for row in scores]
    contrast = np.repeat([1.0, -1.0], len(readers)) / len(readers)
    difference = float(contrast @ areas)
    variance = float(contrast @ delong_covariance(Scored(judged.labels, scores)) @ contrast)
    se = float(np.sqrt(max(variance, 0.0)))  # rounding may leave a variance of 0 just below it
    varies = np.isfinite(se) and se > 1e-12
    half_width = stats.norm.ppf(0.975) * se if varies else np.nan
    return {
        "auc_baseline": float(np.mean(areas[len(readers) :])),
        "auc": float(np.mean(areas[: len(readers)])),
        "difference": difference,
        "se": se if varies else np.nan,
        "difference_low": max(difference - half_width, -1.0) if varies else np.nan,
        "difference_high": min(difference + half_width, 1.0) if varies else np.nan,
        "p": float(2 * stats.norm.sf(abs(difference) / se)) if varies else np.nan,
        "method": DELONG if varies else NO_TEST,
    }


def _accuracy_gain(judged: JudgedSet, reader: str, number: int) -> dict[str, Any]:
    """Accuracies of both models at their thresholds, and patients that only one calls right."""
    correct = {
        n: (judged.p[reader, n] >= judged.thresholds[n]) == (judged.labels == 1)
        for n in (number, 1)
    }
    exact, mid_p = (
        mcnemar_paired(correct[number], correct[1], method) for method in ("exact", "mid-P")
    )
    return {
        "accuracy_baseline": float(correct[1].mean()),
        "accuracy": float(correct[number].mean()),
        "only_model_right": int((correct[number] & ~correct[1]).sum()),
        "only_baseline_right": int((~correct[number] & correct[1]).sum()),
        "mcnemar_p": exact.p,
        "mcnemar_mid_p": mid_p.p,
    }
