"""Settings of the comparison of generated with real images."""

from dataclasses import dataclass

from idhray.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class FidelitySettings:
    """Number of compared images, repetitions and neighbors."""

    neighbours: int = 5
    """k of precision, recall, density and coverage (Naeem et al. 2020, section 3.2: 5)."""
    subsets: int = 100
    """Subsets behind KID's mean and SD (Binkowski et al. 2018, section 4, used 100 of 1000)."""
    subset_size: int = 1000
    """Images of one subset on either side, never more than half of the compared images."""
    draws: int = 4
    """Random splits of the patients into halves; each gives one floor and one figure."""
    max_images: int = 5000
    """Images compared on either side, at most."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("neighbours", 1),
            ("subsets", 2),
            ("subset_size", 2),
            ("draws", 1),
            ("max_images", 2),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"{name} must be a whole number, {least} or more, got {value!r}")


PRESETS = {
    "standard": FidelitySettings(),
    # Kynkaanniemi et al. 2019, section 3.1: k of 3 for precision and recall.
    "kynkaanniemi2019": FidelitySettings(neighbours=3),
    # During training the course of the curve matters, not its last digit.
    "training": FidelitySettings(subsets=20, subset_size=250, draws=2, max_images=1000),
    "demo": FidelitySettings(subsets=10, subset_size=50, draws=2, max_images=200),
}
