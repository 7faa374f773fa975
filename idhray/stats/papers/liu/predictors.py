"""Tables 3 and 4: age, image, and both together, over all patients and by age group.

The image's probability is one per patient, the mean over the repeats, so that the fusion and the
counts of table 4 are about patients.

Source: Liu et al. 2020, tables 3 and 4.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.errors import TableError
from idhray.stats.accuracy.performance import performance
from idhray.stats.accuracy.rates import proportion
from idhray.stats.columns import area_columns, predictive_columns
from idhray.stats.papers.liu.predictions import CLASS_LABELS, SPLITS, SplitScores
from idhray.stats.probabilities.age import AgeModel, fit_age_model
from idhray.stats.probabilities.fusion import Fusion, fit_fusion
from idhray.stats.sample import SampleError, Scored
from idhray.stats.settings import StatsSettings

PREDICTORS = {"Age": "p_age", "Image": "p_image", "Age & image": "p_age_image"}
"""Predictor -> its column of probabilities."""
CHOSEN_ON_VALIDATION = ("p_image", "p_age_image")
"""Probabilities of models that validation patients chose or fitted; age is fitted on training."""


@dataclass(frozen=True, kw_only=True)
class Predictors:
    """Probabilities of each predictor for each patient, and the models behind them."""

    by_patient: pd.DataFrame
    """Columns patient, split, label, age, p_image, and, if they exist, p_age and p_age_image."""
    age_model: AgeModel | None
    fusion: Fusion | None
    missing_age: dict[str, int]
    """Split -> number of patients without an age; they are in no row that needs one."""
    notes: list[str]


def predictors(
    image: dict[str, SplitScores], patients: pd.DataFrame, settings: StatsSettings
) -> Predictors:
    """Age, image and fused probabilities of the validation and test patients.

    The age model is fitted on training patients, the fusion on validation patients. If there are
    too few ages for one of them, the rows that need it are left out, with a note.

    Args:
        image: Split -> the image's scores.
        patients: Columns patient, idh, age and split; includes the training patients.

    Raises:
        TableError: a column is missing, a predicted patient is not in `patients`, or the two
            tables disagree on its IDH status or split.
    """
    cohort = _cohort_by_patient(patients)
    by_patient = pd.concat([_with_age(image[split], split, cohort) for split in SPLITS])
    by_patient = by_patient.reset_index(drop=True)
    notes: list[str] = []
    age_model, fusion = None, None
    try:
        train = cohort[(cohort["split"] == "train") & cohort["label"].notna()]
        _refuse_few_ages(train, "training")
        age_model = fit_age_model(
            train["age"],
            train["label"],
            shared_variance=settings.shared_variance,
            priors=settings.priors,
        )
        by_patient["p_age"] = age_model.p_mutant(by_patient["age"])
        _refuse_few_ages(by_patient[by_patient["split"] == "val"], "validation")
        val = by_patient[(by_patient["split"] == "val") & by_patient["age"].notna()]
        fusion = fit_fusion(val["p_image"], val["p_age"], val["label"])
        by_patient["p_age_image"] = fusion.p_mutant(by_patient["p_image"], by_patient["p_age"])
    except SampleError as error:
        notes.append(f"Rows that need an age model or its fusion are left out: {error}.")
    missing = {s: int(by_patient.loc[by_patient["split"] == s, "age"].isna().sum()) for s in SPLITS}
    return Predictors(
        by_patient=by_patient, age_model=age_model, fusion=fusion, missing_age=missing, notes=notes
    )


def _refuse_few_ages(patients: pd.DataFrame, split: str) -> None:
    """Refuse patients among whom a class has no known age."""
    ages = patients.loc[patients["age"].notna(), "label"]
    if ages.nunique() < 2:
        raise SampleError(
            f"ages are missing: they are known of {int((ages == 1).sum())} mutant and "
            f"{int((ages == 0).sum())} wildtype {split} patients of "
            f"{int((patients['label'] == 1).sum())} and {int((patients['label'] == 0).sum())}"
        )


def _cohort_by_patient(patients: pd.DataFrame) -> pd.DataFrame:
    if missing := [n for n in ("patient", "idh", "age", "split") if n not in patients.columns]:
        raise TableError(f"patients: no column {', '.join(missing)}")
    by_patient = patients.drop_duplicates("patient").set_index(
        "patient"
    )  # it has one row per slide
    labels = by_patient["idh"].map(CLASS_LABELS)
    return by_patient.assign(label=labels, age=pd.to_numeric(by_patient["age"], errors="coerce"))


def _with_age(scores: SplitScores, split: str, cohort: pd.DataFrame) -> pd.DataFrame:
    if absent := sorted(set(scores.patients) - set(cohort.index)):
        raise TableError(f"predictions: patient {absent[0]} of {split} is not in the patient table")
    rows = cohort.loc[list(scores.patients)]
    differs = (rows["label"].to_numpy() != scores.sample.labels) | (
        rows["split"].to_numpy() != split
    )
    if differs.any():
        name = scores.patients[int(differs.argmax())]
        raise TableError(
            f"patient {name}: IDH status or split differs between predictions and patient table"
        )
    return pd.DataFrame(
        {
            "patient": scores.patients,
            "split": split,
            "label": scores.sample.labels,
            "age": rows["age"].to_numpy(dtype=np.float64),
            "p_image": scores.mean,
        }
    )


def predictor_table(judged: Predictors, threshold: float) -> pd.DataFrame:
    """Table 3: one row per split and predictor, on the patients whose age is known.

    Without an age model it has the image alone, on all patients. `fitted_here` marks a row on
    patients by whom its model was fitted or chosen, so that its figures are optimistic: validation
    chose the epoch of every training and the number of synthetic images, and fitted the fusion.
    """
    table = judged.by_patient
    if judged.age_model is not None:
        table = table[table["age"].notna()]
    rows = []
    for split in SPLITS:
        rows_of_split = table[table["split"] == split]
        for name, column in PREDICTORS.items():
            if column in rows_of_split and rows_of_split["label"].nunique() == 2:
                sample = Scored(rows_of_split["label"], rows_of_split[column])
                row = performance(sample, threshold) | area_columns(sample)
                row |= predictive_columns(sample, threshold)
                fitted = column in CHOSEN_ON_VALIDATION and split == "val"
                rows.append({"split": split, "predictor": name, "fitted_here": fitted, **row})
    return pd.DataFrame(rows)


def age_group_table(judged: Predictors, settings: StatsSettings) -> pd.DataFrame:
    """Table 4: errors and accuracy by age group, for validation and test pooled and test alone.

    Liu et al. pool validation and test. Patients without an age are in no group. `fitted_here`
    marks a row on patients by whom, in part, its model was fitted or chosen.
    """
    aged = judged.by_patient[judged.by_patient["age"].notna()]
    rows = []
    for set_name, splits in (("val + test", SPLITS), ("test", ("test",))):
        rows_of_set = aged[aged["split"].isin(splits)]
        is_young = rows_of_set["age"] < settings.age_split_years
        for group, members in (
            (f"< {settings.age_split_years:g}", rows_of_set[is_young]),
            (f">= {settings.age_split_years:g}", rows_of_set[~is_young]),
        ):
            for name, column in PREDICTORS.items():
                if column in members and len(members):
                    row = _error_row(members, column, settings.threshold)
                    fitted = column in CHOSEN_ON_VALIDATION and "val" in splits
                    rows.append(
                        {"set": set_name, "group": group, "predictor": name, "fitted_here": fitted}
                        | row
                    )
    return pd.DataFrame(rows)


def _error_row(members: pd.DataFrame, column: str, threshold: float) -> dict[str, float]:
    mutant = members["label"].to_numpy() == 1
    wrong = (members[column].to_numpy() >= threshold) != mutant
    correct = proportion(int((~wrong).sum()), len(members))
    return {
        "n": len(members),
        "n_mutant": int(mutant.sum()),
        "n_wildtype": int((~mutant).sum()),
        "errors": int(wrong.sum()),
        "errors_mutant": int(wrong[mutant].sum()),
        "errors_wildtype": int(wrong[~mutant].sum()),
        "accuracy": correct.value,
        "accuracy_low": correct.wilson_low,
        "accuracy_high": correct.wilson_high,
    }
