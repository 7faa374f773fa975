"""Counts of Park 2021, table 1: patients (or synthetic cases) with each finding, by group."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from idhray.stats.design import Factor

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
