"""DeLong's components: what each patient adds to an area under a ROC curve, and its variance.

Letters: R repeats (trainings) of one model, M mutant and W wildtype patients.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from idhray.stats.sample import Labels, SampleError, Scores, labels_of, scores_of

Components = tuple[NDArray[np.float64], NDArray[np.float64]]  # (R, M) and (R, W)

NO_VARIANCE = 1e-12
"""A standard error below this is rounding."""


def components(labels: Labels, scores: Scores) -> Components:
    """DeLong's structural components, (R, M) and (R, W).

    A mutant's component is the share of wildtype patients that score below it, ties counting half;
    a wildtype's is the share of mutants above it. Either mean is the area.

    Source: DeLong et al. 1988, by the midranks of Sun and Xu 2014 (algorithm 2).
    """
    mutant, wildtype = scores[:, labels == 1], scores[:, labels == 0]
    m, w = mutant.shape[1], wildtype.shape[1]
    ranks = stats.rankdata(np.hstack([mutant, wildtype]), axis=1)
    of_mutants = (ranks[:, :m] - stats.rankdata(mutant, axis=1)) / w
    of_wildtypes = 1 - (ranks[:, m:] - stats.rankdata(wildtype, axis=1)) / m
    return of_mutants, of_wildtypes


def mean_components(truth: ArrayLike, scores: ArrayLike) -> Components:
    """The components averaged over the repeats, (1, M) and (1, W).

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    labels = labels_of(truth)
    of_mutants, of_wildtypes = components(labels, scores_of(scores, labels))
    return of_mutants.mean(axis=0, keepdims=True), of_wildtypes.mean(axis=0, keepdims=True)


def one_training(scores: ArrayLike, labels: Labels) -> Scores:
    """Scores of one training, (patients,): for what has no meaning over several repeats.

    Raises:
        SampleError: there are several repeats, their number is wrong, or a score is NaN.
    """
    rows = scores_of(scores, labels)
    if len(rows) > 1:
        raise SampleError(f"scores of one training are needed, got {len(rows)}; average them first")
    return rows.ravel()


def covariance(
    of_mutants: NDArray[np.float64], of_wildtypes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(R, R) covariance of the areas; NaN where a class has a single patient."""
    sides = [of_mutants, of_wildtypes]
    if min(side.shape[1] for side in sides) < 2:
        return np.full((len(of_mutants), len(of_mutants)), np.nan)
    return np.asarray(sum(np.atleast_2d(np.cov(side)) / side.shape[1] for side in sides))


def delong_covariance(truth: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """(R, R) covariance of the areas of R score vectors on the same patients.

    NaN where a class has a single patient: its spread is unknown.

    Raises:
        SampleError: one class only, NaN scores, or unequal lengths.
    """
    labels = labels_of(truth)
    return covariance(*components(labels, scores_of(scores, labels)))


def standard_error(of_mutants: NDArray[np.float64], of_wildtypes: NDArray[np.float64]) -> float:
    """Of the area of one row of components, (1, M) and (1, W)."""
    return float(np.sqrt(covariance(of_mutants, of_wildtypes)[0, 0]))


def why_no_variance(se: float) -> str:
    """A sentence on a standard error that is 0 or NaN."""
    if np.isnan(se):
        return "DeLong's variance does not exist: a class has a single patient."
    return "DeLong's variance is 0: the scores separate the classes, or are all equal."


def z_of(confidence: float) -> float:
    """The normal quantile of a two-sided interval: 1.96 for .95.

    Raises:
        SampleError: the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise SampleError(f"confidence must lie between 0 and 1, such as 0.95; got {confidence}")
    return float(stats.norm.ppf(0.5 + confidence / 2))
