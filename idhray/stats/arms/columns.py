"""Rows of predictions of any program as columns with one meaning, checked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from idhray.errors import LeakageError, TableError
from idhray.patients import ADVICE, twin_text, twins

LABEL_WORDS = {"mutant": 1, "wildtype": 0, "1": 1, "0": 0, "1.0": 1, "0.0": 0}
NO_LABEL = ("", "unknown", "nan", "none")
TEST, VALIDATION, INNER, EXTERNAL = "test", "val", "inner", "external"
SPLIT_WORDS = (TEST, VALIDATION, INNER, EXTERNAL)
"""Splits that statistics read. `inner`: training patients, predicted by inner folds. `external`:
patients of another cohort, predicted by the models of all folds."""
KEY = ["split", "model", "fold", "repeat", "arm", "patient"]
_NAMES = {"patient": ("patient", "case"), "label": ("label", "idh", "truth")}
PROTOCOL_COLUMNS = ("primary_arm", "judged", "exploratory")
"""Columns that `fit-stats` writes beside the predictions of a sweep: the arm that its protocol
judges, yes or no for a repeat that judges it, and the reason of an amended protocol."""
UNBLINDED = "unblinded"
"""Further column, if areas were shown before all trainings were done: the day since which."""
_OPTIONAL = {
    **{"fold": 1, "split": TEST, "model": "", "generator": "", "epoch_chosen": np.nan},
    **dict.fromkeys((*PROTOCOL_COLUMNS, UNBLINDED), ""),
}
COLUMN_NAMES = tuple(
    dict.fromkeys(
        [
            *_NAMES["patient"],
            *_NAMES["label"],
            "arm",
            "n_synthetic",
            "repeat",
            "p_mutant",
            *_OPTIONAL,
        ]
    )
)
"""Names of columns that are read."""


def prediction_rows(frame: pd.DataFrame, *, source: str = "predictions") -> pd.DataFrame:
    """Checked rows: patient, label, split, model, fold, repeat, arm, p_mutant, generator, ...

    `label` is 1 (mutant), 0 (wildtype) or NaN (unknown). Columns of other names are dropped.

    Args:
        frame: Rows with `patient` (or `case`), `label` (or `idh`, `truth`), `arm` (or
            `n_synthetic`), `repeat` and `p_mutant`; optional `fold` (1), `split` (test), `model`,
            `generator`, `epoch_chosen`, and the `PROTOCOL_COLUMNS`. Cells may be text or numbers.
        source: Name of the table in errors.

    Raises:
        TableError: columns are missing; values are not of their kind; rows are repeated; a patient
            has two labels or is tested in two folds. All problems are in one message.
        LeakageError: a patient is in validation and in test of one fold.
    """
    columns, problems = _columns(frame)
    if not problems:
        rows, problems = _typed(columns)
        rows = rows[rows["split"].isin(SPLIT_WORDS)]
        problems += _contradictions(rows)
    if problems:
        raise TableError(f"{source}: " + "; ".join(problems))
    _refuse_leaks(rows, source)
    return rows.reset_index(drop=True)


def _columns(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Columns under their names of this package, and those that are missing."""
    columns, missing = pd.DataFrame(index=frame.index), []
    for name, alternatives in _NAMES.items():
        present = [each for each in alternatives if each in frame.columns]
        if present:
            columns[name] = frame[present[0]]
        else:
            missing.append(f"{name} (or {', '.join(alternatives[1:])})")
    for name in ("repeat", "p_mutant"):
        if name in frame.columns:
            columns[name] = frame[name]
        else:
            missing.append(name)
    if "arm" in frame.columns:
        columns["arm"] = frame["arm"]
    elif "n_synthetic" in frame.columns:
        columns["arm"] = frame["n_synthetic"].map(_arm_of_count)
    else:
        missing.append("arm")
    for name, default in _OPTIONAL.items():
        columns[name] = frame[name] if name in frame.columns else default
    return columns, [f"no column {name}" for name in missing]


