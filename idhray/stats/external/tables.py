"""All statistics of an external cohort: table 1, areas, calibration, decision curve, strata.

They describe. The verdict of an experiment is that of its protocol, on its own patients.

Letters: T trainings of an arm, N labeled patients.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from idhray.stats.accuracy.rates import accuracy_at
from idhray.stats.arms.baselines import baseline_table, few_patients_sentence
from idhray.stats.arms.contrasts import ArmAreas, arm_contrasts, contrast_table
from idhray.stats.arms.predictors import AGE, CLASS_LABELS, IMAGE, FoldCohort, PredictorScores
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.strata import strata_table
from idhray.stats.external.cohort import external_table1
from idhray.stats.external.scores import (
    ArmOfModel,
    ExternalScores,
    crossed_predictions,
    patient_table,
)
from idhray.stats.probabilities.calibration import calibration
from idhray.stats.probabilities.decision import decision_curve
from idhray.stats.roc.area import auc, auc_with_ci
from idhray.stats.sample import SampleError, Scored
from idhray.stats.settings import StatsSettings
from idhray.stats.table1.characteristics import Characteristic

FEWEST = 2
"""Labeled patients of each class below which no figure is computed."""
THRESHOLDS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())
"""Thresholds of the decision curve."""


@dataclass(frozen=True, kw_only=True)
class ExternalTables:
    """The tables as numbers; `printed.external_tables_text` makes text of them."""

    patients: pd.DataFrame
    """One row per patient, classifier and arm, also of patients of unknown IDH status."""
    table1: list[Characteristic] = field(default_factory=list)
    models: pd.DataFrame = field(default_factory=pd.DataFrame)
    """One row per classifier and arm: areas of single trainings and of the mean score,
    calibration, accuracy."""
    trainings: pd.DataFrame = field(default_factory=pd.DataFrame)
    """One row per training, with its area."""
    contrasts: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The primary arm against `real`, trainings as readers (K = 1)."""
    baselines: pd.DataFrame = field(default_factory=pd.DataFrame)
    """One row per predictor: age alone, and each mean score."""
    strata: pd.DataFrame = field(default_factory=pd.DataFrame)
    """One row per stratum, level and predictor."""
    decision: pd.DataFrame = field(default_factory=pd.DataFrame)
    """One row per classifier, arm and threshold: net benefit."""
    counts: dict[str, int] = field(default_factory=dict)
    """Patients by IDH status: mutant, wildtype, unknown."""
    notes: list[str] = field(default_factory=list)

    @property
    def is_judged(self) -> bool:
        """True if figures of accuracy exist."""
        return not self.models.empty


def external_tables(
    scores: ExternalScores,
    cohort: pd.DataFrame | None,
    settings: StatsSettings,
    *,
    primary: str = "",
    baseline: str = "real",
) -> ExternalTables:
    """The statistics of an external cohort.

    Args:
        scores: Scores of the cohort.
        cohort: One row per patient: patient, idh, age, sex, grade, site; None leaves out table 1
            and the strata.
        settings: Threshold and age groups.
        primary: Arm that is compared with the baseline; empty for none.
        baseline: Arm without added images.
    """
    notes = list(_notes(scores))
    counts = {
        "mutant": int((scores.labels == 1).sum()),
        "wildtype": int((scores.labels == 0).sum()),
        "unknown": int((~scores.labeled).sum()),
    }
    patients = patient_table(scores)
    people = None if cohort is None else cohort.drop_duplicates("patient").set_index("patient")
    table1 = [] if people is None else external_table1(people.reindex(list(scores.patients)), notes)
    if min(counts["mutant"], counts["wildtype"]) < FEWEST:
        notes.append(
            f"{counts['mutant']} mutant and {counts['wildtype']} wildtype patients of known IDH "
            "status: areas, calibration and strata need 2 of each."
        )
        return ExternalTables(patients=patients, table1=table1, counts=counts, notes=notes)
    predictors = _predictors(scores, people)
    truth = [scores.truth]
    rows = [_model_row(scores, key, settings.threshold, notes) for key in scores.scores]
    return ExternalTables(
        patients=patients,
        table1=table1,
        models=pd.DataFrame(rows),
        trainings=pd.DataFrame([row for key in scores.scores for row in _trainings(scores, key)]),
        contrasts=_contrasts(scores, primary, baseline),
        baselines=baseline_table(predictors, truth),
        strata=pd.DataFrame()
        if people is None
        else strata_table(
            predictors,
            truth,
            _fold_cohort(scores, people),
            age_split_years=settings.age_split_years,
        ),
        decision=pd.DataFrame([row for key in scores.scores for row in _decision(scores, key)]),
        counts=counts,
        notes=notes,
    )


def _notes(scores: ExternalScores) -> Iterator[str]:
    yield (
        "A patient's score is the mean probability over all trainings of an arm. No training, and "
        "no generator or weights behind it, saw a patient or an image of this cohort."
    )
    if scores.dropped:
        yield f"Trainings that lack patients were left out: {'; '.join(scores.dropped[:3])}."
    if not scores.labeled.any():
        return
    yield (
        "These figures describe another cohort. They do not change the verdict of the experiment."
    )
    yield (
        "Contrasts: trainings of all folds and repeats are readers who read the same patients "
        "(Obuchowski and Rockette, K = 1). Trainings of one fold share their training patients, so "
        "they vary less than trainings on other cohorts would."
    )


