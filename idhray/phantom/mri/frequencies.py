"""Frequencies of tumor features and ages in each class, from Park et al. 2021, table 1."""

from collections.abc import Mapping

import numpy as np

CLASSES = ("wildtype", "mutant")

COUNTS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "location": {"frontal_insula": (29, 25), "other": (42, 10), "thalamus_brainstem": (9, 3)},
    "enhancement": {"rim": (47, 19), "nodular": (28, 8), "patch": (5, 11)},
    "necrosis": {"yes": (72, 23), "no": (8, 15)},
    "surrounding": {"tumor": (35, 29), "edema": (45, 9)},
    "margin": {"clear": (4, 20), "indistinct": (76, 18)},
}
"""Patients (wildtype, mutant) by feature and level. Source: Park et al. 2021, table 1, the real
patients of the training set."""

FEATURES = tuple(COUNTS)

AGES = {"wildtype": (53.0, 60.0, 64.0), "mutant": (38.0, 47.0, 53.0)}
"""First quartile, median, third quartile in years. Source: Park et al. 2021, Methods, "Study
population", the training set."""

NORMAL_AGE = (49.4, 12.1)
"""Mean and SD in years of the patients with a normal brain. Source: Park et al. 2021, Methods,
"Sample size and rationale for the training network"."""

MALES = {"wildtype": 65 / 162, "mutant": 65 / 162, "normal": 393 / 500}
"""Source: Park et al. 2021, Methods, "Study population" (not by class) and "Sample size"."""

_QUARTILE = 0.6744897501960817  # third quartile of the standard normal distribution


def frequencies(feature: str, idh: str, effect: float) -> dict[str, float]:
    """Probability of each level of a feature in class `idh`.

    The share in all patients plus `effect` times the class's difference from it (0: the classes are
    alike, 1: Park's table), clipped at 0 and scaled to sum 1.
    """
    counts = np.array(list(COUNTS[feature].values()), dtype=float)
    overall = counts.sum(axis=1) / counts.sum()
    of_class = counts[:, CLASSES.index(idh)] / counts[:, CLASSES.index(idh)].sum()
    shares = np.clip(overall + effect * (of_class - overall), 0, None)
    return dict(zip(COUNTS[feature], (shares / shares.sum()).tolist(), strict=True))


def necrosis_frequency(idh: str, effect: float, *, rim: bool) -> float:
    """Probability of necrosis in tumors with or without rim enhancement.

    Park defines a rim as "rim enhancement surrounding central necrosis", so tumors with a rim
    always have necrosis. The probability of the others keeps the table's total.
    """
    total = frequencies("necrosis", idh, effect)["yes"]
    rims = frequencies("enhancement", idh, effect)["rim"]
    return 1.0 if rim else float(np.clip((total - rims) / max(1 - rims, 1e-9), 0, 1))


def age_at(idh: str, normal_deviate: float, age_effect: float) -> float:
    """Age in years at a standard normal deviate.

    Median and quartiles are Park's at age_effect 1 and the average of both classes at 0. Between
    and beyond the quartiles the distribution is normal on either side.
    """
    overall = np.average(list(AGES.values()), axis=0, weights=[80, 38])
    low, median, high = overall + age_effect * (np.array(AGES[idh]) - overall)
    side = high - median if normal_deviate > 0 else median - low
    return float(median + normal_deviate * side / _QUARTILE)
