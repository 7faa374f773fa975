"""Tables 3 and 4: age, image, and both together, over all patients and by age group.

Source: Liu et al. 2020, tables 3 and 4. The image's probability is the mean over the repeats, one
per patient, so that the fusion and the counts of table 4 are about patients.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.errors import TableError
from idhray.stats.accuracy.performance import performance
from idhray.stats.accuracy.rates import proportion
from idhray.stats.columns import area_columns, predictive_columns
from idhray.stats.papers.liu.predictions import SPLITS, SplitScores
from idhray.stats.probabilities.age import AgeModel, Fusion, fit_age_model, fit_fusion
from idhray.stats.sample import SampleError
from idhray.stats.settings import StatsSettings

PREDICTORS = {"Age": "p_age", "Image": "p_image", "Age & image": "p_age_image"}
_CLASSES = {"mutant": 1.0, "wildtype": 0.0}


@dataclass(frozen=True, kw_only=True)
class Predictors:
    """What each predictor says of each patient, and the models behind it."""

    by_patient: pd.DataFrame
    """patient, split, label, age, and p_age, p_image, p_age_image where they exist."""
    age_model: AgeModel | None
    fusion: Fusion | None
    missing_age: dict[str, int]
    """Patients per split without an age: they are in no row that needs one."""
    notes: list[str]


def predictors(
    image: dict[str, SplitScores], patients: pd.DataFrame, settings: StatsSettings
) -> Predictors:
    """Age, image and fused probabilities of the validation and test patients.

    The age model is fitted on training patients, the fusion on validation patients. Where there
    are too few ages for either, the rows that need it are left out and a note says so.

    Args:
        image: The image's scores per split.
        patients: patient, idh, age, split; the training patients among them.

    Raises:
        TableError: a column is missing, a predicted patient is not in `patients`, or the two
            tables disagree on its IDH status or split.
    """
    people = _people(patients)
    table = pd.concat([_with_age(image[split], split, people) for split in SPLITS])
    table = table.reset_index(drop=True)
    notes: list[str] = []
    age_model, fusion = None, None
    try:
        train = people[(people["split"] == "train") & people["label"].notna()]
        _refuse_few_ages(train, "training")
        age_model = fit_age_model(
            train["age"],
            train["label"],
            shared_variance=settings.shared_variance,
            priors=settings.priors,
        )
        table["p_age"] = age_model.p_mutant(table["age"])
        _refuse_few_ages(table[table["split"] == "val"], "validation")
        val = table[(table["split"] == "val") & table["age"].notna()]
        fusion = fit_fusion(val["p_image"], val["p_age"], val["label"])
        table["p_age_image"] = fusion.p_mutant(table["p_image"], table["p_age"])
    except SampleError as error:
        notes.append(f"Rows that need an age model or its fusion are left out: {error}.")
    missing = {s: int(table.loc[table["split"] == s, "age"].isna().sum()) for s in SPLITS}
    return Predictors(
        by_patient=table, age_model=age_model, fusion=fusion, missing_age=missing, notes=notes
    )


def _refuse_few_ages(people: pd.DataFrame, split: str) -> None:
    """Both classes need an age; that they lack one is no matter of the split or of IDH status."""
    known = people.loc[people["age"].notna(), "label"]
    if known.nunique() < 2:
        raise SampleError(
            f"ages are missing: they are known of {int((known == 1).sum())} mutant and "
            f"{int((known == 0).sum())} wildtype {split} patients of "
            f"{int((people['label'] == 1).sum())} and {int((people['label'] == 0).sum())}"
        )


def _people(patients: pd.DataFrame) -> pd.DataFrame:
    if missing := [n for n in ("patient", "idh", "age", "split") if n not in patients.columns]:
        raise TableError(f"patients: no column {', '.join(missing)}")
    people = patients.drop_duplicates("patient").set_index("patient")  # one row per slide there
    label = people["idh"].map(_CLASSES)
    return people.assign(label=label, age=pd.to_numeric(people["age"], errors="coerce"))


def _with_age(scores: SplitScores, split: str, people: pd.DataFrame) -> pd.DataFrame:
    if lost := sorted(set(scores.patients) - set(people.index)):
        raise TableError(f"predictions: patient {lost[0]} of {split} is not in the patient table")
    known = people.loc[list(scores.patients)]
    wrong = (known["label"].to_numpy() != scores.labels) | (known["split"].to_numpy() != split)
    if wrong.any():
        name = scores.patients[int(wrong.argmax())]
        raise TableError(
            f"patient {name}: IDH status or split differs between predictions and patient table"
        )
    return pd.DataFrame(
        {
            "patient": scores.patients,
            "split": split,
            "label": scores.labels,
            "age": known["age"].to_numpy(dtype=np.float64),
            "p_image": scores.mean,
        }
    )


def table3(said: Predictors, threshold: float) -> pd.DataFrame:
    """A row per split and predictor, all on the same patients: those whose age is known.

    Without an age model there is the image alone, on all patients. `fitted_here` marks a row whose
    model was fitted on these very patients: it flatters.
    """
    table = said.by_patient
    if said.age_model is not None:
        table = table[table["age"].notna()]
    rows = []
    for split in SPLITS:
        part = table[table["split"] == split]
        for name, column in PREDICTORS.items():
            if column in part and part["label"].nunique() == 2:
                labels, p = part["label"].to_numpy(), part[column].to_numpy()
                row = performance(labels, p, threshold) | area_columns(labels, p)
                row |= predictive_columns(labels, p, threshold)
                fitted = column == "p_age_image" and split == "val"
                rows.append({"split": split, "predictor": name, "fitted_here": fitted, **row})
    return pd.DataFrame(rows)


def table4(said: Predictors, settings: StatsSettings) -> pd.DataFrame:
    """Errors and accuracy by age group: validation and test pooled as in Liu, and test alone.

    Patients without an age are in no group. `fitted_here`: part of these patients fitted the row.
    """
    known = said.by_patient[said.by_patient["age"].notna()]
    rows = []
    for sets, splits in (("val + test", SPLITS), ("test", ("test",))):
        part = known[known["split"].isin(splits)]
        young = part["age"] < settings.age_split_years
        for group, members in (
            (f"< {settings.age_split_years:g}", part[young]),
            (f">= {settings.age_split_years:g}", part[~young]),
        ):
            for name, column in PREDICTORS.items():
                if column in members and len(members):
                    row = _errors(members, column, settings.threshold)
                    fitted = column == "p_age_image" and "val" in splits
                    rows.append(
                        {"set": sets, "group": group, "predictor": name, "fitted_here": fitted}
                        | row
                    )
    return pd.DataFrame(rows)


def _errors(members: pd.DataFrame, column: str, threshold: float) -> dict[str, float]:
    mutant = members["label"].to_numpy() == 1
    wrong = (members[column].to_numpy() >= threshold) != mutant
    right = proportion(int((~wrong).sum()), len(members))
    return {
        "n": len(members),
        "n_mutant": int(mutant.sum()),
        "n_wildtype": int((~mutant).sum()),
        "errors": int(wrong.sum()),
        "errors_mutant": int(wrong[mutant].sum()),
        "errors_wildtype": int(wrong[~mutant].sum()),
        "accuracy": right.value,
        "accuracy_low": right.wilson_low,
        "accuracy_high": right.wilson_high,
    }
