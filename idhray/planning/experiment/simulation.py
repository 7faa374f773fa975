"""Simulated experiments: the verdict's test on binormal scores, for many experiments at once.

The closed form of `stats.arms.detectable` takes the standard error as independent of the estimate.
With few patients it is not: a better arm has an area nearer to 1, where areas vary less. There the
power is simulated. The formulas are those of `stats.mrmc`, over an axis of experiments.

Letters: S experiments, R repeats, n patients of a fold, K folds, C contrasts (the primary arm
against the baseline and its rivals).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from idhray.chance import generator
from idhray.planning.experiment.design import RIVALS, ExperimentDesign
from idhray.planning.experiment.errors import ScoreModel
from idhray.stats.arms.rule import MIN_FOLDS_OF_MEANS
from idhray.stats.roc.delong import Components, components
from idhray.stats.sample import CONFIDENCE

PerExperiment = NDArray[np.float64]  # first axis: experiments

MOST_PATIENTS = 250
"""With more patients the closed form is as good."""
_STUDIES, _FEWEST, _SCORES = 4000, 2500, 500_000
_PAIRS = 1_000_000  # pairs of patients in a chunk, at which DeLong's components are fastest
EQUIVALENCE_CONFIDENCE = 0.9


@dataclass(frozen=True, kw_only=True)
class SimulatedContrasts:
    """Contrasts of S experiments, (S, C): estimates, standard errors, degrees of freedom."""

    difference: PerExperiment
    se: PerExperiment
    df: PerExperiment
    confidence: float = CONFIDENCE
    """Confidence of the interval that must lie above 0."""

    def half_width(self, confidence: float) -> PerExperiment:
        """(S, C) half widths of the intervals."""
        df = np.where(np.isinf(self.df), 1e9, self.df)
        return np.asarray(special.stdtrit(df, 0.5 + confidence / 2) * self.se)

    def power(self) -> float:
        """Share of experiments whose interval over the baseline lies above 0."""
        return float(self._above()[:, 0].mean())

    def power_of_all(self) -> float:
        """Share of experiments in which all intervals lie above 0."""
        return float(self._above().all(axis=1).mean())

    def margins(self) -> PerExperiment:
        """(S,) smallest margin within which each experiment shows equivalence to the baseline."""
        half = self.half_width(EQUIVALENCE_CONFIDENCE)[:, 0]
        return np.asarray(np.abs(self.difference[:, 0]) + half)

    def _above(self) -> NDArray[np.bool_]:
        return np.asarray(self.difference > self.half_width(self.confidence))


def simulated_contrasts(
    model: ScoreModel,
    design: ExperimentDesign,
    gains: Sequence[float],
    *,
    studies: int | None = None,
    seed: int = 0,
) -> list[SimulatedContrasts]:
    """Contrasts at each true gain of the primary arm; the rivals have no effect.

    The same random numbers serve all gains.

    Args:
        model: Scores.
        design: Patients, folds, repeats.
        gains: True gains.
        studies: Number of experiments; None takes 2500 to 4000, fewer with more patients.
        seed: Seed.
    """
    if studies is None:
        studies = int(np.clip(_SCORES // design.patients, _FEWEST, _STUDIES))
    rng = generator(seed, "planned experiment")
    parts = [
        [_combined(folds, design) for folds in _chunk(model, design, gains, size, rng)]
        for size in _chunk_sizes(design, studies)
    ]
    return [
        SimulatedContrasts(
            difference=np.concatenate([part[place][0] for part in parts]),
            se=np.concatenate([part[place][1] for part in parts]),
            df=np.concatenate([part[place][2] for part in parts]),
            confidence=design.confidence,
        )
        for place in range(len(gains))
    ]


def _chunk_sizes(design: ExperimentDesign, studies: int) -> Iterator[int]:
    fold = design.n_mutant * design.n_wildtype / design.folds**2
    size = int(np.clip(_PAIRS / (design.repeats * fold * (1 + RIVALS)), 20, 500))
    for start in range(0, studies, size):
        yield min(size, studies - start)


Moments = tuple[
    PerExperiment, PerExperiment, PerExperiment
]  # (S, C): mean, S2 and Cov of d in one fold


def _chunk(
    model: ScoreModel,
    design: ExperimentDesign,
    gains: Sequence[float],
    studies: int,
    rng: np.random.Generator,
) -> list[list[Moments]]:
    """Moments of each gain and fold."""
    moments: list[list[Moments]] = [[] for _ in gains]
    for number in range(design.folds):
        labels = _fold_labels(design, number)
        luck = model.training_sd * rng.standard_normal((studies, 2 + RIVALS, design.repeats, 1))
        scores = _noise(model, luck.shape[:3], len(labels), rng)
        scores += luck * labels
        scores[:, 1] += _generator_luck(model, design, studies, rng) * labels
        others = np.delete(scores, 1, axis=1)
        rest = (2 + model.training_sd**2) ** 0.5
        of_others = _components(labels, others + special.ndtri(model.auc) * rest * labels)
        for place, gain in enumerate(gains):
            distance = special.ndtri(model.auc + gain) * _spread(model, design)
            of_primary = _components(labels, scores[:, 1:2] + distance * labels)
            moments[place].append(
                _moments(of_primary[0] - of_others[0], of_primary[1] - of_others[1])
            )
    return moments


def _fold_labels(design: ExperimentDesign, number: int) -> NDArray[np.int64]:
    """Labels of a fold: the first folds have the remainder of mutants, the last of wildtypes."""
    mutants = design.n_mutant // design.folds + (number < design.n_mutant % design.folds)
    later = design.folds - 1 - number
    wildtypes = design.n_wildtype // design.folds + (later < design.n_wildtype % design.folds)
    return np.repeat([1, 0], [mutants, wildtypes])


def _noise(
    model: ScoreModel, shape: tuple[int, ...], patients: int, rng: np.random.Generator
) -> PerExperiment:
    """(S, A, R, n): a patient's part of all arms, of an arm's trainings, and of a training."""
    studies, arms, repeats = shape
    scores = model.correlation**0.5 * rng.standard_normal((studies, 1, 1, patients))
    of_arm = (model.training_correlation - model.correlation) ** 0.5
    scores = scores + of_arm * rng.standard_normal((studies, arms, 1, patients))
    of_training = (1 - model.training_correlation) ** 0.5
    return np.asarray(
        scores + of_training * rng.standard_normal((studies, arms, repeats, patients))
    )


def _generator_luck(
    model: ScoreModel, design: ExperimentDesign, studies: int, rng: np.random.Generator
) -> PerExperiment:
    """(S, R, 1) luck of the primary arm's generators; 0 with one in all, which is its truth."""
    if design.generators == "one":
        return np.zeros((studies, design.repeats, 1))
    columns = 1 if design.generators == "per fold" else design.repeats
    return np.asarray(model.generator_sd * rng.standard_normal((studies, columns, 1)))


