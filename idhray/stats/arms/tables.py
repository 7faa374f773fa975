"""All statistics of an augmentation experiment, from its predictions and its rule."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from idhray.stats.arms.baselines import age_headline, baseline_table
from idhray.stats.arms.columns import TEST, VALIDATION, prediction_rows
from idhray.stats.arms.contrasts import ArmAreas, ArmContrast, arm_contrasts, contrast_table
from idhray.stats.arms.decision import (
    Decision,
    PlannedPart,
    decide,
    deciding_test,
    planned_part,
)
from idhray.stats.arms.figures import (
    arm_table,
    class_counts,
    fewest_of_a_class,
    response_table,
    trial_table,
    with_details,
)
from idhray.stats.arms.names import arm_order
from idhray.stats.arms.notes import experiment_notes
from idhray.stats.arms.patients_worth import patients_worth
from idhray.stats.arms.predictions import ArmPredictions, predictions_of, rows_of_model
from idhray.stats.arms.predictors import (
    FoldCohort,
    PredictorScores,
    covariate_scores,
    fold_cohort,
    fused_scores,
    image_scores,
)
from idhray.stats.arms.rule import DecisionRule
from idhray.stats.arms.selection import ChosenByOthers, leave_one_repeat_out
from idhray.stats.arms.sentences import later_sentence
from idhray.stats.arms.strata import strata_table
from idhray.stats.arms.trend import TrendTest, trend_test
from idhray.stats.arms.verdict import ArmVerdict, arm_verdict
from idhray.stats.files import statistics_files
from idhray.stats.sample import SampleError
from idhray.stats.settings import StatsSettings

FRAMES = ("contrasts", "arms", "trials", "baselines", "strata", "response")


@dataclass(frozen=True, kw_only=True)
class ExperimentTables:
    """The tables as numbers; `printed.experiment_tables_text` makes text of them."""

    rule: DecisionRule
    settings: StatsSettings
    plan: PlannedPart
    decision: Decision
    verdict: ArmVerdict
    arms: pd.DataFrame
    """One row per arm: mean figures over folds and repeats."""
    contrasts: pd.DataFrame
    """One row per comparison of two arms."""
    response: pd.DataFrame
    """One row per arm with a number of images, for the plot of the response."""
    trials: pd.DataFrame
    """One row per training: its figures and what it cost."""
    baselines: pd.DataFrame
    """One row per predictor: age, sex, grade, image, image and age."""
    strata: pd.DataFrame
    """One row per stratum, level and predictor."""
    trend: TrendTest | None
    selection: ChosenByOthers | None
    headline: str
    """Sentence that comes before the verdict if age alone does as well as every image."""
    notes: list[str]
    """Sentences on conventions, exclusions and secondary results."""


def experiment_tables(
    rows: pd.DataFrame,
    cohort: pd.DataFrame | None,
    rule: DecisionRule,
    settings: StatsSettings | None = None,
    *,
    trials: pd.DataFrame | None = None,
    source: str = "predictions",
) -> ExperimentTables:
    """The statistics of an experiment.

    Args:
        rows: Predictions of any program (`columns.prediction_rows`).
        cohort: One row per patient with idh, age, sex, grade, site, split; None leaves out the
            baselines and strata that need them.
        rule: The rule of the decision.
        settings: Threshold, model and age groups.
        trials: Further columns of single trainings (fold, repeat, arm), such as GPU seconds.
        source: Name of the predictions in errors.

    Raises:
        TableError: the predictions are contradictory or disagree with `cohort`.
        LeakageError: a patient is in two splits of one fold.
        ConfigError: the arms of the rule or the model do not exist.
        SampleError: a fold has fewer than two test patients of a class.
    """
    settings = settings or StatsSettings()
    rows = rows_of_model(prediction_rows(rows, source=source), settings.model)
    predictions = predictions_of(rows, TEST, source=source)
    areas = ArmAreas(predictions)
    plan = planned_part(predictions, rule)
    folds = len(predictions.folds)
    contrasts = arm_contrasts(areas, rule, plan.judged)
    decision = decide(contrasts, rule, plan, folds=folds, fewest=fewest_of_a_class(predictions))
    single = trial_table(areas, settings.threshold)
    names = sorted(predictions.arms, key=lambda arm: arm_order(arm, rule.baseline))
    arms = arm_table(areas, single, names, plan.judged)
    people = fold_cohort(predictions, rows, cohort) if cohort is not None else None
    verdict = arm_verdict(
        decision,
        contrasts,
        arms,
        rule,
        counts=class_counts(predictions),
        folds=folds,
        worth=patients_worth(arms, rule, _training_patients(predictions, rows, people)),
    )
    predictors, notes = _predictors(predictions, rows, people, rule, plan)
    labels = [fold.labels for fold in predictions.folds]
    baselines = baseline_table(predictors, labels)
    table = contrast_table(contrasts, [deciding_test(item, rule) for item in contrasts])
    trend = trend_test(areas, rule, plan.judged)
    selection = _selection(areas, rows, rule, plan)
    return ExperimentTables(
        rule=rule,
        settings=settings,
        plan=plan,
        decision=decision,
        verdict=verdict,
        arms=arms,
        contrasts=table,
        response=response_table(arms, table),
        trials=with_details(single, rows, trials),
        baselines=baselines,
        strata=strata_table(predictors, labels, people, age_split_years=settings.age_split_years)
        if people is not None
        else pd.DataFrame(),
        trend=trend,
        selection=selection,
        headline=age_headline(baselines),
        notes=experiment_notes(
            predictions,
            rule,
            settings,
            areas=arms.set_index("arm")["auc"] if len(arms) else pd.Series(dtype=float),
            secondary=[
                trend.sentence if trend else "",
                selection.sentence if selection else "",
                later_sentence(plan.later, _all_repeats(areas, rule, plan), plan),
                *notes,
            ],
        ),
    )


def answer_text(tables: ExperimentTables) -> str:
    """The verdict as one paragraph; an age that no image beats comes first."""
    return f"{tables.headline} {tables.verdict.text}".strip()


def _training_patients(
    predictions: ArmPredictions, rows: pd.DataFrame, people: FoldCohort | None
) -> float:
    """Mean number of training patients of a fold; of all folds but this one without a manifest."""
    if people is not None:
        return float(np.mean([len(training) for training in people.training]))
    total = sum(len(fold.patients) for fold in predictions.folds)
    validation = rows[rows["split"] == VALIDATION].groupby("fold")["patient"].nunique()
    others = total * (1 - 1 / len(predictions.folds))
    return others - (float(validation.mean()) if len(validation) else 0.0)


def _predictors(
    predictions: ArmPredictions,
    rows: pd.DataFrame,
    people: FoldCohort | None,
    rule: DecisionRule,
    plan: PlannedPart,
) -> tuple[list[PredictorScores], list[str]]:
    """Predictors of the baselines and strata, and notes on those that are left out."""
    arms = [arm for arm in (rule.baseline, rule.primary) if arm in predictions.arms]
    image = image_scores(predictions, arms, plan.judged)
    if people is None:
        return image, ["No manifest was given: age, sex, grade and strata are left out."]
    covariates, notes = covariate_scores(people)
    fused = []
    for arm in arms:
        try:
            fused.append(
                fused_scores(predictions, rows, people, arm, plan.judged, epochs=rule.epochs)
            )
        except SampleError as error:
            notes.append(f"Image and age together are left out for arm {arm}: {error}.")
    return [*covariates, *image, *fused], notes


def _selection(
    areas: ArmAreas, rows: pd.DataFrame, rule: DecisionRule, plan: PlannedPart
) -> ChosenByOthers | None:
    of_split = rows[(rows["split"] == VALIDATION) & rows["label"].notna()]
    classes = (
        of_split.drop_duplicates(["fold", "patient"]).groupby("fold")["label"].agg(["sum", "size"])
    )
    if of_split.empty or (classes["sum"] < 2).any() or (classes["size"] - classes["sum"] < 2).any():
        return None
    validation = ArmAreas(predictions_of(rows, VALIDATION, source="validation"))
    return leave_one_repeat_out(validation, areas, rule, plan.judged)


def _all_repeats(areas: ArmAreas, rule: DecisionRule, plan: PlannedPart) -> Any:
    """The primary contrast over planned and later repeats; None without later ones."""
    if not plan.later:
        return None
    items: list[ArmContrast] = arm_contrasts(areas, rule, [*plan.judged, *plan.later])
    primary = [item for item in items if item.role == "primary"]
    return deciding_test(primary[0], rule) if primary else None


def experiment_files(tables: ExperimentTables) -> dict[str, bytes]:
    """File name -> content: one CSV per table, and statistics.json."""
    frames = {name: getattr(tables, name) for name in FRAMES}
    others = {
        "verdict": {**asdict(tables.verdict), "text": tables.verdict.text},
        "decision": asdict(tables.decision),
        "rule": asdict(tables.rule),
        "settings": asdict(tables.settings),
        "judged_repeats": tables.plan.judged,
        "later_repeats": tables.plan.later,
        "trend": asdict(tables.trend) if tables.trend else None,
        "chosen_by_other_repeats": asdict(tables.selection) if tables.selection else None,
        "headline": tables.headline,
        "notes": tables.notes,
    }
    return statistics_files(frames, others)
