"""Two simulated readers: what is to be seen, with errors at a stated rate, and a Turing test."""

from collections.abc import Mapping
from typing import Any

from idhray.chance import generator
from idhray.errors import ConfigError, TableError
from idhray.phantom.mri.frequencies import COUNTS, FEATURES

ERROR_RATE = 0.06
"""Two such readers agree with a Cohen's kappa of 0.69 to 0.81 where features are as frequent as in
Park's table 1 (0.47 to 0.64 at 0.12). Park's two agreed with 0.56 to 0.67, but a gate of 0.5 would
then shut by chance now and then in a small demo."""
TURING_RATE = 0.58
"""Source: Park et al. 2021, Results, "Evaluation of reality": 55 and 62 %."""


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
    """What reader number `reader` writes down of a case; the same whatever was read before.

    Args:
        features: What is to be seen: the truth, or what `read_features` found.
        real: Whether the image is a patient's, not a generator's.
        error_rate: How often each feature, by itself, is given a wrong level, any alike.
        turing_rate: How often the reader is right about `real`.

    Returns:
        The columns of READINGS that a reader can fill: reader, case, real, judged_real, features.

    Raises:
        ConfigError: a rate is not in [0, 1].
        TableError: a feature is missing, or its level is unknown.
    """
    for name, rate in (("error_rate", error_rate), ("turing_rate", turing_rate)):
        if not 0 <= rate <= 1:
            raise ConfigError(f"{name} must be 0 to 1, got {rate}")
    random = generator(seed, "reader", reader, case)
    said: dict[str, str] = {}
    for name in FEATURES:
        levels = list(COUNTS[name])
        if features.get(name) not in levels:
            raise TableError(
                f"{case}: {name} is {features.get(name)!r}; must be {', '.join(levels)}"
            )
        wrong = [level for level in levels if level != features[name]]
        errs, pick = random.random() < error_rate, int(random.integers(len(wrong)))
        said[name] = wrong[pick] if errs else features[name]
    judges_right = bool(random.random() < turing_rate)
    return {
        "reader": f"reader {reader}",
        "case": case,
        "real": real,
        "judged_real": real == judges_right,
        **said,
    }
