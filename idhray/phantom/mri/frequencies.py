"""How often each feature of a tumor, and which ages, occur in each class: Park's table 1."""

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
"""Feature -> level -> patients (wildtype, mutant). Source: Park et al. 2021, table 1, the real
patients of the training set."""

FEATURES = tuple(COUNTS)

AGES = {"wildtype": (53.0, 60.0, 64.0), "mutant": (38.0, 47.0, 53.0)}
"""First quartile, median, third quartile in years. Source: Park et al. 2021, Methods, "Study
population", the training set."""

NORMAL_AGE = (49.4, 12.1)
"""Mean and SD in years of the patients with a normal brain. Source: Park et al. 2021, Methods,
"Sample size and rationale for the training network"."""

MALES = {"wildtype": 65 / 162, "mutant": 65 / 162, "normal": 393 / 500}
"""Source: Park et al. 2021, Methods, "Study population" (not told by class) and "Sample size"."""

_QUARTILE = 0.6744897501960817  # of the standard normal distribution


def frequencies(feature: str, idh: str, effect: float) -> dict[str, float]:
    """Level -> probability in class `idh`: all patients' share, plus `effect` times the class's
    distance from it (0: the classes are alike, 1: Park's table), cut at 0 and scaled to sum 1."""
    counts = np.array(list(COUNTS[feature].values()), dtype=float)
    everyone = counts.sum(axis=1) / counts.sum()
    own = counts[:, CLASSES.index(idh)] / counts[:, CLASSES.index(idh)].sum()
    shares = np.clip(everyone + effect * (own - everyone), 0, None)
    return dict(zip(COUNTS[feature], (shares / shares.sum()).tolist(), strict=True))


def necrosis_frequency(idh: str, effect: float, *, rim: bool) -> float:
    """P(necrosis) given whether the tumor enhances as a rim.

    A rim is "rim enhancement surrounding central necrosis" by Park's definition, so it always has
    some; the others have as much as keeps the table's total.
    """
    total = frequencies("necrosis", idh, effect)["yes"]
    rims = frequencies("enhancement", idh, effect)["rim"]
    return 1.0 if rim else float(np.clip((total - rims) / max(1 - rims, 1e-9), 0, 1))


def age_at(idh: str, normal_deviate: float, age_effect: float) -> float:
    """The age in years at a standard normal deviate: Park's median and quartiles at age_effect 1,
    both classes' average at 0; between and beyond the quartiles as a normal distribution."""
    everyone = np.average(list(AGES.values()), axis=0, weights=[80, 38])
    low, median, high = everyone + age_effect * (np.array(AGES[idh]) - everyone)
    side = high - median if normal_deviate > 0 else median - low
    return float(median + normal_deviate * side / _QUARTILE)
