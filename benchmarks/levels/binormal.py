"""Made-up scores of binormal classifiers whose true areas are known.

Within a class the scores of a training are normal with variance 1. The classes' means differ by
d' = sqrt(2) probit(AUC) plus the luck of the training and, in arms of synthetic images, of its
generator. d' is set so that the area averaged over this luck has the value that the cell names.

Letters: S studies, A arms, R repeats, n patients of a fold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.levels.cells import PER_FOLD, PER_TRAINING, SHARED, Cell

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FoldSample:
    """Scores of several studies in one fold."""

    labels: NDArray[np.int64]
    """(n,) 0 wildtype, 1 mutant; the same in test and validation."""
    test: Floats
    """(S, A, R, n); arm 0 is the baseline, then the counts, then the rivals."""
    validation: Floats | None
    """(S, J, R, n) scores of the counts on as many other patients, where a count is chosen."""


def fold_labels(cell: Cell) -> list[NDArray[np.int64]]:
    """Labels of each fold's patients: classes as even as their numbers allow."""
    mutants = round(cell.patients * cell.mutant_share)
    sizes = [_even(total, cell.folds) for total in (mutants, cell.patients - mutants)]
    sizes[1] = sizes[1][::-1]  # larger wildtype folds where mutant folds are smaller
    return [np.repeat([1, 0], pair) for pair in zip(*sizes, strict=True)]


def _even(total: int, parts: int) -> list[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]


def sample(cell: Cell, studies: int, rng: np.random.Generator) -> tuple[list[FoldSample], Floats]:
    """Scores of `studies` studies by fold, and the true difference of each, (S,).

    With one generator in all its luck belongs to the truth; the other lucks are averaged out.
    """
    shared = _normal(rng, cell.generator_sd, studies) if cell.generators == SHARED else None
    luck = np.zeros(studies) if shared is None else shared
    folds = [
        _fold(cell, labels, _training_sd(cell, number), luck, rng)
        for number, labels in enumerate(fold_labels(cell))
    ]
    if shared is None:
        return folds, np.full(studies, cell.gain)
    sds = np.array([_training_sd(cell, number) for number in range(cell.folds)])
    spread = np.sqrt(2 + sds**2)  # (K,)
    level = special.ndtri(cell.auc + cell.gain) * spread
    truth = special.ndtr((level + shared[:, None]) / spread).mean(axis=1) - cell.auc
    return folds, truth


def _fold(
    cell: Cell,
    labels: NDArray[np.int64],
    training_sd: float,
    shared: Floats,
    rng: np.random.Generator,
) -> FoldSample:
    distances = _distances(cell, training_sd, shared, rng)
    validation = None
    if cell.selection != "fixed":
        validation = _scores(cell, labels, distances[:, 1 : 1 + cell.counts], rng)
    if cell.selection == "fresh":
        distances = _distances(cell, training_sd, shared, rng)
    test = _scores(cell, labels, distances, rng)
    return FoldSample(labels=labels, test=test, validation=validation)


def _rival_gains(cell: Cell) -> tuple[float, ...]:
    if cell.rivals == "far below":
        return ()
    return (cell.gain, cell.gain) if cell.rivals == "equal" else (0.0, 0.0)


def _training_sd(cell: Cell, number: int) -> float:
    """Training SD of a fold; its mean square over folds is that of the cell."""
    steps = np.linspace(0, 1, cell.folds) if cell.folds > 1 else np.zeros(1)
    shares = cell.fold_spread**steps
    return float(cell.training_sd * shares[number] / np.sqrt(np.mean(shares**2)))


def _distances(cell: Cell, training_sd: float, shared: Floats, rng: np.random.Generator) -> Floats:
    """(S, A, R) d' of every training; `shared` is the luck of the generators of all, (S,)."""
    gains = [0.0, *[cell.gain] * cell.counts, *_rival_gains(cell)]
    studies, arms, synthetic = len(shared), len(gains), slice(1, 1 + cell.counts)
    luck = _normal(rng, training_sd, (studies, arms, cell.repeats))
    variances = np.full(arms, training_sd**2)
    if cell.generators == PER_TRAINING:  # the counts of a repeat share its generators
        luck[:, synthetic] += _normal(rng, cell.generator_sd, (studies, 1, cell.repeats))
        variances[synthetic] += cell.generator_sd**2
    elif cell.generators == PER_FOLD:
        luck[:, synthetic] += _normal(rng, cell.generator_sd, (studies, 1, 1))
        variances[synthetic] += cell.generator_sd**2
    else:
        luck[:, synthetic] += shared[:, None, None]
    means = special.ndtri(cell.auc + np.array(gains)) * np.sqrt(2 + variances)
    return np.asarray(luck + means[:, None])


def _scores(
    cell: Cell, labels: NDArray[np.int64], distances: Floats, rng: np.random.Generator
) -> Floats:
    """(S, A, R, n): a patient's part shared by all, by an arm's trainings, and by none."""
    studies, arms, repeats = distances.shape
    n = len(labels)
    scores = _normal(rng, (1 - cell.same_arm) ** 0.5, (studies, arms, repeats, n))
    scores += _normal(rng, (cell.same_arm - cell.other_arm) ** 0.5, (studies, arms, 1, n))
    scores += _normal(rng, cell.other_arm**0.5, (studies, 1, 1, n))
    scores += distances[..., None] * labels
    return scores


def _normal(rng: np.random.Generator, sd: float, shape: int | tuple[int, ...]) -> Floats:
    return sd * rng.standard_normal(shape) if sd else np.zeros(shape)
