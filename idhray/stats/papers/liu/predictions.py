"""The PREDICTIONS table as statistics read it: checked, and as (repeats, patients) matrices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.errors import LeakageError, TableError
from idhray.stats.sample import Labels, SampleError, Scores

SPLITS = ("val", "test")
COLUMNS = ("patient", "idh", "split", "model", "n_synthetic", "repeat", "fold", "p_mutant")
_CLASSES = {"mutant": 1, "wildtype": 0}


@dataclass(frozen=True, kw_only=True)
class SplitScores:
    """One model at one synthetic count on one split; patients in the order of their names."""

    patients: tuple[str, ...]
    labels: Labels
    scores: Scores
    """(repeats, patients)."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Each patient's probability, averaged over the repeats."""
        return np.asarray(self.scores.mean(axis=0))


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions of labeled validation and test patients."""

    rows: pd.DataFrame
    excluded: dict[str, int]
    """Patients without a known IDH status, per split: left out of every figure."""

    def models(self) -> list[str]:
        """All models, by name."""
        return sorted(self.rows["model"].unique())

    def counts(self, model: str) -> list[int]:
        """The synthetic counts at which a model was trained, ascending."""
        return sorted(
            int(n) for n in self.rows.loc[self.rows["model"] == model, "n_synthetic"].unique()
        )

    def scores(self, model: str, n_synthetic: int, split: str) -> SplitScores:
        """One cell of the sweep, as a matrix.

        Raises:
            TableError: nothing was predicted there, or not by every repeat for every patient.
        """
        of_cell = (self.rows["model"] == model) & (self.rows["n_synthetic"] == n_synthetic)
        cell = self.rows[of_cell & (self.rows["split"] == split)]
        where = f"{model} with {n_synthetic} synthetic images on {split}"
        if cell.empty:
            raise TableError(f"{where}: no predictions; run predict for it")
        # Folds are models of one repeat on the same patients: their probabilities are averaged.
        table = cell.pivot_table(index="repeat", columns="patient", values="p_mutant")
        if missing := int(table.isna().to_numpy().sum()):
            raise TableError(f"{where}: {missing} patients lack a prediction in some repeat")
        truth = cell.drop_duplicates("patient").set_index("patient")["label"].loc[table.columns]
        return SplitScores(
            patients=tuple(table.columns),
            labels=truth.to_numpy(dtype=np.int64),
            scores=table.to_numpy(dtype=np.float64),
        )


def checked_predictions(rows: pd.DataFrame) -> Predictions:
    """Predictions of the validation and test patients whose IDH status is known.

    Rows of other splits are not looked at.

    Raises:
        TableError: columns are missing, rows are repeated or contradict each other, a probability
            is not in 0..1, or models were not judged on the same patients.
        LeakageError: a patient is in validation and in test.
        SampleError: validation or test lack a class.
    """
    if missing := [name for name in COLUMNS if name not in rows.columns]:
        raise TableError(f"predictions: no column {', '.join(missing)}")
    rows = rows[rows["split"].isin(SPLITS)].copy()
    rows["label"] = rows["idh"].map(_CLASSES)
    _refuse_contradictions(rows)
    known = rows[rows["label"].notna()]
    unknown = rows[rows["label"].isna()].groupby("split")["patient"].nunique()
    for split in SPLITS:
        _refuse_uneven(known[known["split"] == split], split)
    return Predictions(rows=known, excluded={s: int(unknown.get(s, 0)) for s in SPLITS})


def _refuse_contradictions(rows: pd.DataFrame) -> None:
    keys = ["patient", "split", "model", "n_synthetic", "repeat", "fold"]
    if twice := int(rows.duplicated(keys).sum()):
        raise TableError(f"predictions: {twice} rows are there twice (same {', '.join(keys)})")
    if bad := int((~rows["p_mutant"].between(0, 1)).sum()):
        raise TableError(f"predictions: {bad} of p_mutant are missing or not in 0..1")
    idh = rows["idh"].fillna("")
    if named := sorted(set(idh[~idh.isin([*_CLASSES, "", "unknown"])])):
        raise TableError(f"predictions: idh must be mutant, wildtype or empty, found {named[0]!r}")
    if both := _names(rows.assign(idh=idh).groupby("patient")["idh"].nunique() > 1):
        raise TableError(f"predictions: patients with two IDH states: {both}")
    if both := _names(rows.groupby("patient")["split"].nunique() > 1):
        raise LeakageError(f"predictions: patients in validation and in test: {both}")


def _refuse_uneven(rows: pd.DataFrame, split: str) -> None:
    classes = rows.drop_duplicates("patient")["label"].value_counts()
    if len(classes) < 2:
        raise SampleError(
            f"{split}: {classes.get(1, 0)} mutant and {classes.get(0, 0)} wildtype patients with "
            "predictions; statistics need both classes in validation and in test"
        )
    sets = rows.groupby(["model", "n_synthetic", "repeat"])["patient"].agg(frozenset)
    if sets.nunique() > 1:
        odd = sets[sets != sets.mode().iloc[0]].index[0]
        raise TableError(
            f"{split}: model, n_synthetic, repeat {odd} was judged on other patients than the "
            "rest; predict all of them for the same patients"
        )


def _names(flags: "pd.Series[Any]") -> str:
    """Up to three names for which the flag is set, or nothing."""
    names: Sequence[str] = [str(name) for name in flags[flags].index]
    return ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
