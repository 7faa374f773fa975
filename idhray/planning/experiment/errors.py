"""Variance of the difference of two arms' areas: by trainings, by patients, and by both together.

An area under the ROC curve varies by the luck of its training and by its test patients. With m
mutant and w wildtype patients of a fold, a variance or covariance is

    luck + single (1/m + 1/w) + pair / (m w)

so one set of numbers serves any number of patients, folds and repeats. It comes from a binormal
model of the scores, or from the predictions of a pilot experiment.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special, stats
from scipy.optimize import brentq

from idhray.errors import ConfigError
from idhray.stats.arms.rule import Generators


@dataclass(frozen=True, kw_only=True)
class AreaVariance:
    """A variance or covariance of areas as a function of the test patients."""

    luck: float = 0.0
    """Part that does not fall with the number of test patients."""
    single: float = 0.0
    """Part that falls with the patients of each class."""
    pair: float = 0.0
    """Part that falls with the pairs of a mutant and a wildtype patient."""

    def at(self, mutants: float, wildtypes: float) -> float:
        """Its value with these test patients."""
        pairs = mutants * wildtypes
        return self.luck + self.single * (mutants + wildtypes) / pairs + self.pair / pairs

    def plus(self, other: "AreaVariance", factor: float = 1.0) -> "AreaVariance":
        """The sum with `factor` times another one."""
        return AreaVariance(
            luck=self.luck + factor * other.luck,
            single=self.single + factor * other.single,
            pair=self.pair + factor * other.pair,
        )


@dataclass(frozen=True, kw_only=True)
class ContrastErrors:
    """Variance of d, the difference of two arms' areas in one fold and repeat."""

    training: AreaVariance
    """Variance of d."""
    between: AreaVariance
    """Covariance of d in two repeats of one fold."""
    generator_luck: float = 0.0
    """Part of the variance that the luck of the primary arm's generators adds."""


@dataclass(frozen=True, kw_only=True)
class ScoreModel:
    """Binormal scores of an experiment's classifiers; SDs are in d', the distance of the classes.

    Within a class the scores of a training have variance 1. The area averaged over the luck of
    trainings and generators is `auc`.
    """

    auc: float
    """True area of the baseline."""
    correlation: float = 0.9
    """Correlation of the scores of two arms within a class."""
    training_correlation: float = 1.0
    """The same of two trainings of an arm; 1 if they differ by their luck alone."""
    training_sd: float = 0.0
    """SD between the trainings of an arm."""
    generator_sd: float = 0.0
    """SD between generators."""

    def __post_init__(self) -> None:
        if not 0.5 < self.auc < 1:
            raise ConfigError(f"the baseline's AUC must lie between 0.5 and 1, got {self.auc}")
        if not 0 <= self.correlation < 1:
            raise ConfigError(
                f"a correlation must be at least 0 and below 1, got {self.correlation}"
            )
        if not self.correlation <= self.training_correlation <= 1:
            raise ConfigError(
                f"two trainings of an arm agree at least as well as two arms: the training "
                f"correlation must lie from {self.correlation} to 1, got "
                f"{self.training_correlation}"
            )
        if not (self.training_sd >= 0 and self.generator_sd >= 0):
            raise ConfigError(
                f"SDs must be 0 or more, got {self.training_sd} between trainings and "
                f"{self.generator_sd} between generators"
            )

    @classmethod
    def of_areas(
        cls,
        *,
        auc: float,
        correlation: float,
        training_correlation: float,
        training_sd: float,
        generator_sd: float = 0.0,
    ) -> "ScoreModel":
        """The model whose areas have these SDs between trainings and between generators.

        Raises:
            ConfigError: a value is out of range.
        """
        model = cls(auc=auc, correlation=correlation, training_correlation=training_correlation)
        return replace(
            model,
            training_sd=distance_sd(auc, training_sd),
            generator_sd=distance_sd(auc, generator_sd),
        )

    def errors(
        self, gain: float = 0.0, generators: Generators = "per fold and repeat"
    ) -> ContrastErrors:
        """Variance of a difference whose true value is `gain`.

        The luck of one generator in all belongs to the true value.

        Raises:
            ConfigError: the gain leads to an area outside (0, 1).
        """
        if not 0 < self.auc + gain < 1:
            raise ConfigError(
                f"gain of {gain} on an AUC of {self.auc}: it must lead to an AUC between 0 and 1"
            )
        luck = self.training_sd**2
        of_generator = 0.0 if generators == "one" else self.generator_sd**2
        arms = ((self.auc, luck), (self.auc + gain, luck + of_generator))
        shared = (0.0, of_generator if generators == "per fold" else 0.0)
        training = between = AreaVariance()
        for arm, shared_luck in zip(arms, shared, strict=True):
            training = training.plus(_area_covariance(arm, arm, 1.0, arm[1]))
            between = between.plus(
                _area_covariance(arm, arm, self.training_correlation, shared_luck)
            )
        of_arms = _area_covariance(*arms, self.correlation, 0.0)
        area, all_luck = arms[1]
        return ContrastErrors(
            training=training.plus(of_arms, -2.0),
            between=between.plus(of_arms, -2.0),
            generator_luck=area_sd(area, all_luck**0.5) ** 2 - area_sd(area, luck**0.5) ** 2,
        )


_LuckyArea = tuple[float, float]  # true area, variance of the luck of a training in d'


def _area_covariance(
    first: _LuckyArea, second: _LuckyArea, correlation: float, luck: float
) -> AreaVariance:
    """Covariance of two trainings' areas.

    Args:
        first: Area and luck of a training.
        second: The same of another one.
        correlation: Correlation of their scores within a class.
        luck: Variance of the luck that they share.

    Source: Hanley and McNeil 1982, eq. 1, extended to two sets of scores by the bivariate normal
    distribution, as `normal.py`. Luck adds its variance to that of a difference of two scores, 2.
    """
    scale = ((2 + first[1]) * (2 + second[1])) ** 0.5
    none, one_shared, both_shared = (
        _both_below(first[0], second[0], (shared * correlation + luck) / scale)
        for shared in (0, 1, 2)
    )
    return AreaVariance(
        luck=none - first[0] * second[0],
        single=one_shared - none,
        pair=both_shared - none - 2 * (one_shared - none),
    )


def _both_below(first: float, second: float, correlation: float) -> float:
    """P(Z1 < probit(first), Z2 < probit(second)) at the correlation; Z1 = Z2 at 1."""
    if correlation <= 0:
        return first * second
    if correlation >= 1 - 1e-12:
        return min(first, second)
    quantiles = special.ndtri([first, second])
    return float(stats.multivariate_normal.cdf(quantiles, cov=[[1, correlation], [correlation, 1]]))


def area_sd(auc: float, sd: float) -> float:
    """SD of an area whose d' has the given SD, and whose mean is `auc`."""
    variance = _both_below(auc, auc, sd**2 / (2 + sd**2)) - auc**2
    return float(np.sqrt(max(variance, 0.0)))


def distance_sd(auc: float, sd: float) -> float:
    """SD in d' that gives an area of mean `auc` the given SD.

    Raises:
        ConfigError: no luck of d' makes the area vary as much.
    """
    if sd == 0:
        return 0.0
    most = area_sd(auc, 10.0)
    if not 0 < sd < most:
        raise ConfigError(f"an SD of an AUC of {auc} must be from 0 to {most:.2f}, got {sd}")
    return float(brentq(lambda each: area_sd(auc, each) - sd, 0.0, 10.0, xtol=1e-8))
