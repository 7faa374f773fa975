"""Made-up predictions of an experiment with a chosen effect of each arm."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from idhray.chance import generator


@pytest.fixture(scope="session")
def experiment() -> Callable[..., pd.DataFrame]:
    """A maker of rows: binormal scores, half the patients mutant, each tested once per repeat.

    `gains` adds to the separation d' of an arm, `training_sd` is the SD of a training's luck in d',
    which all arms of a fold and repeat share, and `arm_sd` that of each single training.
    """

    def make(
        gains: Mapping[str, float],
        *,
        patients: int = 60,
        folds: int = 3,
        repeats: int = 3,
        separation: float = 1.2,
        training_sd: float = 0.1,
        arm_sd: float = 0.05,
        noise: float = 0.3,
        seed: int = 0,
    ) -> pd.DataFrame:
        rng = generator(seed, "made-up experiment")
        labels = np.arange(patients) % 2
        fold = np.arange(patients) // 2 % folds + 1
        patient_part = rng.normal(size=patients)
        rows = []
        for repeat in range(1, repeats + 1):
            luck = rng.normal(0, training_sd, folds)
            for arm, gain in gains.items():
                separations = separation + gain + luck + rng.normal(0, arm_sd, folds)
                scores = patient_part + noise * rng.normal(size=patients)
                logits = (labels - 0.5) * separations[fold - 1] + scores
                rows.append(
                    pd.DataFrame(
                        {
                            "patient": [f"P{n:03d}" for n in range(patients)],
                            "label": labels,
                            "fold": fold,
                            "repeat": repeat,
                            "arm": arm,
                            "p_mutant": 1 / (1 + np.exp(-logits)),
                        }
                    )
                )
        return pd.concat(rows, ignore_index=True)

    return make
