"""Scores of each predictor for the tested patients: age, sex, grade, image, image and age.

Models are fitted fold by fold on patients who are not tested in the fold.

Letters: K folds, R repeats, N tested patients of a fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.errors import TableError
from idhray.stats.arms.columns import INNER, VALIDATION, first_names
from idhray.stats.arms.contrasts import judged_repeats
from idhray.stats.arms.predictions import ArmPredictions
from idhray.stats.arms.rule import Epochs
from idhray.stats.probabilities.age import AgeModel, fit_age_model
from idhray.stats.probabilities.fusion import fit_fusion
from idhray.stats.sample import SampleError

AGE, SEX, GRADE, IMAGE, IMAGE_AGE = "age", "sex", "grade", "image", "image + age"
CLASS_LABELS = {"mutant": 1.0, "wildtype": 0.0}


@dataclass(frozen=True, kw_only=True)
class PredictorScores:
    """Scores of one predictor for all tested patients."""

    predictor: str
    arm: str
    """Arm of the image; empty if the predictor has no image."""
    scores: tuple[NDArray[np.float64], ...]
    """(R, N) per fold; R is 1 without an image. NaN: unknown for this patient."""
    fitted_on: str
    """Patients on whom the predictor was fitted."""
    fitted_here: bool = False
    """Fitted on patients that had already chosen something, such as the epoch."""

    @property
    def label(self) -> str:
        """The predictor with its arm, for a table."""
        return f"{self.predictor} ({self.arm})" if self.arm else self.predictor


@dataclass(frozen=True, kw_only=True)
class FoldCohort:
    """Training patients of each fold, with the columns of the manifest."""

    training: tuple[pd.DataFrame, ...]
    """Per fold: patients of known label (column `label`) who are neither tested nor validation
    patients of the fold."""
    tested: tuple[pd.DataFrame, ...]
    """Per fold: tested patients in the order of the predictions."""
    ages: "pd.Series[float]"
    """Age of every patient of the manifest; NaN if unknown."""


def fold_cohort(
    predictions: ArmPredictions, rows: pd.DataFrame, cohort: pd.DataFrame
) -> FoldCohort:
    """Training and tested patients of each fold.

    With one fold and a manifest that has a split, training patients are those of its `train`.

    Args:
        predictions: Predictions of test patients.
        rows: All checked rows; those of `val` name the validation patients.
        cohort: One row per patient: patient, idh, age, sex, grade, site, split.

    Raises:
        TableError: the manifest lacks patients who have predictions, or gives one another label.
    """
    people = cohort.drop_duplicates("patient").set_index("patient")
    if absent := set(rows["patient"]) - set(people.index):
        raise TableError(
            f"the manifest lacks {len(absent)} patients who have predictions: "
            f"{first_names(list(absent))}; give the manifest of the same cohort"
        )
    people = people.assign(
        label=people["idh"].map(CLASS_LABELS), age=pd.to_numeric(people["age"], errors="coerce")
    )
    labeled = people[people["label"].notna()]
    if len(predictions.folds) == 1 and (labeled["split"] == "train").any():
        labeled = labeled[labeled["split"] == "train"]
    training, tested = [], []
    for fold in predictions.folds:
        validation = rows[(rows["fold"] == fold.fold) & (rows["split"] == VALIDATION)]
        held_out = {*fold.patients, *validation["patient"]}
        training.append(labeled[~labeled.index.isin(held_out)])
        of_fold = people.reindex(list(fold.patients))
        if names := first_names(list(of_fold.index[(of_fold["label"] == 1 - fold.labels)])):
            raise TableError(f"patients with another label in the manifest: {names}")
        tested.append(of_fold)
    return FoldCohort(training=tuple(training), tested=tuple(tested), ages=people["age"])


def covariate_scores(people: FoldCohort) -> tuple[list[PredictorScores], list[str]]:
    """Age, sex and grade alone, fitted on each fold's training patients; notes on those left out.

    Age: two Gaussians with one variance, so that the odds rise or fall with age. Sex and grade: the
    share of mutants among training patients of the same level, (mutants + 1/2) / (patients + 1); a
    level without training patients takes the share of all.
    """
    predictors, notes = [], []
    try:
        ages = [
            model.p_mutant(tested["age"])[None]
            for model, tested in zip(age_models(people), people.tested, strict=True)
        ]
        predictors.append(_covariate(AGE, ages))
    except SampleError as error:
        notes.append(f"Age is no predictor here: {error}.")
    for name in (SEX, GRADE):
        values = pd.concat(people.tested)[name].fillna("")
        if values[values != ""].nunique() < 2:
            notes.append(
                f"{name.capitalize()} is no predictor here: the manifest has no two levels."
            )
            continue
        shares = [
            _level_shares(training, tested, name)[None]
            for training, tested in zip(people.training, people.tested, strict=True)
        ]
        predictors.append(_covariate(name, shares))
    return predictors, notes


def _covariate(name: str, scores: Sequence[NDArray[np.float64]]) -> PredictorScores:
    return PredictorScores(
        predictor=name, arm="", scores=tuple(scores), fitted_on="training patients"
    )


def age_models(people: FoldCohort) -> list[AgeModel]:
    """The age model of each fold.

    Raises:
        SampleError: a class has fewer than two known ages among training patients of a fold.
    """
    return [
        fit_age_model(training["age"], training["label"].astype(int), shared_variance=True)
        for training in people.training
    ]


def _level_shares(training: pd.DataFrame, tested: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Share of mutants at each tested patient's level; NaN without a level."""
    training = training[training[name] != ""]
    overall = (training["label"].sum() + 0.5) / (len(training) + 1)
    by_level = training.groupby(name)["label"].agg(["sum", "size"])
    shares = (by_level["sum"] + 0.5) / (by_level["size"] + 1)
    levels = tested[name].fillna("")
    scores = levels.map(shares).fillna(overall).astype(float)
    return np.where(levels == "", np.nan, scores)


