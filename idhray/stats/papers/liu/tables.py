"""All statistics of a histology study, in the shape of Liu et al. 2020, tables 1 to 4."""

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from idhray.errors import ConfigError
from idhray.stats.capped_ages import capped_age_notes
from idhray.stats.files import statistics_files
from idhray.stats.papers.liu.predictions import SPLITS, Predictions, checked_predictions
from idhray.stats.papers.liu.predictors import age_group_table, predictor_table, predictors
from idhray.stats.papers.liu.sweep import (
    BASELINE,
    baseline_table,
    best_count,
    by_repeat,
    calibration_table,
    decision_table,
    roc_table,
    sweep_table,
)
from idhray.stats.papers.liu.verdict import StudyVerdict, study_verdict
from idhray.stats.probabilities.age import AgeModel
from idhray.stats.probabilities.fusion import Fusion
from idhray.stats.settings import StatsSettings

FRAMES = (
    "table1",
    "table2",
    "table3",
    "table4",
    "by_repeat",
    "calibration",
    "decision",
    "roc",
    "by_patient",
)


@dataclass(frozen=True, kw_only=True)
class LiuTables:
    """The tables as numbers; `printed_tables` makes text of them."""

    settings: StatsSettings
    model: str
    """The model of tables 2 to 4."""
    chosen_count: int
    """Synthetic count with the highest mean AUC on validation; it may be 0."""
    verdict: StudyVerdict
    table1: pd.DataFrame
    table2: pd.DataFrame
    table3: pd.DataFrame
    table4: pd.DataFrame
    by_repeat: pd.DataFrame
    """AUC, sensitivity, specificity and accuracy of every single training."""
    calibration: pd.DataFrame
    """Calibration of the mean probability over the repeats, per split and count."""
    decision: pd.DataFrame
    """Net benefit of the same probabilities at thresholds of 5 to 95%."""
    roc: pd.DataFrame
    """Points of the mean ROC curve per split and count."""
    by_patient: pd.DataFrame
    """Each patient's age and probabilities at the chosen count."""
    age_model: AgeModel | None
    fusion: Fusion | None
    excluded: dict[str, int]
    """Split -> number of patients without a known IDH status; they are in no figure."""
    missing_age: dict[str, int]
    """Split -> number of patients without an age; they are in no row that needs one."""
    notes: list[str]
    """Sentences on conventions and exclusions."""


def liu_tables(
    predictions: pd.DataFrame, patients: pd.DataFrame, settings: StatsSettings | None = None
) -> LiuTables:
    """The statistics of a study.

    Args:
        predictions: The PREDICTIONS table; rows of splits other than val and test are ignored.
        patients: Columns patient, idh, age and split; includes the training patients, for the age
            model.

    Raises:
        TableError: the tables are incomplete or contradict each other.
        LeakageError: a patient is in validation and in test.
        SampleError: validation or test lack a class.
        ConfigError: `settings.model` is needed, or names a model without a baseline.
    """
    settings = settings or StatsSettings()
    checked = checked_predictions(predictions)
    model = _model(checked, settings)
    sweep = sweep_table(
        checked, model, settings.threshold, draws=settings.bootstrap_draws, seed=settings.seed
    )
    chosen = best_count(sweep)
    image = {split: checked.scores(model, chosen, split) for split in SPLITS}
    judged = predictors(image, patients, settings)
    return LiuTables(
        settings=settings,
        model=model,
        chosen_count=chosen,
        verdict=study_verdict(sweep, checked, model, settings.seed),
        table1=baseline_table(checked, settings.threshold),
        table2=sweep,
        table3=predictor_table(judged, settings.threshold),
        table4=age_group_table(judged, settings),
        by_repeat=by_repeat(checked, model, settings.threshold),
        calibration=calibration_table(checked, model),
        decision=decision_table(checked, model),
        roc=roc_table(checked, model),
        by_patient=judged.by_patient,
        age_model=judged.age_model,
        fusion=judged.fusion,
        excluded=checked.excluded,
        missing_age=judged.missing_age,
        notes=[
            *_notes(settings, checked, judged.missing_age),
            *capped_age_notes(patients),
            *judged.notes,
        ],
    )


