"""The plan of an augmentation experiment: gains and margins it can show, and the numbers needed.

`helps` needs the interval above 0 against the baseline, the duplicates and the further real images
together, so the numbers needed are those of all three contrasts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from idhray.planning.experiment.design import ExperimentDesign, power_of_all
from idhray.planning.experiment.errors import ScoreModel
from idhray.planning.experiment.simulation import (
    MOST_PATIENTS,
    SimulatedContrasts,
    simulated_contrasts,
)
from idhray.stats.arms.detectable import (
    ErrorVariance,
    detectable_gain,
    detectable_margin,
    equivalence_power,
    gain_power,
)
from idhray.stats.arms.rule import needed_repeats

MOST_PATIENTS_NEEDED, MOST_REPEATS_NEEDED = 100_000, 200
"""Limits of the search for the numbers needed."""
_MOST_REPEATS_SIMULATED = 20
_STUDIES_OF_NEEDS = 1500
_GRID = (0.7, 0.85, 1.0, 1.2, 1.5, 2.0)  # times the gain that the closed form finds
_TOP = 1 - 1e-6  # largest area


@dataclass(frozen=True, kw_only=True)
class ExperimentGain:
    """Power at one true gain over the baseline, where the rivals have no effect."""

    gain: float
    power: float
    """Power over the baseline alone."""
    power_of_all: float
    """Power over baseline, duplicate and more-real together, as "helps" needs it."""
    patients_needed: int | None
    """Patients for the planned power over all three; None above `MOST_PATIENTS_NEEDED`."""
    repeats_needed: int | None
    """Repeats for the planned power over all three; None above `MOST_REPEATS_NEEDED`."""


@dataclass(frozen=True, kw_only=True)
class ExperimentColumn:
    """Figures for one model of the scores."""

    name: str
    model: ScoreModel
    detectable_gain: float
    """Smallest gain over the baseline that is found with the planned power; NaN if none is."""
    detectable_margin: float
    """Smallest margin within which equivalence is shown with the planned power."""
    equivalence_power: float
    """Power to show a difference of 0 within the margin."""
    sd_trainings: float
    """SD of the difference in AUC between repeats of one fold."""
    se: float
    """Standard error of the mean difference."""
    gains: tuple[ExperimentGain, ...]


@dataclass(frozen=True, kw_only=True)
class PowerPlan:
    """All figures of a planned experiment."""

    design: ExperimentDesign
    margin: float
    power: float
    simulated: bool
    """The power was simulated; else it is the closed form's."""
    columns: tuple[ExperimentColumn, ...]


def experiment_plan(
    design: ExperimentDesign,
    models: Mapping[str, ScoreModel],
    *,
    gains: Sequence[float],
    margin: float = 0.02,
    power: float = 0.8,
    studies: int | None = None,
    seed: int = 0,
) -> PowerPlan:
    """The plan of one design under several models of the scores.

    Args:
        design: Patients, folds, repeats, generators.
        models: Heading -> model.
        gains: True gains at which the power is given; those that lead to an AUC of 1 are skipped.
        margin: Differences in AUC this small are irrelevant.
        power: Planned power.
        studies: Simulated experiments per figure; None takes 2500 to 4000.
        seed: Seed of the simulated experiments.

    Raises:
        ConfigError: a value is out of range.
    """
    planner = _Planner(design=design, margin=margin, power=power, studies=studies, seed=seed)
    return PowerPlan(
        design=design,
        margin=margin,
        power=power,
        simulated=planner.simulates,
        columns=tuple(planner.column(name, model, gains) for name, model in models.items()),
    )


_Figures = tuple[float, float, float, list[tuple[float, float]]]
# Detectable gain and margin, power of equivalence, and power over baseline and over all per gain.


