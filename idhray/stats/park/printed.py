"""The tables of a reader study as text, in the layout of Park et al. 2021."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from idhray.stats.accuracy import printed
from idhray.stats.park.features import BY_NAME
from idhray.stats.park.regressions import FINAL, UNIVARIABLE
from idhray.stats.roc import EXACT
from idhray.stats.text import p_cell, signed, with_interval

CAPTIONS = {
    "table1": "Cases of each group and split. P: of the test that the CSV file names.",
    "agreement": "Agreement of the readers on each feature, and the gate before the models.",
    "turing": "Visual Turing test: how often each reader told real from synthetic.",
    "table2": "Logistic regressions of IDH mutation on the training cases of each model.",
    "table3": "Performance of each model on the readings of each reader.",
    "comparisons": "Models 2 and 3 against model 1 on the same patients.",
}
MARKS = {
    "*": "the DeLong variance is 0; the interval is the exact binomial one",
    "\u2020": "judged on the cases that it was fitted to, so it flatters",
    "\u2021": "Firth's penalized likelihood (separation); penalized profile interval and P",
}
SETS = {"train": "Training", "val": "Validation", "test": "Test"}
_REFERENCE = "reference"


def marks_in(frame: pd.DataFrame) -> list[str]:
    """What the marks in a printed table mean, for its footnotes."""
    text = " ".join(frame.astype(str).to_numpy().ravel())
    return [f"{mark} {meaning}" for mark, meaning in MARKS.items() if mark in text]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame under names that are text."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def print_turing(table: pd.DataFrame) -> pd.DataFrame:
    """One row per reader, and one for all of them."""
    return pd.DataFrame([_turing(row) for row in records(table)]).fillna("")


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


def print_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """One row per feature."""
    return pd.DataFrame(
        {
            "Feature": BY_NAME[row["feature"]].label,
            "Cases": f"{row['n']}",
            "Kappa (95% CI)": _kappa(row),
            "P": p_cell(row["p"]),
            "Agreement": row["strength"],
            "Analysed": "yes" if row["passes"] else f"no: {row['reason']}",
        }
        for row in records(table)
    )


def _kappa(row: dict[str, Any]) -> str:
    low, high = printed(row["ci_low"], 2), printed(row["ci_high"], 2)
    return f"{printed(row['kappa'], 2)} ({low}\u2013{high})"


def print_table2(table: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Univariable beside final coefficients, a heading per model with its cases and its fit."""
    cells = []
    for model in records(models):
        rows = table[table["model"] == model["model"]]
        heading = _heading(model)
        for row in _coefficients(rows):
            cells.append({"Model": heading, **row})
    return pd.DataFrame(cells)


def _heading(model: dict[str, Any]) -> str:
    kinds = {"real": model["mutant_real"], "synthetic": model["mutant_synthetic"]}
    mutants = " and ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    corrected = ""
    if pd.notna(model["auc_corrected"]):
        corrected = f", {printed(model['auc_corrected'])} on real cases corrected for optimism"
    return (
        f"Model {model['model']}: {model['wildtype']} wildtype, {mutants} mutant cases; Nagelkerke "
        f"R\u00b2 {printed(model['r2_nagelkerke'])}, AUC {printed(model['auc_apparent'])} on them"
        + corrected
    )


def _coefficients(rows: pd.DataFrame) -> Iterator[dict[str, str]]:
    single = rows[rows["analysis"] == UNIVARIABLE]
    final = rows[rows["analysis"] == FINAL].set_index(["feature", "level"])
    intercept = final[final["reference"] == ""].iloc[0].to_dict()
    yield {"Feature": "(Intercept)", **_estimate({}, ""), **_estimate(intercept, "final ")}
    for name, levels in single.groupby("feature", sort=False):
        feature = BY_NAME[str(name)]
        reference = levels["reference"].iloc[0]
        yield {
            "Feature": f"{feature.label}: {feature.levels[reference]}",
            **_estimate({}, "", _REFERENCE),
            **_estimate({}, "final ", _REFERENCE),
        }
        for row in records(levels):
            key = (name, row["level"])
            kept = final.loc[key].to_dict() if key in final.index else {}
            yield {
                "Feature": f"{feature.label}: {feature.levels[row['level']]}",
                **_estimate(row, ""),
                **_estimate(kept, "final ", "not in the model"),
            }


