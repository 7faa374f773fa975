"""Settings of the study's statistics."""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError
from idhray.stats.probabilities.age import Priors
from idhray.stats.table1.choice import Convention


@dataclass(frozen=True, kw_only=True)
class StatsSettings:
    """Conventions of the tables; all of them are printed with the results.

    Settings down to `age_split_years` are for PREDICTIONS (Liu et al. 2020), the others for
    READINGS (Park et al. 2021); `bootstrap_draws` and `seed` are for both.
    """

    threshold: float = 0.5
    """Patients with p_mutant at or above it are called mutant; fixed before the data are seen."""
    model: str = ""
    """Model of tables 2 to 4; if empty, the only model trained with synthetic images."""
    shared_variance: bool = False
    """Age model with one variance for both classes; Liu et al. 2020 fit two Gaussians."""
    priors: Priors = "equal"
    """Priors of the age model: both classes equally likely, or as frequent as in training."""
    age_split_years: float = 55.0
    """Table 4 splits patients at this age. Source: Liu et al. 2020, table 4."""
    discordant: Literal["consensus", "first reader"] = "consensus"
    """Source of a training case's features if readers differ: `consensus` rows or first reader."""
    kappa_gate: float = 0.5
    """Lowest kappa of the features that are analyzed. Source: Park et al. 2021, Methods."""
    alpha: float = 0.05
    """Features with a smaller P enter the multivariable model, and stay in it."""
    elimination: Literal["lr", "wald", "aic", "bic", "none"] = "lr"
    """Rule of backward elimination, by whole features; Park et al. 2021 do not state theirs."""
    tests: Convention = "choose"
    """Tests of table 1: chosen by the data and named, or those of Park et al. 2021."""
    equivalence_margin: float = 0.1
    """Rates of the visual Turing test this close to one half count as guessing."""
    bootstrap_draws: int = 2000
    """Resamples of patients for intervals."""
    optimism_resamples: int = 400
    """Resamples of training cases on which the reader models are chosen and fitted again."""
    seed: int = 0
    """Seed of the resampling."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigError(f"threshold must lie between 0 and 1, got {self.threshold}")
        if self.priors not in ("equal", "empirical"):
            raise ConfigError(f"priors must be equal or empirical, got {self.priors!r}")
        if not 0 < self.age_split_years < 120:
            raise ConfigError(f"age_split_years must be an age, got {self.age_split_years}")
        if self.discordant not in ("consensus", "first reader"):
            raise ConfigError(
                f"discordant must be consensus or first reader, got {self.discordant!r}"
            )
        if self.elimination not in ("lr", "wald", "aic", "bic", "none"):
            raise ConfigError(
                f"elimination must be lr, wald, aic, bic or none, got {self.elimination!r}"
            )
        if self.tests not in ("choose", "park2021"):
            raise ConfigError(f"tests must be choose or park2021, got {self.tests!r}")
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


# Source: Park et al. 2021, "Statistical analysis": chi-square, the only test that gives the P
# values of its table 1.
PRESETS = {"liu2020": StatsSettings(), "park2021": StatsSettings(tests="park2021")}
GROWING = ("bootstrap_draws", "optimism_resamples")
"""Settings that may become larger in the same folder: the statistics are then made again."""
