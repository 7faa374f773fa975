"""Scores of the patients of an external cohort by all models of an experiment.

A patient's score is the mean over all trainings of an arm. No training saw the cohort, so all of
them predict all patients, and the folds are one.

Letters: T trainings of an arm, N patients.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.errors import TableError
from idhray.stats.arms.columns import EXTERNAL, TEST
from idhray.stats.arms.predictions import ArmPredictions, FoldBlocks

ArmOfModel = tuple[str, str]  # classifier, arm
Training = tuple[int, int]  # fold, repeat
RESEARCH = "research use only"
IDH_WORDS = {1.0: "mutant", 0.0: "wildtype"}


@dataclass(frozen=True, kw_only=True)
class ExternalScores:
    """Scores of all patients by the trainings of each classifier and arm."""

    patients: tuple[str, ...]
    """Sorted by name."""
    labels: NDArray[np.float64]  # (N,), mutant 1, wildtype 0, NaN unknown
    scores: Mapping[ArmOfModel, NDArray[np.float64]]  # (T, N)
    trainings: Mapping[ArmOfModel, tuple[Training, ...]]
    """The T trainings, in the order of the scores."""
    dropped: tuple[str, ...]
    """Trainings that lack patients and were left out."""

    @property
    def labeled(self) -> NDArray[np.bool_]:
        """(N,) True for a patient whose IDH status is known."""
        return ~np.isnan(self.labels)

    @property
    def truth(self) -> NDArray[np.int64]:
        """Label of each labeled patient."""
        return self.labels[self.labeled].astype(np.int64)

    def mean_scores(self, key: ArmOfModel) -> NDArray[np.float64]:
        """(N,) mean over the trainings of one arm."""
        return np.asarray(self.scores[key].mean(axis=0))


def is_external(rows: pd.DataFrame) -> bool:
    """True for predictions of a cohort that no training used: rows of split `external`.

    Args:
        rows: Checked rows, from `prediction_rows`.
    """
    return EXTERNAL in set(rows["split"])


def external_scores(rows: pd.DataFrame, *, source: str = "predictions") -> ExternalScores:
    """Scores of an external cohort from checked rows.

    Raises:
        TableError: there are predictions of training or validation patients among them, or none.
    """
    if others := sorted(set(rows["split"]) - {EXTERNAL, TEST}):
        raise TableError(f"{source}: rows of split {others[0]} among those of an external cohort")
    if rows.empty:
        raise TableError(f"{source}: no prediction")
    labels = rows.drop_duplicates("patient").set_index("patient")["label"].sort_index()
    patients = tuple(map(str, labels.index))
    scores: dict[ArmOfModel, NDArray[np.float64]] = {}
    trainings: dict[ArmOfModel, tuple[Training, ...]] = {}
    dropped: list[str] = []
    for (model, arm), of_arm in rows.groupby(["model", "arm"]):
        table = of_arm.pivot(index=["fold", "repeat"], columns="patient", values="p_mutant")
        table = table.reindex(columns=list(patients)).sort_index()
        whole = table.notna().all(axis=1)
        dropped += [
            f"{model}, {arm}, fold {fold}, repeat {repeat}" for fold, repeat in table.index[~whole]
        ]
        if whole.any():
            key = (str(model), str(arm))
            scores[key] = table[whole].to_numpy(dtype=np.float64)
            trainings[key] = tuple((int(k), int(r)) for k, r in table.index[whole])
    if not scores:
        raise TableError(f"{source}: no training has predictions of all {len(patients)} patients")
    return ExternalScores(
        patients=patients,
        labels=labels.to_numpy(dtype=np.float64),
        scores=scores,
        trainings=trainings,
        dropped=tuple(dropped),
    )


def patient_table(scores: ExternalScores) -> pd.DataFrame:
    """One row per patient, classifier and arm: the mean over trainings and their spread."""
    tables = []
    for (model, arm), values in scores.scores.items():
        sd = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1], np.nan)
        frame = {
            "patient": scores.patients,
            "idh": [IDH_WORDS.get(label, "") for label in scores.labels],
            "model": model,
            "arm": arm,
            "p_mutant": scores.mean_scores((model, arm)),
            "sd_trainings": sd,
            "p_lowest": values.min(axis=0),
            "p_highest": values.max(axis=0),
            "trainings": len(values),
            "use": RESEARCH,
        }
        tables.append(pd.DataFrame(frame))
    return pd.concat(tables).sort_values(["patient", "model", "arm"], ignore_index=True)


def crossed_predictions(scores: ExternalScores, model: str) -> ArmPredictions:
    """Labeled patients as one fold whose repeats are the trainings of all folds and repeats.

    The trainings are readers who all read the same patients (K = 1).

    Args:
        scores: Scores of the cohort.
        model: The classifier.
    """
    keys = [key for key in scores.scores if key[0] == model]
    every = sorted({training for key in keys for training in scores.trainings[key]})
    blocks = {
        (key[1], every.index(training) + 1): values[scores.labeled]
        for key in keys
        for training, values in zip(scores.trainings[key], scores.scores[key], strict=True)
    }
    names = tuple(np.array(scores.patients)[scores.labeled].tolist())
    fold = FoldBlocks(fold=1, patients=names, labels=scores.truth, blocks=blocks)
    unlabeled = tuple(np.array(scores.patients)[~scores.labeled].tolist())
    return ArmPredictions(
        folds=(fold,),
        arms=tuple(sorted(key[1] for key in keys)),
        repeats=tuple(range(1, len(every) + 1)),
        dropped={},
        unlabeled=unlabeled,
    )
