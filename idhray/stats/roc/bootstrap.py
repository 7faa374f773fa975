"""Bootstrap interval of a difference of areas under ROC curves, over patients.

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
from idhray.stats.bootstrap import Bootstrapped, Draws, check_draws, lone_patient_notes, summary
from idhray.stats.roc.delong import components
from idhray.stats.sample import Labels, Scores, labels_of, scores_of

Times = NDArray[np.float64]  # (patients or trainings, B): how often each was drawn
_CHUNK = 500_000  # times drawn that are held at once: what fits in the processor's cache


def bootstrap_auc_difference(
    truth: ArrayLike, scores: ArrayLike, baseline: ArrayLike, *, draws: int, seed: int
) -> Bootstrapped:
    """Area of `scores` minus area of `baseline` on the same drawn patients, and its P against 0.

    Either may be (repeats, patients): the trainings of each side are drawn separately. The order
    of the patients changes nothing.

    Raises:
        SampleError: one class only, NaN scores, unequal lengths, or fewer than 100 draws.

    Source: Efron and Tibshirani 1993, chapter 13 (percentile interval).
    """
    labels = labels_of(truth)
    sides = [scores_of(side, labels) for side in (scores, baseline)]
    check_draws(draws)
    trainings = ", trainings within side" if max(len(side) for side in sides) > 1 else ""
    notes = list(lone_patient_notes(int(min(labels.sum(), (1 - labels).sum()))))
    if trainings and min(len(side) for side in sides) == 1:
        notes.append("One side has a single training: its luck is not in the interval.")
    new, old = (float(components(labels, side)[0].mean(axis=1).mean()) for side in sides)
    return summary(
        round(new - old, 12),
        _drawn_differences(labels, sides, draws, generator(seed, "bootstrap")),
        method=f"percentile bootstrap, patients within class{trainings}",
        seed=seed,
        null=0.0,
        notes=notes,
    )


def _drawn_differences(
    labels: Labels, sides: list[Scores], draws: int, rng: np.random.Generator
) -> Draws:
    """(B,) differences of areas, of drawn patients and trainings.

    Rounded to 12 decimals: the same fraction summed in another order must stay equal.
    """
    order = np.lexsort(np.vstack(sides))  # the draws must not depend on the order of the rows
    split = [[side[:, order[labels[order] == group]] for group in (1, 0)] for side in sides]
    m, w = (split[0][group].shape[1] for group in (0, 1))
    differences = []
    for size in _chunks(draws, _CHUNK // (m + w) + 1):
        of_mutants, of_wildtypes = _times_drawn(m, size, rng), _times_drawn(w, size, rng)
        total = np.zeros(size)
        for sign, (mutants, wildtypes) in zip((1, -1), split, strict=True):
            trainings = _times_drawn(len(mutants), size, rng)
            for times, mutant, wildtype in zip(trainings, mutants, wildtypes, strict=True):
                pairs = drawn_pairs(mutant, wildtype, of_mutants, of_wildtypes)
                total += sign / len(mutants) * times * pairs
        differences.append(total / (2 * m * w))
    return np.round(np.concatenate(differences), 12)


def _chunks(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)


def _times_drawn(n: int, draws: int, rng: np.random.Generator) -> Times:
    """(n, B): how often each of n is among n drawn with replacement."""
    places = rng.integers(0, n, (n, draws)) * draws + np.arange(draws)
    return np.bincount(places.ravel(), minlength=n * draws).reshape(n, draws).astype(np.float64)


def drawn_pairs(
    mutant: Scores, wildtype: Scores, of_mutants: Times, of_wildtypes: Times
) -> NDArray[np.float64]:
    """(B,) twice the drawn pairs in the right order, ties counting half: whole numbers.

    A mutant beats all drawn wildtypes up to its place among them, so one running sum does a draw.
    """
    order = np.argsort(wildtype, kind="stable")
    sums = np.zeros((len(wildtype) + 1, of_wildtypes.shape[1]))
    np.cumsum(of_wildtypes[order], axis=0, out=sums[1:])
    below, to = (np.searchsorted(wildtype[order], mutant, side) for side in ("left", "right"))
    return np.asarray(np.einsum("mb,mb->b", of_mutants, sums[below] + sums[to]))
