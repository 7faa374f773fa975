"""The design of an augmentation experiment and its power by the closed form of the verdict."""

from dataclasses import dataclass, replace

import numpy as np

from idhray.errors import ConfigError
from idhray.planning.experiment.errors import ContrastErrors
from idhray.stats.arms.detectable import ErrorVariance, all_gains_power, design_variance
from idhray.stats.arms.rule import (
    MIN_FOLDS_OF_MEANS,
    Generators,
    deciding_confidence,
    needed_repeats,
)

RIVALS = 2
"""Arms besides the baseline that the primary arm must beat: duplicate, more-real."""


@dataclass(frozen=True, kw_only=True)
class ExperimentDesign:
    """Patients, folds and repeats; every patient is tested once in a repeat."""

    n_mutant: int
    n_wildtype: int
    folds: int = 5
    repeats: int = 5
    generators: Generators = "per fold and repeat"

    def __post_init__(self) -> None:
        smaller = min(self.n_mutant, self.n_wildtype)
        if self.folds < 1 or smaller // self.folds < 2:
            raise ConfigError(
                f"{self.n_mutant} mutant and {self.n_wildtype} wildtype patients in {self.folds} "
                "folds: every fold needs 2 or more of each class, so that 1 to "
                f"{smaller // 2} folds are possible"
            )
        if self.repeats < (needed := needed_repeats(self.folds)):
            raise ConfigError(
                f"{self.repeats} repeats: a verdict with {self.folds} "
                f"fold{'s' if self.folds > 1 else ''} needs {needed} or more"
            )

    @property
    def patients(self) -> int:
        """Number of patients of both classes."""
        return self.n_mutant + self.n_wildtype

    @property
    def confidence(self) -> float:
        """Confidence of the interval that decides."""
        return deciding_confidence(self.folds, self.generators)

    def variance(self, errors: ContrastErrors) -> ErrorVariance:
        """Variance of the mean difference over folds and repeats.

        With a generator per fold and five folds or more, the test is a t test over fold means.
        """
        fold = self.n_mutant / self.folds, self.n_wildtype / self.folds
        between = errors.between.at(*fold)
        trainings = max(errors.training.at(*fold) - between, 0.0)
        if self.generators == "per fold" and self.folds >= MIN_FOLDS_OF_MEANS:
            of_means = (trainings / self.repeats + between) / self.folds
            return ErrorVariance(trainings=of_means, df=self.folds - 1, confidence=self.confidence)
        patients = max(between - errors.between.luck, 0.0) / self.folds
        return design_variance(
            trainings**0.5,
            patients,
            folds=self.folds,
            repeats=self.repeats,
            confidence=self.confidence,
        )

    def shared(self, errors: ContrastErrors) -> float:
        """Share of a contrast's variance that the primary arm brings: half, and its generators.

        Arms are alike but for the luck of the generators, which only the primary arm has.
        """
        variance = self.variance(errors)
        luck = errors.generator_luck / self.folds
        if self.generators == "per fold and repeat":
            luck /= self.repeats
        total = variance.trainings + variance.patients
        return min(0.5 * (1 + luck / total), 0.999)

    def resized(self, patients: int) -> "ExperimentDesign":
        """The design with other patients and nearly the same share of mutants."""
        fewest = 2 * self.folds
        mutants = round(patients * self.n_mutant / self.patients)
        mutants = int(np.clip(mutants, fewest, max(patients - fewest, fewest)))
        return replace(self, n_mutant=mutants, n_wildtype=max(patients - mutants, fewest))


def power_of_all(errors: ContrastErrors, design: ExperimentDesign, gain: float) -> float:
    """Power over baseline, duplicate and more-real together, if the rivals have no effect."""
    times, variance = 1 + RIVALS, design.variance(errors)
    return all_gains_power([variance] * times, [gain] * times, [design.shared(errors)] * times)
