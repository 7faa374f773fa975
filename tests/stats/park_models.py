"""Cases for regressions: counts of Park 2021, table 1, and the simulated cohort of R's answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.stats.regression.design import Covariate, Factor, Predictor

GROUPS = ("wild", "mutant", "synthetic")
COUNTS = {  # finding: level: one count per group; the first level is the reference
    "enhancement": {"rim": (47, 19, 9), "nodular": (28, 8, 5), "patch": (5, 11, 24)},
    "location": {"other": (42, 10, 12), "frontal": (29, 25, 25), "thalamus": (9, 3, 1)},
    "necrosis": {"yes": (72, 23, 19), "no": (8, 15, 19)},
    "surrounding": {"tumor": (35, 29, 32), "edema": (45, 9, 6)},
    "margin": {"indistinct": (76, 18, 11), "clear": (4, 20, 27)},
}
MODELS = {1: ("mutant",), 2: ("synthetic",), 3: ("mutant", "synthetic")}


def factor(finding: str, reference: str = "") -> Factor:
    """The finding as a factor, another reference put first if one is named."""
    levels = tuple(COUNTS[finding])
    first = reference or levels[0]
    return Factor(name=finding, levels=(first, *(level for level in levels if level != first)))


def cases(finding: str, model: int) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """One row per case of a model of the paper (wildtype against its mutants), and the labels."""
    rows = [
        (level, int(group != "wild"))
        for group in ("wild", *MODELS[model])
        for level, counts in COUNTS[finding].items()
        for _ in range(counts[GROUPS.index(group)])
    ]
    frame = pd.DataFrame(rows, columns=[finding, "label"])
    return frame, frame["label"].to_numpy()


def simulated(data: pd.DataFrame, model: int) -> pd.DataFrame:
    """Training cases of `park_like.csv` that a model of the paper is fitted on."""
    chosen = data["group"].isin(["wild", *MODELS[model]]) & (data["set"] == "train")
    return data[chosen].reset_index(drop=True)


def predictors_of(
    names: Sequence[str], levels: Mapping[str, Sequence[str]]
) -> tuple[Predictor, ...]:
    """Factors where R had levels, numbers elsewhere."""
    return tuple(
        Factor(name=name, levels=tuple(levels[name])) if name in levels else Covariate(name=name)
        for name in names
    )


def r_model(
    case: Mapping[str, Any], data: pd.DataFrame, levels: Mapping[str, Sequence[str]]
) -> tuple[pd.DataFrame, pd.Series, tuple[Predictor, ...]]:
    """Frame, labels and predictors of one of R's models, by its formula."""
    outcome, right = case["formula"].split(" ~ ")
    if "group" in data:
        data = simulated(data, (case.get("extra") or {"model": 1})["model"])
    data = data.rename(columns=lambda name: name.replace("&", "_").replace("+", "."))
    return data, data[outcome], predictors_of(right.split(" + "), levels)


def assert_close(found: Any, expected: Any, what: str) -> None:
    """Equal to 1e-6, absolute, or relative where a figure is below 1e-3."""
    ours, theirs = (np.ravel(np.asarray(side, dtype=float)) for side in (found, expected))
    allowed = 1e-6 * np.where(np.abs(theirs) < 1e-3, np.abs(theirs), 1.0)

    assert ours.shape == theirs.shape, what
    assert (np.abs(ours - theirs) <= allowed).all(), f"{what}: {ours} is not {theirs}"
