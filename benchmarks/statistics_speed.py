"""How long do the statistics of areas take: DeLong's covariance, and the bootstrap of patients?

    python benchmarks/statistics_speed.py [--runs 15]

Prints one JSON object: the median of the runs in milliseconds for DeLong's covariance of two
models on 10,000 patients, and for 2,000 patient bootstraps at 500 patients. The threads of NumPy's
libraries are held at one, so that it is the time of one core.
"""

# ruff: noqa: E402
import os

# Before NumPy is imported: its libraries read these once.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import json
import platform
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
import scipy
import tyro
from numpy.typing import NDArray

from idhray.chance import generator
from idhray.stats.roc.area import auc_difference
from idhray.stats.roc.bootstrap import bootstrap_auc_difference
from idhray.stats.roc.delong import delong_covariance
from idhray.stats.sample import Scored

DELONG_PATIENTS = 10_000
PATIENTS = 500
DRAWS = 2000
TRAININGS = 5


def main(runs: int = 15) -> None:
    """Print the figures with the machine that they were taken on."""
    truth, scores = binormal(DELONG_PATIENTS, 2)
    few, trainings = binormal(PATIENTS, 2 * TRAININGS)
    new, old = trainings[:TRAININGS], trainings[TRAININGS:]
    tasks: dict[str, Callable[[], object]] = {
        "delong_covariance_10000x2": lambda: delong_covariance(Scored(truth, scores)),
        "paired_delong_test_10000": lambda: auc_difference(truth, scores[0], scores[1]),
        "bootstrap_difference_500": lambda: bootstrap_auc_difference(
            few, new[0], old[0], draws=DRAWS, seed=0
        ),
        "bootstrap_difference_500_5_trainings_a_side": lambda: bootstrap_auc_difference(
            few, new, old, draws=DRAWS, seed=0
        ),
    }
    print(
        json.dumps(
            {
                "median_ms": {
                    name: round(median_ms(task, runs), 2) for name, task in tasks.items()
                },
                "runs": runs,
                "draws": DRAWS,
                "threads": 1,
                "cores": os.cpu_count(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "scipy": scipy.__version__,
            }
        )
    )


def binormal(patients: int, models: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels, half mutants, and (models, patients) scores with an area of about .76."""
    labels = np.arange(patients) % 2
    return labels, generator(0, "speed", patients).normal(size=(models, patients)) + labels


def median_ms(task: Callable[[], object], runs: int) -> float:
    """Milliseconds, after one run that is not counted."""
    task()
    seconds = []
    for _ in range(runs):
        start = perf_counter()
        task()
        seconds.append(perf_counter() - start)
    return 1000 * median(seconds)


if __name__ == "__main__":
    tyro.cli(main)
