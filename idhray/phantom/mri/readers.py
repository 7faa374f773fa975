"""Simulated readers: features with errors at a stated rate, and a Turing test."""

from collections.abc import Mapping
from typing import Any

from idhray.chance import generator
from idhray.errors import ConfigError, TableError
from idhray.phantom.mri.frequencies import COUNTS, FEATURES

ERROR_RATE = 0.06
"""Probability of a wrong level. Two such readers agree with a Cohen's kappa of 0.69 to 0.81 if
features are as frequent as in Park's table 1 (0.47 to 0.64 at a rate of 0.12). Park's two readers
agreed with 0.56 to 0.67, but then a small demo would sometimes fail a gate of 0.5 by chance."""
TURING_RATE = 0.58
"""Probability of a correct answer in the Turing test. Source: Park et al. 2021, Results,
"Evaluation of reality": 55 and 62 %."""


def simulated_reading(
    features: Mapping[str, str],
    *,
    real: bool,
    reader: int,
    case: str,
    seed: int,
    error_rate: float = ERROR_RATE,
    turing_rate: float = TURING_RATE,
) -> dict[str, Any]:
    """Reading of one case by one simulated reader, independent of other cases.

    Args:
        features: Visible features: the truth, or the result of `read_features`.
        real: True if the image is from a patient, False if from a generator.
        reader: Number of the reader.
        case: Name of the case.
        seed: Seed of the readings.
        error_rate: Probability, for each feature, of a wrong level; all wrong levels are equally
            likely.
        turing_rate: Probability of a correct answer about `real`.

    Returns:
        The columns of READINGS that a reader fills: reader, case, real, judged_real, features.

    Raises:
        ConfigError: A rate is not in [0, 1].
        TableError: A feature is missing, or its level is unknown.
    """
    for name, rate in (("error_rate", error_rate), ("turing_rate", turing_rate)):
        if not 0 <= rate <= 1:
            raise ConfigError(f"{name} must be 0 to 1, got {rate}")
    random = generator(seed, "reader", reader, case)
    levels_read: dict[str, str] = {}
    for name in FEATURES:
        levels = list(COUNTS[name])
        if features.get(name) not in levels:
            raise TableError(
                f"{case}: {name} is {features.get(name)!r}; must be {', '.join(levels)}"
            )
        wrong = [level for level in levels if level != features[name]]
        errs, pick = random.random() < error_rate, int(random.integers(len(wrong)))
        levels_read[name] = wrong[pick] if errs else features[name]
    judges_right = bool(random.random() < turing_rate)
    return {
        "reader": f"reader {reader}",
        "case": case,
        "real": real,
        "judged_real": real == judges_right,
        **levels_read,
    }