def _estimate(row: dict[str, Any], kind: str, empty: str = "") -> dict[str, str]:
    """Beta, odds ratio with interval, and P; Wald's, or the penalized ones of a Firth fit."""
    names = [f"{kind}beta", f"{kind}odds ratio (95% CI)", f"{kind}P"]
    titles = [name[0].upper() + name[1:] for name in names]
    if not row:
        return dict(zip(titles, [empty, "", ""], strict=True))
    firth = row["method"] != "maximum likelihood"
    ends = (
        ("odds_ratio_profile_low", "odds_ratio_profile_high")
        if firth
        else (
            "odds_ratio_low",
            "odds_ratio_high",
        )
    )
    low, high = (printed(row[end], 2) for end in ends)
    mark = " \u2021" if firth else ""
    cells = [
        signed(row["beta"]),
        f"{printed(row['odds_ratio'], 2)} ({low}\u2013{high}){mark}",
        p_cell(row["lr_p"] if firth else row["wald_p"]),
    ]
    return dict(zip(titles, cells, strict=True))


def print_table3(table: pd.DataFrame) -> pd.DataFrame:
    """A heading per set, a row per reader and model."""
    return pd.DataFrame([_performance(row) for row in records(table)])


def _performance(row: dict[str, Any]) -> dict[str, str]:
    what = "image and age" if row["age"] else "image"
    patients = f"{row['n_mutant']} mutant, {row['n_wildtype']} wildtype"
    training = row["split"] == "train"
    heading = f"{SETS[row['split']]}, {what}" + ("" if training else f": {patients}")
    mark = " *" if row["auc_ci_method"] == EXACT else ""
    own = f"{printed(row['own_sensitivity'])} / {printed(row['own_specificity'])} \u2020"
    return {
        "Set": heading,
        "Reader": "consensus" if training else row["reader"],
        "Model": f"{row['model']}" + (f" ({patients}) \u2020" if training else ""),
        "AUC": with_interval(row, "auc") + mark,
        "Sensitivity": with_interval(row, "sensitivity"),
        "Specificity": with_interval(row, "specificity"),
        "Accuracy": with_interval(row, "accuracy"),
        "Sensitivity / specificity at the set's own optimum": own,
    }


def print_comparisons(table: pd.DataFrame) -> pd.DataFrame:
    """A heading per set, a row per reader and model."""
    return pd.DataFrame([_comparison(row) for row in records(table)])


def _comparison(row: dict[str, Any]) -> dict[str, str]:
    what = "image and age" if row["age"] else "image"
    cells = {
        "Set": f"{SETS[row['split']]}, {what}",
        "Reader": row["reader"],
        "Models": f"{row['model']} against {row['baseline']}",
        "AUC": f"{printed(row['auc_baseline'])} \u2192 {printed(row['auc'])}",
        "Difference (95% CI)": _difference(row),
        "P": p_cell(row["p"]),
        "P (Holm)": p_cell(row["p_holm"]),
    }
    if pd.isna(row["accuracy"]):
        return {**cells, "Accuracy": "", "Only one right": "", "P (McNemar, exact)": ""}
    return {
        **cells,
        "Accuracy": f"{printed(row['accuracy_baseline'])} \u2192 {printed(row['accuracy'])}",
        "Only one right": (
            f"{row['only_model_right']:.0f} gained, {row['only_baseline_right']:.0f} lost"
        ),
        "P (McNemar, exact)": p_cell(row["mcnemar_p"]),
    }


def _difference(row: dict[str, Any]) -> str:
    if pd.isna(row["difference_low"]):
        return f"{signed(row['difference'])} (no interval)"
    low, high = signed(row["difference_low"]), signed(row["difference_high"])
    return f"{signed(row['difference'])} ({low} to {high})"
