"""Probabilities of every model for the patients outside training, by each reader's features."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.stats.papers.park.models import ReaderModel
from idhray.stats.papers.park.readings import Readings
from idhray.stats.sample import Labels, Scored

JUDGED_SETS = {"val": "validation", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class JudgedSet:
    """Probabilities of every model for the patients of one set, by each reader's features."""

    split: str
    age: bool
    """True if the models use age."""
    patients: tuple[str, ...]
    labels: Labels
    p: Mapping[tuple[str, int], NDArray[np.float64]]
    """(reader, model number) -> P(mutant) of each patient."""
    thresholds: Mapping[int, float]
    """Model number -> threshold, fixed on its training cases."""

    @property
    def readers(self) -> list[str]:
        """All readers, sorted by name."""
        return sorted({reader for reader, _ in self.p})

    @property
    def numbers(self) -> list[int]:
        """Numbers of all models, ascending."""
        return sorted({number for _, number in self.p})

    def sample(self, reader: str, number: int) -> Scored:
        """Labels of the patients with the probabilities of one model by one reader's features."""
        return Scored(self.labels, self.p[reader, number])


def judged_sets(readings: Readings, models: list[ReaderModel]) -> Iterator[JudgedSet]:
    """Validation and test patients under every model: from the image alone, then with age.

    A set with age has only the patients whose age is known.
    """
    for split in JUDGED_SETS if models else ():
        cases = readings.cases[readings.cases["split"] == split]
        if cases["label"].nunique() < 2:
            continue
        yield _judged_set(readings, models, cases, split)
        aged = cases[cases["age"].notna()]
        with_age = [model for model in models if model.with_age is not None]
        if with_age and aged["label"].nunique() == 2:
            yield _judged_set(readings, with_age, aged, split, age=True)


def _judged_set(
    readings: Readings,
    models: list[ReaderModel],
    cases: pd.DataFrame,
    split: str,
    *,
    age: bool = False,
) -> JudgedSet:
    p = {}
    for reader, features in readings.by_reader.items():
        patient_features = features.loc[cases.index]
        for model in models:
            p[reader, model.number] = (
                model.p_image_age(patient_features, cases["age"])
                if age
                else model.p_image(patient_features)
            )
    return JudgedSet(
        split=split,
        age=age,
        patients=tuple(cases["patient"]),
        labels=cases["label"].to_numpy(dtype=np.int64),
        p=p,
        thresholds={m.number: m.age_threshold if age else m.threshold for m in models},
    )


def unjudged_sets(readings: Readings) -> dict[str, str]:
    """Split -> the reason why its patients are in no figure, if there is one."""
    reasons = {}
    for split, name in JUDGED_SETS.items():
        cases = readings.cases[readings.cases["split"] == split]
        if len(cases) and cases["label"].nunique() < 2:
            mutant = int(cases["label"].sum())
            reasons[split] = (
                f"the {name} set has {mutant} mutant and {len(cases) - mutant} wildtype patients, "
                "and both classes are needed"
            )
    if not readings.cases["split"].isin(list(JUDGED_SETS)).any():
        reasons["test"] = "there are no validation or test patients"
    return reasons


def notes_on_sets_without_age(readings: Readings, models: list[ReaderModel]) -> list[str]:
    """Sentences on judged sets that have no rows with age."""
    if not any(model.with_age is not None for model in models):
        return []  # the notes of the models give the reason
    notes = []
    for split, name in JUDGED_SETS.items():
        cases = readings.cases[readings.cases["split"] == split]
        aged = cases[cases["age"].notna()]
        if cases["label"].nunique() == 2 and aged["label"].nunique() < 2:
            mutant = int(aged["label"].sum())
            notes.append(
                f"No rows with age for the {name} set: ages are known of {mutant} mutant and "
                f"{len(aged) - mutant} wildtype patients, and both classes are needed."
            )
    return notes
