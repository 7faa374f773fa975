"""Simulated studies: power of the paired DeLong test to find a true gain in AUC.

Two models score the same patients. Within each class both scores are normal with variance 1 and a
given correlation, and the mean of mutants is higher by sqrt(2) * probit(AUC). There is one training
of each model; the variance between trainings is not included, and it lowers every power.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from idhray.chance import generator
from idhray.errors import ConfigError
from idhray.planning.normal import normal_power
from idhray.stats.roc import power
from idhray.stats.roc.power import PairedDesign

STUDIES = 4000
"""Simulated studies per figure: a power of 80% then has a standard error of 0.6 points."""
MOST_SCORES = 1_000_000
"""Scores per model and figure; large cohorts get fewer studies, down to `_FEWEST`."""
MOST_PATIENTS = 4000
"""In larger cohorts DeLong's test is normal enough for the closed formula."""
_FEWEST = 500


@dataclass(frozen=True, kw_only=True)
class StudyDesign:
    """A comparison of a new model with a baseline on the same test patients."""

    n_mutant: int
    n_wildtype: int
    auc: float
    """True AUC of the baseline."""
    correlation: float = 0.8
    """Correlation of both models' scores within a class; similar models have a higher one."""
    alpha: float = 0.05
    """Two-sided."""

    def __post_init__(self) -> None:
        if min(self.n_mutant, self.n_wildtype) < 2:
            raise ConfigError(
                f"{self.n_mutant} mutant and {self.n_wildtype} wildtype patients: DeLong's test "
                "needs at least two of each"
            )
        if not 0.5 < self.auc < 1:
            raise ConfigError(f"the baseline's AUC must lie between 0.5 and 1, got {self.auc}")
        if not 0 <= self.correlation < 1:
            raise ConfigError(
                f"a correlation must be at least 0 and below 1, got {self.correlation}"
            )
        if not 0 < self.alpha < 0.5:
            raise ConfigError(f"alpha must lie between 0 and 0.5, got {self.alpha}")

    @property
    def patients(self) -> int:
        """Number of patients of both classes."""
        return self.n_mutant + self.n_wildtype


@dataclass(frozen=True, kw_only=True)
class Power:
    """The share of studies in which the test is significant (in either direction)."""

    value: float
    mc_error: float
    """Monte Carlo standard error; 0 for the closed formula."""
    studies: int
    """Number of simulated studies; 0 for the closed formula."""


def auc_power(
    design: StudyDesign,
    auc: float,
    *,
    studies: int = STUDIES,
    seed: int = 0,
    scores: int = MOST_SCORES,
) -> Power:
    """Power of the paired DeLong test if the new model's true AUC is `auc`.

    If `auc` is the baseline's AUC, the power is the type I error.

    Args:
        studies: Number of simulated studies; fewer if they would need more than `scores` scores.

    Raises:
        ConfigError: `auc` is not between the baseline's AUC and 1.
    """
    if not design.auc <= auc <= 1:
        raise ConfigError(f"the new AUC must lie from {design.auc} to 1, got {auc}")
    count = studies_of(design, studies, scores)
    value = power_curve(design, count, seed)(auc)
    error = float(np.sqrt(max(value * (1 - value), 1 / count) / count)) if count else 0.0
    return Power(value=value, mc_error=error, studies=count)


def studies_of(design: StudyDesign, studies: int = STUDIES, scores: int = MOST_SCORES) -> int:
    """Studies to simulate: `studies`, fewer for a large cohort, 0 if the formula is used."""
    if design.patients > MOST_PATIENTS:
        return 0
    return int(np.clip(scores // design.patients, min(_FEWEST, studies), studies))


def power_curve(design: StudyDesign, studies: int, seed: int) -> Callable[[float], float]:
    """The power as a function of the new model's AUC, with the same random numbers for all.

    Args:
        studies: Number of simulated studies; 0 for the closed formula.
    """
    if not studies:
        return lambda auc: normal_power(
            (design.n_mutant, design.n_wildtype),
            (design.auc, auc),
            design.correlation,
            design.alpha,
        )
    correlation = np.array([[1.0, design.correlation], [design.correlation, 1.0]])
    paired = PairedDesign(
        n_mutant=design.n_mutant,
        n_wildtype=design.n_wildtype,
        areas=np.array([design.auc]),
        correlation=correlation,
        alpha=design.alpha,
    )
    rng = generator(seed, "planning", design.n_mutant, design.n_wildtype)
    curve = power.power_curve(paired, studies, rng)
    return lambda auc: curve(auc - design.auc)