def _model_row(
    scores: ExternalScores, key: ArmOfModel, threshold: float, notes: list[str]
) -> dict[str, Any]:
    """Figures of one classifier and arm on the labeled patients."""
    truth, values = scores.truth, scores.scores[key][:, scores.labeled]
    mean = Scored(truth, values.mean(axis=0))
    single = np.array([auc(Scored(truth, row)) for row in values])
    area, fit, calls = auc_with_ci(mean), calibration(mean), accuracy_at(mean, threshold)
    notes += [
        f"{', '.join(key)}: {note}"
        for note in (
            *fit.notes,
            few_patients_sentence(area.auc, area.n_mutant, area.n_wildtype),
        )
        if note
    ]
    return {
        "model": key[0],
        "arm": key[1],
        "trainings": len(values),
        "n_mutant": area.n_mutant,
        "n_wildtype": area.n_wildtype,
        "auc_of_trainings": float(single.mean()),
        "sd_trainings": float(single.std(ddof=1)) if len(single) > 1 else np.nan,
        "auc_lowest": float(single.min()),
        "auc_highest": float(single.max()),
        "auc": area.auc,
        "auc_low": area.ci_low,
        "auc_high": area.ci_high,
        "ci_method": area.ci_method,
        "auprc": float(average_precision_score(truth, mean.scores[0])),
        "share_mutant": float(truth.mean()),
        "accuracy": calls.accuracy.value,
        "sensitivity": calls.sensitivity.value,
        "specificity": calls.specificity.value,
        "brier": fit.brier,
        "in_the_large": fit.in_the_large.value,
        "in_the_large_low": fit.in_the_large.ci_low,
        "in_the_large_high": fit.in_the_large.ci_high,
        "slope": fit.slope.value,
        "slope_low": fit.slope.ci_low,
        "slope_high": fit.slope.ci_high,
        "observed_expected": fit.observed_expected,
    }


def _trainings(scores: ExternalScores, key: ArmOfModel) -> Iterator[dict[str, Any]]:
    values = scores.scores[key][:, scores.labeled]
    for (fold, repeat), row in zip(scores.trainings[key], values, strict=True):
        area = auc(Scored(scores.truth, row))
        yield {"model": key[0], "arm": key[1], "fold": fold, "repeat": repeat, "auc": area}


def _contrasts(scores: ExternalScores, primary: str, baseline: str) -> pd.DataFrame:
    """Contrast of the primary arm and the baseline, for each classifier that has both."""
    tables = []
    for model in dict.fromkeys(key[0] for key in scores.scores):
        predictions = crossed_predictions(scores, model)
        if not {primary, baseline} <= set(predictions.arms):
            continue
        rule = DecisionRule(primary=primary, baseline=baseline)
        items = arm_contrasts(ArmAreas(predictions), rule, predictions.repeats)
        items = [item for item in items if item.role == "primary"]
        table = contrast_table(items, [item.contrast for item in items])
        tables.append(table.assign(model=model, method="trainings as readers, K = 1"))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _decision(scores: ExternalScores, key: ArmOfModel) -> Iterator[dict[str, Any]]:
    sample = Scored(scores.truth, scores.mean_scores(key)[scores.labeled])
    for point in decision_curve(sample, THRESHOLDS):
        yield {
            "model": key[0],
            "arm": key[1],
            "threshold": point.threshold,
            "net_benefit": point.model,
            "treat_all": point.treat_all,
            "avoided_per_100": point.avoided_per_100,
        }


def _predictors(scores: ExternalScores, people: pd.DataFrame | None) -> list[PredictorScores]:
    """Age alone, by its order and without a fit, and the mean score of each arm."""
    several = len({key[0] for key in scores.scores}) > 1
    predictors = [
        PredictorScores(
            predictor=IMAGE,
            arm=f"{model}, {arm}" if several else arm,
            scores=(scores.mean_scores((model, arm))[scores.labeled][None],),
            fitted_on="the cohort of the experiment",
        )
        for model, arm in scores.scores
    ]
    ages = _ages(scores, people)
    if (~np.isnan(ages)).sum() < 2 * FEWEST:
        return predictors
    younger = PredictorScores(
        predictor=AGE, arm="", scores=(-ages[None],), fitted_on="nobody: the younger, the likelier"
    )
    return [younger, *predictors]


def _ages(scores: ExternalScores, people: pd.DataFrame | None) -> NDArray[np.float64]:
    """(N,) age of each labeled patient; NaN if unknown."""
    if people is None or "age" not in people:
        return np.full(len(scores.truth), np.nan)
    ages = pd.to_numeric(people["age"].reindex(list(scores.patients)), errors="coerce")
    return np.asarray(ages.to_numpy(dtype=np.float64)[scores.labeled])


def _fold_cohort(scores: ExternalScores, people: pd.DataFrame) -> FoldCohort:
    """The labeled patients as the tested ones of a single fold.

    Raises:
        SampleError: the manifest gives a patient another label than the predictions.
    """
    tested = people.reindex(np.array(scores.patients)[scores.labeled].tolist())
    labels = tested["idh"].map(CLASS_LABELS)
    if wrong := list(tested.index[labels.notna() & (labels != scores.truth)]):
        raise SampleError(f"patient {wrong[0]}: another IDH status in the manifest")
    ages = pd.to_numeric(tested["age"], errors="coerce")
    tested = tested.assign(label=scores.truth, age=ages)
    return FoldCohort(training=(), tested=(tested,), ages=ages)
