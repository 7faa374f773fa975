"""All statistics of a histology study, in the shape of Liu et al. 2020, tables 1 to 4."""

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from idhray.errors import ConfigError
from idhray.stats.files import statistics_files
from idhray.stats.papers.liu.predictions import SPLITS, Predictions, checked_predictions
from idhray.stats.papers.liu.predictors import predictors, table3, table4
from idhray.stats.papers.liu.sweep import (
    BASELINE,
    best_count,
    by_repeat,
    calibration_table,
    decision_table,
    roc_table,
    table1,
    table2,
)
from idhray.stats.papers.liu.verdict import Verdict, verdict
from idhray.stats.probabilities.age import AgeModel, Fusion
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
    """The tables as numbers; `printed_tables` turns them into text."""

    settings: StatsSettings
    model: str
    """The model of tables 2 to 4."""
    chosen_count: int
    """Synthetic images at which its mean AUC on validation was highest; 0 is possible."""
    verdict: Verdict
    table1: pd.DataFrame
    table2: pd.DataFrame
    table3: pd.DataFrame
    table4: pd.DataFrame
    by_repeat: pd.DataFrame
    """AUC, sensitivity, specificity and accuracy of every single training."""
    calibration: pd.DataFrame
    """Per split and count, of the mean probability over the repeats."""
    decision: pd.DataFrame
    """Net benefit at thresholds of 5 to 95%, of the same probabilities."""
    roc: pd.DataFrame
    """Points of the mean ROC curve per split and count."""
    by_patient: pd.DataFrame
    """Each patient's age and probabilities at the chosen count."""
    age_model: AgeModel | None
    fusion: Fusion | None
    excluded: dict[str, int]
    """Patients per split without a known IDH status, in no figure."""
    missing_age: dict[str, int]
    """Patients per split without an age, in no row that needs one."""
    notes: list[str]
    """Conventions and exclusions, in sentences."""


def liu_tables(
    predictions: pd.DataFrame, patients: pd.DataFrame, settings: StatsSettings | None = None
) -> LiuTables:
    """The statistics of a study.

    Args:
        predictions: The PREDICTIONS table; rows of splits other than val and test are not used.
        patients: patient, idh, age, split; also the training patients, for the age model.

    Raises:
        TableError: the tables are incomplete or contradict each other.
        LeakageError: a patient is in validation and in test.
        SampleError: validation or test lack a class.
        ConfigError: `settings.model` is needed, or names no model with a baseline.
    """
    settings = settings or StatsSettings()
    checked = checked_predictions(predictions)
    model = _model(checked, settings)
    sweep = table2(
        checked, model, settings.threshold, draws=settings.bootstrap_draws, seed=settings.seed
    )
    chosen = best_count(sweep)
    image = {split: checked.scores(model, chosen, split) for split in SPLITS}
    said = predictors(image, patients, settings)
    return LiuTables(
        settings=settings,
        model=model,
        chosen_count=chosen,
        verdict=verdict(sweep),
        table1=table1(checked, settings.threshold),
        table2=sweep,
        table3=table3(said, settings.threshold),
        table4=table4(said, settings),
        by_repeat=by_repeat(checked, model, settings.threshold),
        calibration=calibration_table(checked, model),
        decision=decision_table(checked, model),
        roc=roc_table(checked, model),
        by_patient=said.by_patient,
        age_model=said.age_model,
        fusion=said.fusion,
        excluded=checked.excluded,
        missing_age=said.missing_age,
        notes=[*_notes(settings, checked, said.missing_age), *said.notes],
    )


def _model(predictions: Predictions, settings: StatsSettings) -> str:
    """The model of tables 2 to 4: the one that was asked for, or the only one that can be meant."""
    models = [m for m in predictions.models() if BASELINE in predictions.counts(m)]
    if settings.model:
        if settings.model not in models:
            raise ConfigError(
                f"model {settings.model!r}: no predictions without synthetic images; "
                f"there are {', '.join(models) or 'none'}"
            )
        return settings.model
    with_synthetic = [m for m in models if len(predictions.counts(m)) > 1]
    candidates = with_synthetic or models
    if len(candidates) != 1:
        raise ConfigError(
            f"{len(candidates)} models could be meant in tables 2 to 4 "
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
        "so its validation figures flatter.",
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
    rest = {
        "verdict": asdict(tables.verdict),
        "model": tables.model,
        "chosen_count": tables.chosen_count,
        "settings": asdict(tables.settings),
        "excluded_unknown_idh": tables.excluded,
        "missing_age": tables.missing_age,
        "age_model": _age_model(tables.age_model),
        "fusion": asdict(tables.fusion) if tables.fusion else None,
        "notes": tables.notes,
    }
    return statistics_files(frames, rest)


def _age_model(model: AgeModel | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {**asdict(model), "threshold": model.threshold(), "roots": list(model.roots())}
