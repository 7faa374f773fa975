"""The PREDICTIONS table for statistics: checked, and as (repeats, patients) matrices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.errors import LeakageError, TableError
from idhray.stats.sample import SampleError, Scored

SPLITS = ("val", "test")
PREDICTION_COLUMNS = (
    "patient",
    "idh",
    "split",
    "model",
    "n_synthetic",
    "repeat",
    "fold",
    "p_mutant",
)
CLASS_LABELS = {"mutant": 1, "wildtype": 0}


@dataclass(frozen=True, kw_only=True)
class SplitScores:
    """Scores of one model at one synthetic count on one split; patients in order of their names."""

    patients: tuple[str, ...]
    sample: Scored
    """Labels, and probabilities of shape (repeats, patients)."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Each patient's probability, averaged over the repeats."""
        return np.asarray(self.sample.scores.mean(axis=0))

    @property
    def mean_sample(self) -> Scored:
        """Labels, and each patient's mean probability."""
        return Scored(self.sample.labels, self.mean)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions of labeled validation and test patients."""

    rows: pd.DataFrame
    excluded: dict[str, int]
    """Split -> number of patients without a known IDH status; they are in no figure."""

    def models(self) -> list[str]:
        """All models, sorted by name."""
        return sorted(self.rows["model"].unique())

    def counts(self, model: str) -> list[int]:
        """Synthetic counts at which a model was trained, ascending."""
        return sorted(
            int(n) for n in self.rows.loc[self.rows["model"] == model, "n_synthetic"].unique()
        )

    def scores(self, model: str, n_synthetic: int, split: str) -> SplitScores:
        """Scores of one cell of the sweep, as a matrix.

        Raises:
            TableError: the cell has no predictions, or a repeat lacks a patient.
        """
        of_cell = (self.rows["model"] == model) & (self.rows["n_synthetic"] == n_synthetic)
        cell = self.rows[of_cell & (self.rows["split"] == split)]
        place = f"{model} with {n_synthetic} synthetic images on {split}"
        if cell.empty:
            raise TableError(f"{place}: no predictions; run predict for it")
        # Folds are models of one repeat on the same patients: their probabilities are averaged.
        table = cell.pivot_table(index="repeat", columns="patient", values="p_mutant")
        if missing := int(table.isna().to_numpy().sum()):
            raise TableError(
                f"{place}: {missing} predictions of a patient by a repeat are missing; run predict "
                "for all repeats"
            )
        labels = cell.drop_duplicates("patient").set_index("patient")["label"].loc[table.columns]
        return SplitScores(
            patients=tuple(table.columns),
            sample=Scored(labels.to_numpy(dtype=np.int64), table.to_numpy(dtype=np.float64)),
        )


def checked_predictions(rows: pd.DataFrame) -> Predictions:
    """Predictions of the validation and test patients whose IDH status is known.

    Rows of other splits are ignored.

    Raises:
        TableError: columns are missing, rows are repeated or contradict each other, a probability
            is not in 0..1, or models predicted different patients.
        LeakageError: a patient is in validation and in test.
        SampleError: validation or test lack a class.
    """
    if missing := [name for name in PREDICTION_COLUMNS if name not in rows.columns]:
        raise TableError(f"predictions: no column {', '.join(missing)}")
    rows = rows[rows["split"].isin(SPLITS)].copy()
    rows["label"] = rows["idh"].map(CLASS_LABELS)
    _refuse_contradictions(rows)
    labeled = rows[rows["label"].notna()]
    unlabeled = rows[rows["label"].isna()].groupby("split")["patient"].nunique()
    for split in SPLITS:
        _refuse_uneven_patients(labeled[labeled["split"] == split], split)
    return Predictions(rows=labeled, excluded={s: int(unlabeled.get(s, 0)) for s in SPLITS})


def _refuse_contradictions(rows: pd.DataFrame) -> None:
    keys = ["patient", "split", "model", "n_synthetic", "repeat", "fold"]
    if repeated := int(rows.duplicated(keys).sum()):
        raise TableError(f"predictions: {repeated} rows are repeated (same {', '.join(keys)})")
    if bad := int((~rows["p_mutant"].between(0, 1)).sum()):
        raise TableError(f"predictions: {bad} values of p_mutant are missing or not in 0..1")
    idh = rows["idh"].fillna("")
    if named := sorted(set(idh[~idh.isin([*CLASS_LABELS, "", "unknown"])])):
        raise TableError(f"predictions: idh must be mutant, wildtype or empty, found {named[0]!r}")
    if contradictory := _first_names(rows.assign(idh=idh).groupby("patient")["idh"].nunique() > 1):
        raise TableError(f"predictions: patients with two IDH states: {contradictory}")
    if contradictory := _first_names(rows.groupby("patient")["split"].nunique() > 1):
        raise LeakageError(f"predictions: patients in validation and in test: {contradictory}")


def _refuse_uneven_patients(rows: pd.DataFrame, split: str) -> None:
    classes = rows.drop_duplicates("patient")["label"].value_counts()
    if len(classes) < 2:
        raise SampleError(
            f"{split}: {classes.get(1, 0)} mutant and {classes.get(0, 0)} wildtype patients with "
            "predictions; statistics need both classes in validation and in test"
        )
    patient_sets = rows.groupby(["model", "n_synthetic", "repeat"])["patient"].agg(frozenset)
    if patient_sets.nunique() > 1:
        deviating = patient_sets[patient_sets != patient_sets.mode().iloc[0]].index[0]
        raise TableError(
            f"{split}: model, n_synthetic, repeat {deviating} predicted other patients than the "
            "others; run predict on the same patients for all of them"
        )


def _first_names(flags: "pd.Series[Any]") -> str:
    """Up to three names for which the flag is set; empty if there are none."""
    names: Sequence[str] = [str(name) for name in flags[flags].index]
    return ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