@dataclass(frozen=True, kw_only=True)
class _Planner:
    design: ExperimentDesign
    margin: float
    power: float
    studies: int | None
    seed: int

    @property
    def simulates(self) -> bool:
        return self.design.patients <= MOST_PATIENTS

    def column(self, name: str, model: ScoreModel, gains: Sequence[float]) -> ExperimentColumn:
        """All figures of one model."""
        planned = [gain for gain in gains if model.auc + gain < 1]
        errors = model.errors(0.0, self.design.generators)
        null = self.design.variance(errors)
        figures = self._simulated if self.simulates else self._closed
        detectable, margin, equivalence, powers = figures(model, planned)
        fold = self.design.n_mutant / self.design.folds, self.design.n_wildtype / self.design.folds
        between_repeats = errors.training.at(*fold) - errors.between.at(*fold)
        return ExperimentColumn(
            name=name,
            model=model,
            detectable_gain=detectable,
            detectable_margin=margin,
            equivalence_power=equivalence,
            sd_trainings=max(between_repeats, 0.0) ** 0.5,
            se=(null.trainings + null.patients) ** 0.5,
            gains=tuple(
                ExperimentGain(
                    gain=gain,
                    power=of_baseline,
                    power_of_all=of_all,
                    patients_needed=self._patients(model, gain),
                    repeats_needed=self._repeats(model, gain),
                )
                for gain, (of_baseline, of_all) in zip(planned, powers, strict=True)
            ),
        )

    def _closed(self, model: ScoreModel, gains: Sequence[float]) -> _Figures:
        """Figures by the closed form."""
        null = self._variance(model, 0.0)
        gain = detectable_gain(
            lambda gain: self._variance(model, gain), self.power, most=_TOP - model.auc
        )
        powers = []
        for each in gains:
            errors = model.errors(each, self.design.generators)
            of_baseline = gain_power(self.design.variance(errors), each)
            powers.append((of_baseline, power_of_all(errors, self.design, each)))
        return (
            gain,
            detectable_margin(null, self.power),
            equivalence_power(null, self.margin),
            powers,
        )

    def _simulated(self, model: ScoreModel, gains: Sequence[float]) -> _Figures:
        """The same figures, simulated; the closed form says where to look."""
        guess = detectable_gain(self._variance(model, 0.0), self.power)
        grid = [min(guess * each, _TOP - model.auc) for each in _GRID]
        null, *results = simulated_contrasts(
            model, self.design, [0.0, *gains, *grid], studies=self.studies, seed=self.seed
        )
        margins = null.margins()
        return (
            _crossing(grid, results[len(gains) :], self.power),
            float(np.quantile(margins, self.power)),
            float((margins < self.margin).mean()),
            [(each.power(), each.power_of_all()) for each in results[: len(gains)]],
        )

    def _variance(self, model: ScoreModel, gain: float) -> ErrorVariance:
        return self.design.variance(model.errors(gain, self.design.generators))

    def _patients(self, model: ScoreModel, gain: float) -> int | None:
        return self._fewest(
            model,
            gain,
            self.design.resized,
            (4 * self.design.folds, MOST_PATIENTS_NEEDED),
        )

    def _repeats(self, model: ScoreModel, gain: float) -> int | None:
        return self._fewest(
            model,
            gain,
            lambda repeats: replace(self.design, repeats=repeats),
            (needed_repeats(self.design.folds), MOST_REPEATS_NEEDED),
        )

    def _fewest(
        self,
        model: ScoreModel,
        gain: float,
        design_of: Callable[[int], ExperimentDesign],
        limits: tuple[int, int],
    ) -> int | None:
        """Smallest number that gives the planned power over all three contrasts.

        The closed form gives a first number. A simulation there corrects the form's z, by which
        the number is found again.
        """
        errors = model.errors(gain, self.design.generators)

        def z_of_closed_form(number: int) -> float:
            return _z(power_of_all(errors, design_of(number), gain))

        target = float(special.ndtri(self.power))
        number = _smallest(lambda each: z_of_closed_form(each) >= target, *limits)
        if number is None:
            return None
        design = design_of(number)
        if design.patients > MOST_PATIENTS or design.repeats > _MOST_REPEATS_SIMULATED:
            return number
        result = simulated_contrasts(
            model, design, [gain], studies=_STUDIES_OF_NEEDS, seed=self.seed
        )[0]
        shift = _z(result.power_of_all()) - z_of_closed_form(number)
        return _smallest(lambda each: z_of_closed_form(each) + shift >= target, *limits)


def _z(power: float) -> float:
    return float(special.ndtri(np.clip(power, 1e-3, 1 - 1e-3)))


def _crossing(gains: Sequence[float], results: Sequence[SimulatedContrasts], power: float) -> float:
    """Gain at which the simulated power first reaches `power`; NaN if it never does.

    Between two gains the z of the power is taken as a straight line.
    """
    target = _z(power)
    before = 0.0, _z(0.025)
    for gain, result in zip(gains, results, strict=True):
        z = _z(result.power())
        if z >= target:
            share = (target - before[1]) / (z - before[1])
            return before[0] + share * (gain - before[0])
        before = gain, z
    return float("nan")


def _smallest(enough: Callable[[int], bool], low: int, most: int) -> int | None:
    """Smallest number from `low` to `most` that is enough, by bisection; None if none is."""
    if enough(low):
        return low
    if not enough(most):
        return None
    high = most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
