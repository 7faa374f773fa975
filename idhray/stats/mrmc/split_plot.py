"""Trainings as readers, split plot by fold: is one arm's area above another's, and how surely?

Every fold has its own test patients and its own R trainings of each arm. Repeat r of an arm is
paired with repeat r of the baseline. The estimate is the mean over K folds of the mean over R
repeats of d_kr = AUC(arm) - AUC(baseline). Its variance has two parts: trainings (S2_k, the
variance of d_kr over r) and patients (Cov_k, the mean DeLong covariance of d_kr and d_ks, r != s).

Letters: K folds, R repeats, A arms, M mutant and W wildtype patients of a fold.

Source: Obuchowski and Rockette 1995; Hillis 2007; split-plot designs: Obuchowski, Gallas and Hillis
2012; training as a random factor of a classifier: Chen, Gallas and Yousef 2012.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idhray.stats.mrmc.contrast import Contrast, contrast
from idhray.stats.roc.delong import Components, components
from idhray.stats.sample import Labels, SampleError, Scores

_ROUNDING = 1e-12  # a covariance below this share of the variances is rounding


@dataclass(frozen=True, kw_only=True)
class FoldScores:
    """Scores of two arms on the test patients of one fold."""

    labels: Labels
    """(patients,) 0 wildtype, 1 mutant."""
    scores: Scores
    """(R, patients), the arm."""
    baseline: Scores
    """(R, patients), the baseline arm; repeat r is paired with repeat r."""


def fold_contrast(folds: Sequence[FoldScores]) -> Contrast:
    """Mean over folds of AUC(arm) - AUC(baseline), with its uncertainty.

    Raises:
        SampleError: no folds; scores that do not fit the labels or are not finite; a fold with
            fewer than two patients of a class; folds with unequal numbers of repeats.
    """
    return contrast_of_components(
        [_gain_components(fold, number) for number, fold in enumerate(folds, start=1)]
    )


def _gain_components(fold: FoldScores, number: int) -> Components:
    """Components of the arm minus those of the baseline; both are ranked in one call."""
    if fold.scores.shape != fold.baseline.shape:
        raise SampleError(
            f"fold {number}: arms differ in their repeats or their patients: scores of shape "
            f"{fold.scores.shape}, baseline of shape {fold.baseline.shape}"
        )
    sides = fold_components(fold.labels, np.concatenate([fold.scores, fold.baseline]), fold=number)
    of_mutants, of_wildtypes = sides
    r = len(fold.scores)
    return of_mutants[:r] - of_mutants[r:], of_wildtypes[:r] - of_wildtypes[r:]


def fold_components(labels: Labels, scores: Scores, *, fold: int | str) -> Components:
    """DeLong's components of one arm's (R, patients) scores in one fold, (R, M) and (R, W).

    They are the costly part of a contrast; `combined_contrast` takes them for any number of
    contrasts. An error names `fold`.

    Raises:
        SampleError: scores that do not fit the labels or are not finite; fewer than two patients
            of a class.
    """
    mutants = int(np.count_nonzero(labels == 1))
    wildtypes = int(np.count_nonzero(labels == 0))
    if mutants + wildtypes != len(labels):
        raise SampleError(f"fold {fold}: labels must be 0 (wildtype) and 1 (mutant)")
    if min(mutants, wildtypes) < 2:
        raise SampleError(
            f"fold {fold}: {mutants} mutant and {wildtypes} wildtype test patients; DeLong's "
            "covariance needs 2 or more of each class: use fewer folds, or stratify them"
        )
    if scores.ndim != 2 or len(scores) == 0 or scores.shape[1] != len(labels):
        raise SampleError(
            f"fold {fold}: {len(labels)} labels need (repeats, {len(labels)}) scores, "
            f"got shape {scores.shape}"
        )
    if not np.isfinite(scores).all():
        raise SampleError(f"fold {fold}: scores are NaN or infinite; every patient needs a score")
    return components(labels, scores)


def combined_contrast(folds: Sequence[Sequence[Components]], weights: ArrayLike) -> Contrast:
    """A weighted sum of the arms' areas, taken repeat by repeat, as `fold_contrast` judges it.

    Weights (1, -1) compare two arms; n - mean(n) over the counts n make a test of trend.

    Args:
        folds: per fold, the components of A arms (`fold_components`) on the same patients.
        weights: (A,), one per arm.

    Raises:
        SampleError: no folds, other numbers of arms than of weights, or unequal repeats.
    """
    shares = np.asarray(weights, dtype=np.float64)
    for number, arms in enumerate(folds, start=1):
        if len(arms) != len(shares):
            raise SampleError(f"fold {number}: {len(arms)} arms, but {len(shares)} weights")
        if len({of_mutants.shape for of_mutants, _ in arms}) > 1:
            raise SampleError(f"fold {number}: arms differ in their repeats or their patients")
    return contrast_of_components([_weighted(arms, shares) for arms in folds])


def contrast_of_components(folds: Sequence[Components]) -> Contrast:
    """The contrast whose components, (R, M) and (R, W) per fold, are already combined over arms.

    Raises:
        SampleError: no folds, or folds with unequal numbers of repeats.
    """
    repeats = {len(of_mutants) for of_mutants, _ in folds}
    if len(repeats) != 1:
        raise SampleError(
            f"all folds need the same number of repeats, got {sorted(repeats)}"
            if repeats
            else "a contrast needs one fold or more, got none"
        )
    (r,), k = repeats, len(folds)
    difference, training, patients = map(sum, zip(*(_moments(*f) for f in folds), strict=True))
    return contrast(difference / k, training / (r * k**2), patients / k**2, folds=k, repeats=r)


def _weighted(arms: Sequence[Components], weights: NDArray[np.float64]) -> Components:
    of_mutants, of_wildtypes = (
        sum(weight * arm[side] for weight, arm in zip(weights, arms, strict=True))
        for side in (0, 1)
    )
    return np.asarray(of_mutants), np.asarray(of_wildtypes)


def _moments(
    of_mutants: NDArray[np.float64], of_wildtypes: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Mean of d_kr over repeats, S2_k and Cov_k of one fold; the last two NaN with one repeat."""
    r, means = len(of_mutants), []
    of_sum = of_each = 0.0  # variance of the sum over repeats; sum of the repeats' variances
    for side in (of_mutants, of_wildtypes):
        n = side.shape[1]
        means.append(
            np.add.reduce(side, axis=1) / n
        )  # faster than mean(): this runs by the million
        if r > 1:
            deviations = side - means[-1][:, None]
            total = np.add.reduce(deviations, axis=0)
            of_sum += float(total @ total) / (n * (n - 1))
            of_each += float(np.vdot(deviations, deviations)) / (n * (n - 1))
    areas = means[0]
    mean = float(np.add.reduce(areas)) / r
    if r == 1:
        return mean, float("nan"), float("nan")
    between = of_sum - of_each
    if abs(between) <= _ROUNDING * of_each:
        between = 0.0  # else a rest of 1e-19 would pass for a variance, and give P = 0
    away = areas - mean
    return mean, float(away @ away) / (r - 1), between / (r * (r - 1))
