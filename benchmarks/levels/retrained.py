"""Linear classifiers trained anew in every fold, on patients that folds share.

Patients have p normal features of which the first tells the classes apart. A training is shrunken
linear discriminant analysis on the noisy features of a random share of the fold's training
patients. A generator shifts the classes of its trainings along a random direction. All arms are
the same algorithm, so that no arm is better unless it sees a larger share of the patients.

Letters: S studies, A = 2 arms, T trainings of a fold (arms x repeats), n patients, p features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.levels.binormal import Floats, FoldSample, fold_labels
from benchmarks.levels.cells import PER_FOLD, SHARED, Cell

FEATURES, EFFECT, NOISE, SHRINKAGE, TRAINING_PATIENTS = 12, 1.2, 0.3, 0.3, 198


def sample(cell: Cell, studies: int, rng: np.random.Generator) -> tuple[list[FoldSample], Floats]:
    """Scores of `studies` studies by fold; the true difference is NaN if the arms' shares differ.

    With one fold, 198 further patients are trained on.
    """
    labels = fold_labels(cell)
    tests: list[list[Floats]] = [[] for _ in labels]
    for _ in range(studies):
        for number, scores in enumerate(_study(cell, labels, rng)):
            tests[number].append(scores)
    folds = [
        FoldSample(labels=of_fold, test=np.stack(scores), validation=None)
        for of_fold, scores in zip(labels, tests, strict=True)
    ]
    truth = 0.0 if cell.baseline_share == cell.primary_share else np.nan
    return folds, np.full(studies, truth)


def _study(cell: Cell, labels: list[NDArray[np.int64]], rng: np.random.Generator) -> list[Floats]:
    """(2, R, n) scores per fold."""
    parts = list(labels)
    if cell.folds == 1:
        parts.append(np.repeat([1, 0], TRAINING_PATIENTS // 2))
    y = np.concatenate(parts)
    fold_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    x = rng.standard_normal((len(y), FEATURES))
    x[:, 0] += EFFECT * y
    twins = cell.twin_sd * rng.standard_normal((2, *x.shape))  # an arm's view of each patient
    in_all = cell.generator_sd * rng.standard_normal((2, FEATURES))
    scores = []
    for number in range(cell.folds):
        train, test = np.flatnonzero(fold_of != number), np.flatnonzero(fold_of == number)
        spread = _fold_factor(cell, number)
        arms = []
        for arm, share in enumerate((cell.baseline_share, cell.primary_share)):
            trainings = _Trainings(
                share=share, shifts=spread * _shifts(cell, in_all[arm], rng), noise=NOISE * spread
            )
            weights = _trained((x + twins[arm])[train], y[train], trainings, rng)
            arms.append(weights @ x[test].T)
        scores.append(np.stack(arms))
    return scores


def _fold_factor(cell: Cell, number: int) -> float:
    """Factor of a fold's noise and generator shift; its mean square over folds is 1."""
    steps = np.linspace(0, 1, cell.folds) if cell.folds > 1 else np.zeros(1)
    factors = cell.fold_spread**steps
    return float(factors[number] / np.sqrt(np.mean(factors**2)))


def _shifts(cell: Cell, in_all: Floats, rng: np.random.Generator) -> Floats:
    """(R, p) shift between the classes that each training's generator adds."""
    if cell.generators == SHARED:
        return np.tile(in_all, (cell.repeats, 1))
    rows = 1 if cell.generators == PER_FOLD else cell.repeats
    shifts = cell.generator_sd * rng.standard_normal((rows, FEATURES))
    return np.broadcast_to(shifts, (cell.repeats, FEATURES))


@dataclass(frozen=True, kw_only=True)
class _Trainings:
    share: float
    """Share of the training patients that each training sees."""
    shifts: Floats
    """(R, p) shift between the classes."""
    noise: float
    """SD of the noise of each feature."""


def _trained(
    x: Floats, y: NDArray[np.int64], trainings: _Trainings, rng: np.random.Generator
) -> Floats:
    """(R, p) weights of shrunken linear discriminant analyses on random shares of the patients."""
    repeats = len(trainings.shifts)
    means, scatter, total = [], np.zeros((repeats, FEATURES, FEATURES)), 0
    for label in (1, 0):
        of_class = np.flatnonzero(y == label)
        count = int(trainings.share * len(of_class))
        drawn = rng.random((repeats, len(of_class))).argsort(axis=1)[:, :count]
        noise = trainings.noise * rng.standard_normal((repeats, count, FEATURES))
        z = x[of_class[drawn]] + noise
        z += (label - 0.5) * trainings.shifts[:, None]
        means.append(z.mean(axis=1))
        z -= means[-1][:, None]
        scatter += z.transpose(0, 2, 1) @ z
        total += count
    covariance = scatter / (total - 1) + SHRINKAGE * np.eye(FEATURES)
    return np.linalg.solve(covariance, (means[0] - means[1])[..., None])[..., 0]