def _model(predictions: Predictions, settings: StatsSettings) -> str:
    """The model of tables 2 to 4: the model in the settings, or the only candidate."""
    models = [m for m in predictions.models() if BASELINE in predictions.counts(m)]
    if settings.model:
        if settings.model not in models:
            raise ConfigError(
                f"model {settings.model!r}: no predictions without synthetic images; "
                f"models with them: {', '.join(models) or 'none'}"
            )
        return settings.model
    with_synthetic = [m for m in models if len(predictions.counts(m)) > 1]
    candidates = with_synthetic or models
    if len(candidates) != 1:
        raise ConfigError(
            f"tables 2 to 4: {len(candidates)} models are candidates "
            f"({', '.join(candidates) or 'none has a baseline'}); set model"
        )
    return candidates[0]


def _notes(
    settings: StatsSettings, predictions: Predictions, missing_age: dict[str, int]
) -> list[str]:
    variances = "a shared variance" if settings.shared_variance else "separate variances"
    notes = [
        f"A patient is called mutant when the probability is {settings.threshold:g} or more; the "
        "threshold was fixed beforehand.",
        "Every figure counts patients: repeats (trainings) and images never add to n. In tables 1 "
        "and 2 figures are means over the repeats; SD is their spread.",
        "Intervals are 95%. AUC: DeLong, of the mean over repeats; where its variance is 0 (a "
        "perfect or constant score) the exact binomial interval, and so marked. Sensitivity, "
        "specificity, accuracy: Wilson (the exact ones, predictive values and likelihood ratios "
        "are in the CSV files).",
        "Differences in AUC are paired by patient (DeLong) and add the variance between trainings; "
        "P values are adjusted by Holm over the counts of a set. The CSV files add a bootstrap of "
        f"patients and trainings ({settings.bootstrap_draws:,} resamples).",
        "The count was chosen on validation by mean AUC, the fewest images among equals. Only the "
        "chosen count's result on test is confirmatory; the other rows are for orientation.",
        f"Age: a Gaussian per class fitted on training patients ({variances}, {settings.priors} "
        "priors). Tables 3 and 4 use each patient's probability averaged over the repeats. Age & "
        "image: logistic regression on both logits (L2, C = 1) fitted on the validation patients, "
        "so its validation figures flatter; so do those of the image, as validation chose epoch "
        "and count.",
    ]
    for split in SPLITS:
        if left_out := predictions.excluded[split]:
            notes.append(f"{left_out} patients of {split} without a known IDH status are left out.")
        if ageless := missing_age[split]:
            notes.append(
                f"{ageless} patients of {split} without an age are in no row of tables 3 and 4 "
                "(their images are in table 3 only if nobody's age could be used)."
            )
    return notes


def liu_files(tables: LiuTables) -> dict[str, bytes]:
    """File names and contents: one CSV per table, and all of it in `statistics.json`."""
    frames = {name: getattr(tables, name) for name in FRAMES}
    other_values = {
        "verdict": asdict(tables.verdict),
        "model": tables.model,
        "chosen_count": tables.chosen_count,
        "settings": asdict(tables.settings),
        "excluded_unknown_idh": tables.excluded,
        "missing_age": tables.missing_age,
        "age_model": _age_model_record(tables.age_model),
        "fusion": {**asdict(tables.fusion), "scale": "logit"} if tables.fusion else None,
        "notes": tables.notes,
    }
    return statistics_files(frames, other_values)


def _age_model_record(model: AgeModel | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {
        **asdict(model),
        "variance": "sample",  # squares over n - 1
        "monotone": False,  # the second root counts
        "threshold": model.threshold(),
        "roots": list(model.roots()),
    }
