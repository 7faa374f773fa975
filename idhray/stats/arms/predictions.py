"""Predictions of the arms of an experiment, as (repeats, patients) matrices by fold and arm.

A block is what one trained classifier predicts: one fold, repeat and arm. A block that lacks
patients is left out, and counted.

Letters: K folds, R repeats.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.errors import ConfigError, TableError
from idhray.stats.arms.columns import TEST, first_names, prediction_rows
from idhray.stats.sample import Labels, SampleError

Block = tuple[int, int, str]  # fold, repeat, arm


@dataclass(frozen=True, kw_only=True)
class FoldBlocks:
    """The complete blocks of one fold."""

    fold: int
    patients: tuple[str, ...]
    """Sorted by name."""
    labels: Labels
    blocks: dict[tuple[str, int], NDArray[np.float64]]
    """(arm, repeat) -> (patients,) probabilities."""

    def scores(self, arm: str, repeats: Sequence[int]) -> NDArray[np.float64]:
        """(repeats, patients) probabilities of one arm."""
        return np.stack([self.blocks[arm, repeat] for repeat in repeats])


@dataclass(frozen=True, kw_only=True)
class ArmPredictions:
    """Predictions of labeled patients on one split, by fold, arm and repeat."""

    folds: tuple[FoldBlocks, ...]
    """In order of their numbers."""
    arms: tuple[str, ...]
    """All arms with rows, sorted by name."""
    repeats: tuple[int, ...]
    """All repeats with rows, ascending."""
    dropped: dict[Block, str]
    """Block that was left out -> the reason."""
    unlabeled: tuple[str, ...]
    """Patients without a known label; they are in no figure."""

    def complete_repeats(self, arms: Iterable[str]) -> tuple[int, ...]:
        """Repeats in which every fold has a complete block of each of the arms, ascending."""
        names = list(dict.fromkeys(arms))
        return tuple(
            repeat
            for repeat in self.repeats
            if all((arm, repeat) in fold.blocks for fold in self.folds for arm in names)
        )

    def scores(self, arm: str, repeats: Sequence[int]) -> list[NDArray[np.float64]]:
        """(repeats, patients) probabilities of one arm, per fold."""
        return [fold.scores(arm, repeats) for fold in self.folds]

    def patient_labels(self) -> "pd.Series[int]":
        """Label of each patient, indexed by name."""
        names = [name for fold in self.folds for name in fold.patients]
        return pd.Series(np.concatenate([fold.labels for fold in self.folds]), index=names)

    def dropped_sentence(self) -> str:
        """A sentence on the blocks that were left out; empty if there are none."""
        if not self.dropped:
            return ""
        total = len(self.folds) * len(self.repeats) * len(self.arms)
        examples = [
            f"fold {fold}, repeat {repeat}, {arm} ({reason})"
            for (fold, repeat, arm), reason in list(self.dropped.items())[:3]
        ]
        more = f" and {len(self.dropped) - 3} more" if len(self.dropped) > 3 else ""
        return (
            f"{len(self.dropped)} of {total} blocks (fold x repeat x arm) are incomplete or "
            f"missing and were left out: {'; '.join(examples)}{more}. A contrast is judged on the "
            "repeats that are complete in all folds for its arms."
        )


def arm_predictions(
    frame: pd.DataFrame, *, model: str = "", source: str = "predictions"
) -> ArmPredictions:
    """Predictions of test patients, from the table of any program (`columns.prediction_rows`).

    Raises:
        TableError: the table has a problem, or no test patient with a label.
        LeakageError: a patient is in two splits of one fold.
        ConfigError: there are several models and `model` names none of them.
        SampleError: the test patients of a fold lack a class.
    """
    rows = rows_of_model(prediction_rows(frame, source=source), model)
    return predictions_of(rows, TEST, source=source)


def rows_of_model(rows: pd.DataFrame, model: str = "") -> pd.DataFrame:
    """Rows of one classifier.

    Raises:
        ConfigError: there are several and `model` names none of them.
    """
    models = sorted(rows["model"].unique())
    if model and model not in models:
        raise ConfigError(f"model {model!r} has no predictions; models: {', '.join(models)}")
    if not model and len(models) > 1:
        raise ConfigError(f"predictions of {len(models)} models: {', '.join(models)}; set model")
    return rows[rows["model"] == model] if model else rows


def predictions_of(rows: pd.DataFrame, split: str, *, source: str) -> ArmPredictions:
    """Predictions of one split, from checked rows of one model.

    Raises:
        TableError: no labeled patient has a prediction.
        SampleError: a fold lacks a class.
    """
    of_split = rows[rows["split"] == split]
    unlabeled = tuple(sorted(of_split.loc[of_split["label"].isna(), "patient"].unique()))
    labeled = of_split[of_split["label"].notna()]
    if labeled.empty:
        raise TableError(f"{source}: no prediction of a {split} patient with a label")
    arms = tuple(sorted(labeled["arm"].unique()))
    repeats = tuple(int(each) for each in sorted(labeled["repeat"].unique()))
    folds, dropped = [], {}
    for number, of_fold in labeled.groupby("fold"):
        fold, gaps = _fold_blocks(int(str(number)), of_fold)
        folds.append(fold)
        expected = [(arm, repeat) for arm in arms for repeat in repeats]
        for arm, repeat in expected:
            if (arm, repeat) not in fold.blocks:
                reason = gaps.get((arm, repeat), "missing")
                dropped[fold.fold, repeat, arm] = reason
    return ArmPredictions(
        folds=tuple(folds), arms=arms, repeats=repeats, dropped=dropped, unlabeled=unlabeled
    )


def _fold_blocks(number: int, rows: pd.DataFrame) -> tuple[FoldBlocks, dict[tuple[str, int], str]]:
    """Complete blocks of a fold, and (arm, repeat) -> reason of the incomplete ones."""
    table = rows.pivot(index=["arm", "repeat"], columns="patient", values="p_mutant")
    labels = rows.drop_duplicates("patient").set_index("patient")["label"]
    truth = labels.loc[table.columns].to_numpy(dtype=np.int64)
    mutants = int(truth.sum())
    if mutants in (0, len(truth)):
        raise SampleError(
            f"fold {number}: {mutants} mutant and {len(truth) - mutants} wildtype patients with "
            "predictions; every fold needs both classes: use fewer folds, or stratify them"
        )
    blocks, gaps = {}, {}
    for (arm, repeat), row in zip(table.index, table.to_numpy(dtype=np.float64), strict=True):
        if (absent := np.isnan(row)).any():
            names = first_names(list(table.columns[absent]))
            gaps[str(arm), int(repeat)] = f"no prediction of {names}"
        else:
            blocks[str(arm), int(repeat)] = row
    fold = FoldBlocks(
        fold=number, patients=tuple(map(str, table.columns)), labels=truth, blocks=blocks
    )
    return fold, gaps
