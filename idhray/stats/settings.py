"""Settings of the study's statistics."""

from dataclasses import dataclass

from idhray.errors import ConfigError
from idhray.stats.age import Priors


@dataclass(frozen=True, kw_only=True)
class StatsSettings:
    """Conventions of the tables; every one of them is printed beside the results."""

    threshold: float = 0.5
    """p_mutant at or above it is called mutant; fixed before the data are seen."""
    model: str = ""
    """The model of tables 2 to 4; empty: the only one trained with synthetic images."""
    shared_variance: bool = False
    """Age model with one variance for both classes; Liu et al. 2020 fit two Gaussians."""
    priors: Priors = "equal"
    """Of the age model: both classes equally likely, or as frequent as among training patients."""
    age_split_years: float = 55.0
    """Table 4 compares patients under it with the others. Source: Liu et al. 2020, table 4."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigError(f"threshold must lie between 0 and 1, got {self.threshold}")
        if self.priors not in ("equal", "empirical"):
            raise ConfigError(f"priors must be equal or empirical, got {self.priors!r}")
        if not 0 < self.age_split_years < 120:
            raise ConfigError(f"age_split_years must be an age, got {self.age_split_years}")
