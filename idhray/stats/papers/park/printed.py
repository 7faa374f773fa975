"""The tables of a reader study as text, in the layout of Park et al. 2021."""

from typing import Any

import numpy as np
import pandas as pd

from idhray.stats.footnotes import Footnotes, Printed, marks_in
from idhray.stats.papers.park.features import BY_NAME
from idhray.stats.roc.area import EXACT
from idhray.stats.text import p_cell, printed, records, signed, with_interval

FLATTERS = "\u2020"
_ZERO_VARIANCE = "the DeLong variance of the difference is 0, as both models order every pair alike"
CAPTIONS = {
    "table1": "Cases of each group. P with its test; d: standardized difference.",
    "agreement": "Agreement of the readers on the training cases, the gate before the models.",
    "turing": "Visual Turing test: how often each reader told real from synthetic.",
    "table2": "Logistic regressions of IDH mutation on the training cases of each model.",
    "table3": "Performance of each model on the readings of each reader.",
    "comparisons": "Models 2 and 3 against model 1 on the same patients.",
}
MARKS = {
    "*": "the DeLong variance is 0; the interval is the exact binomial one",
    FLATTERS: "judged on the cases that it was fitted to, or chosen on, so it flatters",
}
SET_NAMES = {"train": "Training", "val": "Validation", "test": "Test"}


def print_turing(table: pd.DataFrame) -> Printed:
    """One row per reader, and one for all readers."""
    frame = pd.DataFrame([_turing(row) for row in records(table)]).fillna("")
    return Printed(frame=frame, notes=[])


def _turing(row: dict[str, Any]) -> dict[str, str]:
    low, high = printed(row["rate_low"]), printed(row["rate_high"])
    cells = {
        "Reader": row["reader"],
        "Right": f"{row['right']} of {row['n']}",
        "Rate (95% CI)": f"{printed(row['rate'])} ({low}\u2013{high})",
        "P, against guessing": p_cell(row["p"]),
    }
    if pd.isna(row["equivalence_p"]):
        return cells
    return {
        **cells,
        "Real called synthetic": f"{row['real_called_synthetic']:.0f}",
        "Synthetic called real": f"{row['synthetic_called_real']:.0f}",
        f"P, equivalence within {printed(100 * row['margin'], 0)} points": p_cell(
            row["equivalence_p"]
        ),
        "Answer": row["answer"],
    }


def print_agreement(table: pd.DataFrame) -> Printed:
    """One row per feature; a footnote gives the reason of a missing figure."""
    footnotes = Footnotes()
    rows = [_agreement(row, footnotes) for row in records(table)]
    return Printed(frame=pd.DataFrame(rows), notes=footnotes.notes)


def _agreement(row: dict[str, Any], footnotes: Footnotes) -> dict[str, str]:
    complete = all(np.isfinite(row[name]) for name in ("kappa", "ci_low", "p"))
    mark = "" if complete else footnotes.mark(row["notes"])
    kappa = printed(row["kappa"], 2)
    if np.isfinite(row["ci_low"]):
        kappa += f" ({printed(row['ci_low'], 2)}\u2013{printed(row['ci_high'], 2)})"
    return {
        "Feature": BY_NAME[row["feature"]].label,
        "Training cases": f"{row['n']}",
        "Kappa (95% CI)": kappa + mark,
        "P": p_cell(row["p"]) + ("" if np.isfinite(row["p"]) else mark),
        "Agreement": row["strength"],
        "Analyzed": "yes" if row["passes"] else f"no: {row['reason']}",
        "Kappa, all cases": f"{printed(row['kappa_all'], 2)} (n = {row['n_all']})",
    }


def print_performance(table: pd.DataFrame) -> Printed:
    """A heading per set, a row per reader and model."""
    frame = pd.DataFrame([_performance(row) for row in records(table)])
    return Printed(frame=frame, notes=marks_in(frame, MARKS))


def _performance(row: dict[str, Any]) -> dict[str, str]:
    predictors = "image and age" if row["age"] else "image"
    patients = f"{row['n_mutant']} mutant, {row['n_wildtype']} wildtype"
    training = row["split"] == "train"
    heading = f"{SET_NAMES[row['split']]}, {predictors}" + ("" if training else f": {patients}")
    mark = " *" if row["auc_ci_method"] == EXACT else ""
    own_optimum = f"{printed(row['own_sensitivity'])} / {printed(row['own_specificity'])} \u2020"
    return {
        "Set": heading,
        "Reader": "consensus" if training else row["reader"],
        "Model": f"{row['model']}" + (f" ({patients}) \u2020" if training else ""),
        "AUC": with_interval(row, "auc") + mark,
        "Sensitivity": with_interval(row, "sensitivity"),
        "Specificity": with_interval(row, "specificity"),
        "Accuracy": with_interval(row, "accuracy"),
        "Sensitivity / specificity at the set's own optimum": own_optimum,
    }


def print_comparisons(table: pd.DataFrame) -> Printed:
    """A heading per set, a row per reader and model."""
    footnotes = Footnotes()
    rows = [_comparison(row, footnotes) for row in records(table)]
    return Printed(frame=pd.DataFrame(rows), notes=footnotes.notes)


def _comparison(row: dict[str, Any], footnotes: Footnotes) -> dict[str, str]:
    predictors = "image and age" if row["age"] else "image"
    mark = (
        "" if np.isfinite(row["p"]) else footnotes.mark(f"no P and no interval: {_ZERO_VARIANCE}")
    )
    cells = {
        "Set": f"{SET_NAMES[row['split']]}, {predictors}",
        "Reader": row["reader"],
        "Models": f"{row['model']} against {row['baseline']}",
        "AUC": f"{printed(row['auc_baseline'])} \u2192 {printed(row['auc'])}",
        "Difference (95% CI)": _difference(row) + mark,
        "P": p_cell(row["p"]) + mark,
        "P (Holm)": p_cell(row["p_holm"]) + mark,
    }
    names = ("Accuracy", "Only one right", "P (McNemar, exact)", "P (McNemar, Holm)")
    if pd.isna(row["accuracy"]):
        return {**cells, **dict.fromkeys(names, "")}
    accuracies = (
        f"{printed(row['accuracy_baseline'])} \u2192 {printed(row['accuracy'])}",
        f"{row['only_model_right']:.0f} gained, {row['only_baseline_right']:.0f} lost",
        p_cell(row["mcnemar_p"]),
        p_cell(row["mcnemar_p_holm"]),
    )
    return {**cells, **dict(zip(names, accuracies, strict=True))}


def _difference(row: dict[str, Any]) -> str:
    if pd.isna(row["difference_low"]):
        return signed(row["difference"])
    low, high = signed(row["difference_low"]), signed(row["difference_high"])
    return f"{signed(row['difference'])} ({low} to {high})"
