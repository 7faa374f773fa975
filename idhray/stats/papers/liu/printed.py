"""Tables 1 to 4 as text: three decimals, halves rounded up, each number with its interval."""

from typing import Any

import numpy as np
import pandas as pd

from idhray.stats.papers.liu.tables import LiuTables
from idhray.stats.roc.area import EXACT
from idhray.stats.text import p_cell, printed, records, signed, with_interval

CAPTIONS = {
    "table1": "Classifiers trained without synthetic images.",
    "table2": "One classifier with more and more synthetic images, each count compared with none.",
    "table3": "Age, image, and both together, at the chosen number of synthetic images.",
    "table4": "Errors and accuracy by age group.",
}
NO_P = "\u2021"
MARKS = {
    NO_P: "the DeLong variance of the difference is 0, so that there is no P",
    "*": "the DeLong variance is 0; the interval is the exact binomial one",
    "\u2020": "fitted or chosen on these very patients (or part of them), so it flatters",
    "\u2714": "chosen on validation",
}
_SETS = {"val": "Validation", "test": "Test", "val + test": "Validation + test"}


def printed_tables(tables: LiuTables) -> dict[str, pd.DataFrame]:
    """`table1` to `table4` in the paper's layout; every cell is a string."""
    rows = {
        "table2": [_sweep_row(r) for r in records(tables.table2)],
        "table3": [_predictor_row(r) for r in records(tables.table3)],
        "table4": [_group_row(r) for r in records(tables.table4)],
    }
    others = {name: pd.DataFrame(cells).fillna("-") for name, cells in rows.items()}
    return {"table1": printed_table1(tables.table1), **others}


def printed_table1(table1: pd.DataFrame) -> pd.DataFrame:
    """Table 1 in the paper's layout; every cell is a string."""
    cells = [{**_set(r), "Model": r["model"], **_figures(r)} for r in records(table1)]
    return pd.DataFrame(cells).fillna("-")


def _set(row: dict[str, Any]) -> dict[str, str]:
    """The set with its numbers of patients; all rows of a split share it as their heading."""
    return {"Set": f"{_SETS[row['split']]}: {row['n_mutant']} mutant, {row['n_wildtype']} wildtype"}


def _figures(row: dict[str, Any]) -> dict[str, str]:
    cells = {"Repeats": str(row["repeats"])}
    for name in ("sensitivity", "specificity", "accuracy"):
        cells[name.capitalize()] = with_interval(row, name)
    mark = " *" if row["auc_ci_method"] == EXACT else ""
    cells["AUC"] = with_interval(row, "auc") + mark
    if row["repeats"] > 1:
        cells["SD of AUC"] = printed(row["auc_sd"])
    return cells


def _sweep_row(row: dict[str, Any]) -> dict[str, str]:
    count = "0 (baseline)" if row["n_synthetic"] == 0 else f"{row['n_synthetic']:,}"
    cells = {**_set(row), "Synthetic images": count + (" \u2714 chosen" if row["chosen"] else "")}
    cells |= _figures(row)
    compared = pd.notna(row.get("difference"))
    low, high = (signed(row[f"difference_{e}"]) if compared else "" for e in ("low", "high"))
    cells["Difference in AUC"] = (
        f"{signed(row['difference'])} ({low} to {high})" if compared else "reference"
    )
    cells["P"] = p_cell(row["difference_p"]) if compared else ""
    if compared and not np.isfinite(row["difference_p"]):
        cells["P"] = cells["P (Holm)"] = f"- {NO_P}"
        return cells
    cells["P (Holm)"] = p_cell(row["difference_p_holm"]) if compared else ""
    return cells


def _predictor_row(row: dict[str, Any]) -> dict[str, str]:
    figures = _figures(row)
    del figures["Repeats"]  # each patient's probability is already a mean over them
    mark = " \u2020" if row["fitted_here"] else ""
    return {**_set(row), "Predictor": row["predictor"] + mark, **figures}


def _group_row(row: dict[str, Any]) -> dict[str, str]:
    mark = " \u2020" if row["fitted_here"] else ""
    return {
        "Set": _SETS[row["set"]],
        "Age": row["group"].replace(">=", "\u2265").replace(" ", "\u00a0"),
        "Patients (mutant : wildtype)": f"{row['n']} ({row['n_mutant']} : {row['n_wildtype']})",
        "Predictor": row["predictor"] + mark,
        "Errors (mutant : wildtype)": (
            f"{row['errors']} ({row['errors_mutant']} : {row['errors_wildtype']})"
        ),
        "Accuracy": with_interval(row, "accuracy"),
    }
