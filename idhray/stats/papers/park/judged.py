"""The patients outside training, and what every model says of them by each reader's features."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.stats.papers.park.models import ReaderModel
from idhray.stats.papers.park.readings import Readings
from idhray.stats.sample import Labels

SETS = {"val": "validation", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What every model says of the patients of one set, by each reader's features."""

    split: str
    age: bool
    patients: tuple[str, ...]
    labels: Labels
    p: Mapping[tuple[str, int], NDArray[np.float64]]
    """(reader, model number) -> P(mutant) of each patient."""
    thresholds: Mapping[int, float]
    """Model number -> the threshold fixed on its training cases."""

    @property
    def readers(self) -> list[str]:
        """All readers, in order."""
        return sorted({reader for reader, _ in self.p})

    @property
    def numbers(self) -> list[int]:
        """All models, in order."""
        return sorted({number for _, number in self.p})


def judged_sets(readings: Readings, models: list[ReaderModel]) -> Iterator[Judged]:
    """Validation and test patients under every model: from the image, then with age.

    With age there are only the patients whose age is known.
    """
    for split in SETS if models else ():
        cases = readings.cases[readings.cases["split"] == split]
        if cases["label"].nunique() < 2:
            continue
        yield _judged(readings, models, cases, split)
        aged = cases[cases["age"].notna()]
        with_age = [model for model in models if model.with_age is not None]
        if with_age and aged["label"].nunique() == 2:
            yield _judged(readings, with_age, aged, split, age=True)


def _judged(
    readings: Readings,
    models: list[ReaderModel],
    cases: pd.DataFrame,
    split: str,
    *,
    age: bool = False,
) -> Judged:
    p = {}
    for reader, features in readings.by_reader.items():
        own = features.loc[cases.index]
        for model in models:
            p[reader, model.number] = (
                model.p_image_age(own, cases["age"]) if age else model.p_image(own)
            )
    return Judged(
        split=split,
        age=age,
        patients=tuple(cases["patient"]),
        labels=cases["label"].to_numpy(dtype=np.int64),
        p=p,
        thresholds={m.number: m.age_threshold if age else m.threshold for m in models},
    )


def unjudged(readings: Readings) -> dict[str, str]:
    """Split -> why its patients are in no figure; only for splits that have patients or should."""
    found = {}
    for split, name in SETS.items():
        cases = readings.cases[readings.cases["split"] == split]
        if len(cases) and cases["label"].nunique() < 2:
            mutant = int(cases["label"].sum())
            found[split] = (
                f"the {name} set has {mutant} mutant and {len(cases) - mutant} wildtype patients, "
                "and both classes are needed"
            )
    if not readings.cases["split"].isin(list(SETS)).any():
        found["test"] = "there are no validation or test patients"
    return found


def unjudged_with_age(readings: Readings, models: list[ReaderModel]) -> list[str]:
    """Why sets that are judged have no rows with age, in sentences."""
    if not any(model.with_age is not None for model in models):
        return []  # the notes of the models say why
    notes = []
    for split, name in SETS.items():
        cases = readings.cases[readings.cases["split"] == split]
        aged = cases[cases["age"].notna()]
        if cases["label"].nunique() == 2 and aged["label"].nunique() < 2:
            mutant = int(aged["label"].sum())
            notes.append(
                f"No rows with age for the {name} set: ages are known of {mutant} mutant and "
                f"{len(aged) - mutant} wildtype patients, and both classes are needed."
            )
    return notes