def _spread(model: ScoreModel, design: ExperimentDesign) -> float:
    """SD of the difference of a mutant's and a wildtype's score of the primary arm."""
    luck = 0.0 if design.generators == "one" else model.generator_sd**2
    return float((2 + model.training_sd**2 + luck) ** 0.5)


def _components(labels: NDArray[np.int64], scores: PerExperiment) -> Components:
    """(S, A, R, m) and (S, A, R, w): one call for all experiments."""
    of_mutants, of_wildtypes = components(labels, scores.reshape(-1, scores.shape[-1]))
    shape = scores.shape[:-1]
    return of_mutants.reshape(*shape, -1), of_wildtypes.reshape(*shape, -1)


def _moments(of_mutants: PerExperiment, of_wildtypes: PerExperiment) -> Moments:
    """Mean of d over repeats, S2 and Cov, as `split_plot` defines them."""
    areas = of_mutants.mean(axis=-1)  # (S, C, R)
    repeats = areas.shape[-1]
    between = np.zeros(areas.shape[:2])
    for side in (of_mutants, of_wildtypes):
        deviations = side - side.mean(axis=-1, keepdims=True)
        n = side.shape[-1]
        of_sum = np.square(deviations.sum(axis=2)).sum(axis=-1)
        of_each = np.square(deviations).sum(axis=(2, 3))
        between += (of_sum - of_each) / (n * (n - 1))
    covariance = between / (repeats * (repeats - 1))
    return areas.mean(axis=-1), areas.var(axis=-1, ddof=1), covariance


def _combined(
    folds: Sequence[Moments], design: ExperimentDesign
) -> tuple[PerExperiment, PerExperiment, PerExperiment]:
    """Estimate, standard error and degrees of freedom over the folds, (S, C) each."""
    means, trainings, covariances = (np.stack(each) for each in zip(*folds, strict=True))
    k, r = design.folds, design.repeats
    difference = means.mean(axis=0)
    if design.generators == "per fold" and k >= MIN_FOLDS_OF_MEANS:
        variance = means.var(axis=0, ddof=1) / k
        return difference, np.sqrt(variance), np.full_like(variance, k - 1)
    of_trainings = trainings.sum(axis=0) / (r * k**2)
    variance = of_trainings + np.maximum(covariances.sum(axis=0) / k**2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = k * (r - 1) * (variance / of_trainings) ** 2
    return difference, np.sqrt(variance), np.where(of_trainings > 0, df, np.inf)
