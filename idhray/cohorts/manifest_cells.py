"""Cells of a manifest as values: one word for all spellings, problems for other words."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from idhray.cohorts.cell_text import header_key
from idhray.cohorts.values.age import age_value
from idhray.cohorts.values.cell_value import EMPTY, CellValue, plain, refused
from idhray.cohorts.values.idh import idh_value
from idhray.cohorts.values.numbers import mpp_value, power_value
from idhray.cohorts.values.words import grade_value, sex_value, split_value
from idhray.patients import patient_key

CENSORED = "yes"
"""Value of `age_censored` of a patient whose age is only known to be this or more."""
NAMES_IN_ANY_SPELLING = ("diagnosis", "site", "cohort")


def _censored_value(text: str) -> CellValue:
    word = plain(text)
    if word in ("", "no", "false", "0", "0.0"):
        return EMPTY
    if word in (CENSORED, "true", "1", "1.0"):
        return CellValue(text=CENSORED)
    return refused(f"write {CENSORED}, or leave it empty")


READERS: dict[str, Callable[[str], CellValue]] = {
    "idh": idh_value,
    "split": split_value,
    "grade": grade_value,
    "sex": sex_value,
    "age": age_value,
    "age_censored": _censored_value,
    "mpp": mpp_value,
    "objective_power": power_value,
}
"""Reader of each column that holds more than a name or a path."""


@dataclass(frozen=True, kw_only=True)
class ManifestCells:
    """Values of a manifest, and what could not be read."""

    text: pd.DataFrame
    """Every cell as the manifest writes it; cells that have no meaning stay as they are."""
    problems: tuple[str, ...]
    """One line for each value without a meaning, with its rows."""


def manifest_cells(text: pd.DataFrame) -> ManifestCells:
    """Values of all cells of a manifest.

    Args:
        text: Table with all columns of a manifest, every cell as text; its index is the number of
            each row less 2.
    """
    values, problems = text.copy(), []
    for name, reader in READERS.items():
        cells = {cell: reader(cell) for cell in dict.fromkeys(text[name])}
        values[name] = [cells[cell].text or _unread(cell, cells[cell]) for cell in text[name]]
        for cell in sorted(cell for cell, value in cells.items() if value.problem):
            rows = text.index[text[name] == cell]
            problems.append(f"{listed_rows(rows)}: {name} is {cell!r}; {cells[cell].problem}")
        if name == "age":
            pairs = zip(text[name], text["age_censored"], strict=True)
            marks = [CENSORED if cells[cell].censored else mark for cell, mark in pairs]
            text = text.assign(age_censored=marks)
    for name in NAMES_IN_ANY_SPELLING:
        values[name] = one_spelling(text[name])
    return ManifestCells(text=values, problems=tuple(problems))


def _unread(cell: str, value: CellValue) -> str:
    return cell if value.problem else ""


def one_spelling(column: "pd.Series[str]") -> "pd.Series[str]":
    """Names that differ only in case, blanks or dashes, as the most frequent spelling."""
    counts = Counter(column)
    by_key: dict[str, list[str]] = {}
    for name in sorted(counts):
        by_key.setdefault(plain(name), []).append(name)
    chosen = {key: max(names, key=lambda name: counts[name]) for key, names in by_key.items()}
    spelling = {name: chosen[plain(name)] for name in counts}
    return pd.Series([spelling[name] for name in column], index=column.index, dtype=object)


def listed_rows(index: "pd.Index[int]") -> str:
    """Row numbers as in an editor: the header is row 1."""
    numbers = [str(i + 2) for i in index]
    listed = ", ".join(numbers[:10]) + (f" and {len(numbers) - 10} more" if numbers[10:] else "")
    return f"row {listed}" if len(numbers) == 1 else f"rows {listed}"


def is_no_name(patient: str) -> bool:
    """True for a word that stands for an absent patient, and for signs alone."""
    words = ("na", "n/a", "nan", "none", "null", "<na>", "#n/a", "unknown", "total", "sum", "mean")
    return bool(patient) and (plain(patient) in words or not patient_key(patient))


def unread_columns(columns: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """Columns of a table that no reader uses, each with the name that it may have meant."""
    for column in columns:
        if column in names:
            continue
        key = header_key(column)
        near = [name for name in names if name in key.split("_")]
        near += difflib.get_close_matches(key, names, n=1, cutoff=0.8)
        yield f"{column} ({near[0]}?)" if near and near[0] not in columns else column