def image_scores(
    predictions: ArmPredictions, arms: Sequence[str], repeats: Sequence[int]
) -> list[PredictorScores]:
    """The image alone, for each of the arms, on its complete repeats."""
    return [
        PredictorScores(
            predictor=IMAGE,
            arm=arm,
            scores=tuple(predictions.scores(arm, judged)),
            fitted_on="training patients",
        )
        for arm in arms
        if (judged := judged_repeats(predictions, [arm], repeats))
    ]


def fused_scores(
    predictions: ArmPredictions,
    rows: pd.DataFrame,
    people: FoldCohort,
    arm: str,
    repeats: Sequence[int],
    *,
    epochs: Epochs,
) -> PredictorScores:
    """Image and age together; the fusion is fitted for each fold and repeat.

    It is fitted on predictions of training patients by inner folds (rows of split `inner`) if these
    exist in every fold and repeat, else on the fold's validation patients, and never on other outer
    folds. Where the epoch was chosen on the same validation patients, or may have been, the row is
    marked.

    Raises:
        SampleError: neither exists, lacks a class, or lacks ages.
    """
    judged = judged_repeats(predictions, [arm], repeats)
    of_arm = rows[(rows["arm"] == arm) & rows["label"].notna()]
    blocks = set(
        of_arm.loc[of_arm["split"] == INNER, ["fold", "repeat"]].itertuples(index=False, name=None)
    )
    inner = blocks >= {(fold.fold, repeat) for fold in predictions.folds for repeat in judged}
    fitting = of_arm[of_arm["split"] == (INNER if inner else VALIDATION)]
    if fitting.empty or not judged:
        raise SampleError("no predictions of inner folds or validation patients")
    scores = []
    models = age_models(people)
    for fold, model, tested in zip(predictions.folds, models, people.tested, strict=True):
        p_age = model.p_mutant(tested["age"])
        fused = []
        for repeat in judged:
            block = fitting[(fitting["fold"] == fold.fold) & (fitting["repeat"] == repeat)]
            block = block.assign(age=block["patient"].map(people.ages)).dropna(subset=["age"])
            if block["label"].nunique() < 2:
                raise SampleError(
                    f"fold {fold.fold}, repeat {repeat}: the fusion needs both classes with ages"
                )
            fusion = fit_fusion(
                block["p_mutant"], model.p_mutant(block["age"]), block["label"].astype(int)
            )
            fused.append(fusion.p_mutant(fold.blocks[arm, repeat], p_age))
        scores.append(np.stack(fused))
    return PredictorScores(
        predictor=IMAGE_AGE,
        arm=arm,
        scores=tuple(scores),
        fitted_on="inner folds of training patients" if inner else "validation patients",
        fitted_here=not inner and epochs != "fixed",
    )
