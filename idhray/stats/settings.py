"""Settings of the study's statistics."""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError
from idhray.stats.probabilities.age import Priors
from idhray.stats.table1.choice import Convention


@dataclass(frozen=True, kw_only=True)
class StatsSettings:
    """Conventions of the tables; every one of them is printed beside the results.

    Those down to `age_split_years` are for PREDICTIONS (Liu et al. 2020), the others for READINGS
    (Park et al. 2021); `bootstrap_draws` and `seed` are for both.
    """

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
    discordant: Literal["consensus", "first reader"] = "consensus"
    """Where readers differ on a training case: what `consensus` rows say, or the first reader."""
    kappa_gate: float = 0.5
    """Features on which readers agree less are not analyzed. Source: Park et al. 2021, Methods."""
    alpha: float = 0.05
    """Features with a smaller P enter the multivariable model, and stay in it."""
    elimination: Literal["lr", "wald", "aic", "bic", "none"] = "lr"
    """Backward, by whole features. Park et al. 2021 write `stepwise elimination` and no rule."""
    tests: Convention = "choose"
    """Of table 1: chosen by the data and named, or those of Park et al. 2021 throughout."""
    equivalence_margin: float = 0.1
    """Of the visual Turing test: rates this close to one half count as guessing."""
    bootstrap_draws: int = 2000
    """Resamples of patients, for intervals."""
    optimism_resamples: int = 400
    """Resamples of training cases on which the reader models are chosen and fitted anew."""
    seed: int = 0
    """Of the resampling."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigError(f"threshold must lie between 0 and 1, got {self.threshold}")
        if self.priors not in ("equal", "empirical"):
            raise ConfigError(f"priors must be equal or empirical, got {self.priors!r}")
        if not 0 < self.age_split_years < 120:
            raise ConfigError(f"age_split_years must be an age, got {self.age_split_years}")
        if self.discordant not in ("consensus", "first reader"):
            raise ConfigError(f"discordant: consensus or first reader, got {self.discordant!r}")
        if self.elimination not in ("lr", "wald", "aic", "bic", "none"):
            raise ConfigError(f"elimination: no rule {self.elimination!r}")
        if self.tests not in ("choose", "park2021"):
            raise ConfigError(f"tests: choose or park2021, got {self.tests!r}")
        if not -1 <= self.kappa_gate <= 1:
            raise ConfigError(f"kappa_gate must lie between -1 and 1, got {self.kappa_gate}")
        if not 0 < self.alpha < 1:
            raise ConfigError(f"alpha must lie between 0 and 1, got {self.alpha}")
        if not 0 < self.equivalence_margin < 0.5:
            raise ConfigError(
                f"equivalence_margin must lie between 0 and 0.5, got {self.equivalence_margin}"
            )
        if self.optimism_resamples < 1:
            raise ConfigError(
                f"optimism_resamples must be 1 or more, got {self.optimism_resamples}"
            )
        if self.bootstrap_draws < 100:
            raise ConfigError(f"bootstrap_draws must be 100 or more, got {self.bootstrap_draws}")


# Source: Park et al. 2021, "Statistical analysis": chi-square throughout (the only test that gives
# the P values of its table 1).
PRESETS = {"liu2020": StatsSettings(), "park2021": StatsSettings(tests="park2021")}
