"""A made-up reader study with the margins of Park et al. 2021, table 1."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from idhray.stats.papers.park.features import FEATURES
from idhray.stats.papers.park.readings import CONSENSUS

# Cases by (wildtype, mutant, synthetic, wildtype and mutant of the validation set), levels in the
# order of FEATURES. Source: Park et al. 2021, table 1.
COUNTS = {
    "location": [(42, 10, 12, 13, 2), (29, 25, 25, 16, 8), (9, 3, 1, 4, 1)],
    "necrosis": [(72, 23, 19, 30, 6), (8, 15, 19, 3, 5)],
    "enhancement": [(47, 19, 9, 24, 3), (28, 8, 5, 6, 3), (5, 11, 24, 3, 5)],
    "surrounding": [(35, 29, 32, 8, 11), (45, 9, 6, 25, 0)],
    "margin": [(76, 18, 11, 33, 5), (4, 20, 27, 0, 6)],
}
GROUPS = (
    ("W", "wildtype", True, "train"),
    ("M", "mutant", True, "train"),
    ("S", "mutant", False, "train"),
    ("VW", "wildtype", True, "test"),
    ("VM", "mutant", True, "test"),
)


@pytest.fixture(scope="session")
def reader_study() -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """A maker of READINGS by two readers and a consensus, and of patients with ages.

    Margins are table 1's; features are independent within a class.
    """

    def make(*, errors: float = 0.1, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
        rng = np.random.default_rng(seed)
        truth = pd.concat([_group(rng, number) for number in range(len(GROUPS))])
        truth = truth.reset_index(drop=True)
        ages = rng.normal(np.where(truth["idh"] == "mutant", 46, 59), 12).round()
        people = pd.DataFrame(
            {name: truth[name] for name in ("patient", "idh", "split")} | {"age": ages}
        )
        rows = [_read(rng, truth, f"reader {number}", errors) for number in (1, 2)]
        differs = rows[0][NAMES] != rows[1][NAMES]
        settled = truth.assign(reader=CONSENSUS, judged_real="")
        settled[NAMES] = settled[NAMES].where(differs, "")
        rows.append(settled[differs.any(axis=1)])
        return pd.concat(rows, ignore_index=True), people[truth["real"] == "true"]

    return make


NAMES = [feature.name for feature in FEATURES]


def _group(rng: np.random.Generator, number: int) -> pd.DataFrame:
    prefix, idh, real, split = GROUPS[number]
    columns = {}
    for feature in FEATURES:
        counts = [row[number] for row in COUNTS[feature.name]]
        columns[feature.name] = rng.permutation(np.repeat(list(feature.levels), counts))
    names = [f"{prefix}{i:02d}" for i in range(len(columns["margin"]))]
    return pd.DataFrame(
        {
            "case": [f"case-{name}" for name in names],
            "patient": names if real else "",
            "idh": idh,
            "split": split,
            "real": str(real).lower(),
            **columns,
        }
    )


def _read(
    rng: np.random.Generator, truth: pd.DataFrame, reader: str, errors: float
) -> pd.DataFrame:
    said = truth.copy()
    for feature in FEATURES:
        wrong = rng.random(len(truth)) < errors
        said.loc[wrong, feature.name] = rng.choice(list(feature.levels), wrong.sum())
    guess = rng.random(len(truth)) < 0.55
    real = truth["real"] == "true"
    said["judged_real"] = np.where(real == guess, "1", "0")
    said["reader"] = reader
    return said
