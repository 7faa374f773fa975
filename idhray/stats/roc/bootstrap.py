"""Bootstrap intervals of areas under ROC curves and of their differences, over patients.

Patients are drawn with replacement among the mutants and among the wildtypes. Scores of several
trainings, (repeats, patients), are drawn in a second way at the same time, trainings within a
side: then luck in training counts as well. With R trainings a draw shows (R - 1) / R of their
variance, so that two or three are too few for it.

Letters: B draws, R trainings, M mutant and W wildtype patients.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idhray.chance import generator
from idhray.stats.bootstrap import (
    Bootstrapped,
    Draws,
    Interval,
    acceleration_of,
    bias_of,
    check_draws,
    lone_patients,
    summary,
)
from idhray.stats.roc.delong import components
from idhray.stats.sample import Labels, SampleError, Scores, labels_of, scores_of

Weights = NDArray[np.float64]  # (patients or trainings, B): how often each was drawn
_CHUNK = 500_000  # weights at a time: what fits in the processor's cache


def bootstrap_auc(
    truth: ArrayLike,
    scores: ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
    method: Interval = "percentile",
    confidence: float = 0.95,
) -> Bootstrapped:
    """The area, mean over trainings, with its bootstrap interval and its P against 0.5.

    The order of the patients changes nothing.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or fewer than 100 draws.

    Source: Efron and Tibshirani 1993, chapters 13 (percentile) and 14 (BCa).
    """
    labels = labels_of(truth)
    sides = [scores_of(scores, labels)]
    return _bootstrapped(
        labels, sides, null=0.5, draws=draws, seed=seed, method=method, confidence=confidence
    )


def bootstrap_auc_difference(
    truth: ArrayLike,
    scores: ArrayLike,
    baseline: ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
    method: Interval = "percentile",
    confidence: float = 0.95,
) -> Bootstrapped:
    """Area of `scores` minus area of `baseline` on the same drawn patients, and its P against 0.

    Either may be (repeats, patients): the trainings of each side are drawn by themselves.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or fewer than 100 draws.
    """
    labels = labels_of(truth)
    sides = [scores_of(one, labels) for one in (scores, baseline)]
    return _bootstrapped(
        labels, sides, null=0.0, draws=draws, seed=seed, method=method, confidence=confidence
    )


def _bootstrapped(
    labels: Labels,
    sides: list[Scores],
    *,
    null: float,
    draws: int,
    seed: int,
    method: Interval,
    confidence: float,
) -> Bootstrapped:
    check_draws(draws, confidence)
    if method not in ("percentile", "BCa"):
        raise SampleError(f"no bootstrap interval named {method!r}; use percentile or BCa")
    estimate, influences = _influences(labels, sides)
    found = _areas_drawn(labels, sides, draws, generator(seed, "bootstrap"))
    trainings = ", trainings within side" if max(len(side) for side in sides) > 1 else ""
    notes = list(lone_patients(int(min(labels.sum(), (1 - labels).sum()))))
    if trainings and min(len(side) for side in sides) == 1:
        notes.append("One side has a single training: its luck is not in the interval.")
    corrected = method == "BCa"
    return summary(
        estimate,
        found,
        method=f"{method} bootstrap, patients within class{trainings}",
        seed=seed,
        confidence=confidence,
        null=null,
        bias=bias_of(estimate, found) if corrected else 0.0,
        acceleration=acceleration_of(influences) if corrected else 0.0,
        notes=notes,
    )


def _influences(labels: Labels, sides: list[Scores]) -> tuple[float, list[NDArray[np.float64]]]:
    """The figure, and what each mutant, each wildtype and each training of a side adds to it."""
    estimate, of_mutants, of_wildtypes = 0.0, np.zeros(1), np.zeros(1)
    trainings = []
    for sign, side in zip((1, -1), sides, strict=False):
        pair = components(labels, side)
        areas = pair[0].mean(axis=1)
        estimate += sign * float(areas.mean())
        of_mutants = of_mutants + sign * (pair[0].mean(axis=0) - areas.mean())
        of_wildtypes = of_wildtypes + sign * (pair[1].mean(axis=0) - areas.mean())
        trainings.append(sign * (areas - areas.mean()))
    return round(estimate, 12), [of_mutants, of_wildtypes, *trainings]


def _areas_drawn(
    labels: Labels, sides: list[Scores], draws: int, rng: np.random.Generator
) -> Draws:
    """(B,) areas, or differences of areas, of drawn patients and trainings.

    Rounded to 12 decimals: the same fraction summed in another order must stay equal.
    """
    order = np.lexsort(np.vstack(sides))  # the draws must not depend on the order of the rows
    split = [[side[:, order[labels[order] == group]] for group in (1, 0)] for side in sides]
    m, w = (split[0][group].shape[1] for group in (0, 1))
    found = []
    for size in _chunks(draws, _CHUNK // (m + w) + 1):
        of_mutants, of_wildtypes = _times_drawn(m, size, rng), _times_drawn(w, size, rng)
        total = np.zeros(size)
        for sign, (mutants, wildtypes) in zip((1, -1), split, strict=False):
            trainings = _times_drawn(len(mutants), size, rng)
            for times, mutant, wildtype in zip(trainings, mutants, wildtypes, strict=True):
                pairs = drawn_pairs(mutant, wildtype, of_mutants, of_wildtypes)
                total += sign / len(mutants) * times * pairs
        found.append(total / (2 * m * w))
    return np.round(np.concatenate(found), 12)


def _chunks(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)


def _times_drawn(n: int, draws: int, rng: np.random.Generator) -> Weights:
    """(n, B): how often each of n is among n drawn with replacement."""
    drawn = rng.integers(0, n, (n, draws)) * draws + np.arange(draws)
    return np.bincount(drawn.ravel(), minlength=n * draws).reshape(n, draws).astype(np.float64)


def drawn_pairs(
    mutant: Scores, wildtype: Scores, of_mutants: Weights, of_wildtypes: Weights
) -> NDArray[np.float64]:
    """(B,) twice the drawn pairs in the right order, ties counting half: whole numbers.

    A mutant beats all drawn wildtypes up to its place among them, so one running sum does a draw.
    """
    order = np.argsort(wildtype, kind="stable")
    sums = np.zeros((len(wildtype) + 1, of_wildtypes.shape[1]))
    np.cumsum(of_wildtypes[order], axis=0, out=sums[1:])
    below, to = (np.searchsorted(wildtype[order], mutant, side) for side in ("left", "right"))
    return np.asarray(np.einsum("mb,mb->b", of_mutants, sums[below] + sums[to]))
