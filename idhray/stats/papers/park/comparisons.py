"""Whether the models of a reader study differ on the same patients.

Source: Park et al. 2021, table 3, gives areas and accuracies side by side and no test.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from idhray.stats.hypothesis.mcnemar import mcnemar_paired
from idhray.stats.papers.park.judged import Judged
from idhray.stats.roc.area import DELONG, auc
from idhray.stats.roc.delong import delong_covariance
from idhray.stats.sample import Scored

MEAN = "mean of readers"
NO_TEST = "none: the DeLong variance is 0 (the scores rank alike)"


def comparisons(sets: list[Judged]) -> pd.DataFrame:
    """Models 2 and 3 against model 1 on the same patients: AUC (DeLong), accuracy (McNemar).

    By reader, and for the mean of the readers: these readers, as Park has two; what other readers
    would do is not estimated. P values are adjusted by Holm within a family: one kind of test in
    one set, from the image alone or with age, over models, readers and (DeLong) their mean.
    """
    rows = [row for one in sets for row in _compared(one)]
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = _holm(table, "p")
        table["mcnemar_p_holm"] = _holm(table[table["reader"] != MEAN], "mcnemar_p")
    return table


def _holm(table: pd.DataFrame, name: str) -> "pd.Series[float]":
    """P values adjusted within their set, with or without age.

    A comparison whose P does not exist counts as one with P = 1, and has no adjusted one either.
    """
    families = table[name].fillna(1.0).groupby([table["split"], table["age"]])
    adjusted = families.transform(lambda p: multipletests(p, method="holm")[1])
    return adjusted.where(table[name].notna())


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
    areas = [auc(Scored(one.labels, row)) for row in scores]
    contrast = np.repeat([1.0, -1.0], len(readers)) / len(readers)
    difference = float(contrast @ areas)
    variance = float(contrast @ delong_covariance(Scored(one.labels, scores)) @ contrast)
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
        "method": DELONG if known else NO_TEST,
    }


def _accuracy_gain(one: Judged, reader: str, number: int) -> dict[str, Any]:
    """Patients that only one of the two models calls right, at their thresholds."""
    right = {n: (one.p[reader, n] >= one.thresholds[n]) == (one.labels == 1) for n in (number, 1)}
    exact, mid_p = (mcnemar_paired(right[number], right[1], how) for how in ("exact", "mid-P"))
    return {
        "accuracy_baseline": float(right[1].mean()),
        "accuracy": float(right[number].mean()),
        "only_model_right": int((right[number] & ~right[1]).sum()),
        "only_baseline_right": int((~right[number] & right[1]).sum()),
        "mcnemar_p": exact.p,
        "mcnemar_mid_p": mid_p.p,
    }