def _arm_of_count(count: object) -> str:
    """Arm of a table made before arms had names."""
    number = pd.to_numeric(str(count), errors="coerce")
    if np.isnan(number):
        return ""
    return "real" if number == 0 else f"synthetic:{number:g}"


def _typed(columns: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Columns with their types, and the problems of their values."""
    rows, problems = pd.DataFrame(index=columns.index), []
    for name in ("patient", "arm", "split", "model", "generator", *PROTOCOL_COLUMNS, UNBLINDED):
        rows[name] = _text(columns[name])
    rows["split"] = rows["split"].replace("", TEST)
    for name in ("patient", "arm"):
        if empty := int((rows[name] == "").sum()):
            problems.append(f"{empty} rows without {name}")
    words = _text(columns["label"]).str.lower()
    rows["label"] = words.map(LABEL_WORDS)
    if strange := sorted(set(words[rows["label"].isna()]) - set(NO_LABEL)):
        problems.append(f"label must be mutant, wildtype, 1, 0 or empty; got {strange[0]!r}")
    if strange := sorted(set(rows["judged"]) - {"", "yes", "no"}):
        problems.append(f"judged must be yes, no or empty; got {strange[0]!r}")
    if strange := sorted(set(rows["split"]) - {*SPLIT_WORDS, "train"}):
        problems.append(f"split must be test, val, inner, external or train; got {strange[0]!r}")
    for name in ("fold", "repeat"):
        numbers = pd.to_numeric(columns[name], errors="coerce")
        whole = numbers.notna() & (numbers % 1 == 0)
        rows[name] = numbers.where(whole, 0).astype(np.int64)
        if bad := int((~whole).sum()):
            problems.append(f"{bad} values of {name} are no whole numbers")
    rows["p_mutant"] = pd.to_numeric(columns["p_mutant"], errors="coerce").astype(np.float64)
    outside = ~rows["p_mutant"].between(0, 1) & (rows["split"] != "train")
    if bad := int(outside.sum()):
        problems.append(f"{bad} values of p_mutant are missing, NaN or not in 0..1")
    rows["epoch_chosen"] = pd.to_numeric(columns["epoch_chosen"], errors="coerce")
    return rows, problems


def _text(column: "pd.Series[Any]") -> "pd.Series[str]":
    """Cells as stripped text: "" for None and NaN, whole floats without a fraction."""

    def cell(value: object) -> str:
        if value is None or value != value:  # noqa: PLR0124 - NaN is not equal to itself
            return ""
        whole = isinstance(value, float) and value.is_integer()
        return str(int(value)) if whole else str(value).strip()  # type: ignore[call-overload]

    cells = {value: cell(value) for value in column.unique()}
    return column.map(cells).astype(object)


def _contradictions(rows: pd.DataFrame) -> list[str]:
    problems = []
    if repeated := int(rows.duplicated(KEY).sum()):
        problems.append(f"{repeated} rows are repeated (same {', '.join(KEY)})")
    labels = rows.fillna({"label": -1}).groupby("patient")["label"].nunique()
    if names := first_names(list(labels.index[labels > 1])):
        problems.append(f"patients with two labels: {names}")
    folds = rows[rows["split"] == TEST].groupby("patient")["fold"].nunique()
    if names := first_names(list(folds.index[folds > 1])):
        problems.append(f"patients tested in two folds: {names}")
    return problems


def _refuse_leaks(rows: pd.DataFrame, source: str) -> None:
    """Refuse patients in two splits of one fold, and patients of two names.

    They may change splits between folds.
    """
    splits = rows.groupby(["fold", "patient"])["split"].nunique()
    if names := first_names([patient for _, patient in splits.index[splits > 1]]):
        raise LeakageError(f"{source}: patients in two splits of one fold: {names}")
    for group in twins(rows["patient"].unique()):
        raise LeakageError(f"{source}: {twin_text(group)}; {ADVICE}")


def first_names(names: Sequence[str]) -> str:
    """Up to three names in order, and the number of others; empty if there are none."""
    first = ", ".join(sorted(set(names))[:3])
    return first + (f" and {len(set(names)) - 3} more" if len(set(names)) > 3 else "")
