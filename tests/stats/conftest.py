"""R's answers, where they are at hand, and made-up studies."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

BESIDE_REPOSITORY = Path(__file__).parents[3] / "shared" / "reference"


@pytest.fixture
def reference() -> Callable[[str], Any]:
    """A reader of `stats/NAME.json`, computed by R 4.2.2 (pROC, MASS); skips where it is absent."""
    folder = Path(os.environ.get("IDHRAY_REFERENCE", BESIDE_REPOSITORY))

    def read(name: str) -> Any:
        path = folder / "stats" / f"{name}.json"
        if not path.is_file():
            pytest.skip(f"no reference at {path}; set IDHRAY_REFERENCE to the folder that has it")
        return json.loads(path.read_text())

    return read


@pytest.fixture
def reference_data() -> Callable[[str], pd.DataFrame]:
    """A reader of `stats/data/NAME.csv`, the data behind R's answers; skips where it is absent."""
    folder = Path(os.environ.get("IDHRAY_REFERENCE", BESIDE_REPOSITORY))

    def read(name: str) -> pd.DataFrame:
        path = folder / "stats" / "data" / f"{name}.csv"
        if not path.is_file():
            pytest.skip(f"no reference at {path}; set IDHRAY_REFERENCE to the folder that has it")
        return pd.read_csv(path)

    return read


@pytest.fixture
def mrmc_reference() -> Callable[[str], Any]:
    """A reader of `mrmc/NAME`, .json or .csv (MRMCaov 0.3.0); skips where it is absent."""
    folder = Path(os.environ.get("IDHRAY_REFERENCE", BESIDE_REPOSITORY)) / "mrmc"

    def read(name: str) -> Any:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"no reference at {path}; set IDHRAY_REFERENCE to the folder that has it")
        return pd.read_csv(path) if path.suffix == ".csv" else json.loads(path.read_text())

    return read


@pytest.fixture(scope="session")
def study() -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """A maker of predictions and patients: half mutants, alternating, ages of Liu's table 5."""

    def make(
        *,
        patients: int = 16,
        repeats: int = 3,
        gain: float = 0.0,
        noise: float = 1.0,
        seed: int = 0,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        rng = np.random.default_rng(seed)
        splits = ["train"] * patients + ["val"] * patients + ["test"] * patients
        people = pd.DataFrame(
            {
                "patient": [f"P{number:03d}" for number in range(len(splits))],
                "idh": ["wildtype", "mutant"] * (len(splits) // 2),
                "split": splits,
            }
        )
        mutant = people["idh"] == "mutant"
        people["age"] = rng.normal(np.where(mutant, 44.2, 55.5), 13).round()
        judged = people[people["split"] != "train"]
        own = rng.normal(size=len(judged))
        rows = []
        for count in (0, 1000, 2000):
            signal = np.where(judged["idh"] == "mutant", 1, -1) * (0.8 + gain * count / 2000)
            for repeat in range(repeats):
                logit = signal + noise * (0.9 * own + 0.4 * rng.normal(size=len(judged)))
                rows.append(
                    judged.drop(columns="age").assign(
                        model="resnet50",
                        n_synthetic=count,
                        repeat=repeat,
                        fold=0,
                        p_mutant=1 / (1 + np.exp(-logit)),
                        n_images=20,
                    )
                )
        return pd.concat(rows, ignore_index=True), people

    return make
