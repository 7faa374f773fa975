"""DeLong's components: the share of each patient in an area under a ROC curve, and its variance.

Letters: R repeats (trainings) of one model, M mutant and W wildtype patients.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from idhray.stats.sample import Labels, Scored, Scores

Components = tuple[NDArray[np.float64], NDArray[np.float64]]  # (R, M) and (R, W)

NO_VARIANCE = 1e-12
"""A standard error below this is rounding."""
_PAIRS = 10_000  # pairs of patients up to which comparing all is faster than ranking
_ALL_PAIRS = 1_000_000  # the same over all repeats: a bound on memory


def components(labels: Labels, scores: Scores) -> Components:
    """DeLong's structural components, (R, M) and (R, W), of (R, patients) scores.

    A mutant's component is the share of wildtype patients that score below it, ties counting half;
    a wildtype's is the share of mutants above it. Either mean is the area.

    Source: DeLong et al. 1988, by the midranks of Sun and Xu 2014 (algorithm 2).
    """
    mutant, wildtype = scores[:, labels == 1], scores[:, labels == 0]
    m, w = mutant.shape[1], wildtype.shape[1]
    few = m * w <= _PAIRS and scores.shape[0] * m * w <= _ALL_PAIRS
    wildtypes_below, mutants_below = (_by_pairs if few else _by_ranks)(mutant, wildtype)
    return wildtypes_below / w, 1 - mutants_below / m


def _by_ranks(mutant: Scores, wildtype: Scores) -> Components:
    """Numbers of the other class below each mutant and each wildtype, ties counting half."""
    m = mutant.shape[1]
    ranks = stats.rankdata(np.hstack([mutant, wildtype]), axis=1)
    wildtypes_below = ranks[:, :m] - stats.rankdata(mutant, axis=1)
    mutants_below = ranks[:, m:] - stats.rankdata(wildtype, axis=1)
    return wildtypes_below, mutants_below


def _by_pairs(mutant: Scores, wildtype: Scores) -> Components:
    """The numbers of `_by_ranks`, by comparing all pairs: faster for small classes."""
    m, w = mutant.shape[1], wildtype.shape[1]
    higher = mutant[:, :, None] > wildtype[:, None, :]
    tied = mutant[:, :, None] == wildtype[:, None, :]
    order = (higher.view(np.int8) * np.int8(2) + tied.view(np.int8)).astype(np.float32)
    wildtypes_below = (order @ np.ones(w, dtype=np.float32)).astype(np.float64) / 2
    mutants_below = m - (np.ones(m, dtype=np.float32) @ order).astype(np.float64) / 2
    return wildtypes_below, mutants_below


def mean_components(
    of_mutants: NDArray[np.float64], of_wildtypes: NDArray[np.float64]
) -> Components:
    """Components averaged over the repeats, (1, M) and (1, W)."""
    return of_mutants.mean(axis=0, keepdims=True), of_wildtypes.mean(axis=0, keepdims=True)


def covariance(
    of_mutants: NDArray[np.float64], of_wildtypes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(R, R) covariance of the areas; NaN if a class has a single patient."""
    sides = [of_mutants, of_wildtypes]
    if min(side.shape[1] for side in sides) < 2:
        return np.full((len(of_mutants), len(of_mutants)), np.nan)
    return np.asarray(sum(np.atleast_2d(np.cov(side)) / side.shape[1] for side in sides))


def delong_covariance(sample: Scored) -> NDArray[np.float64]:
    """(R, R) covariance of the areas of R score vectors on the same patients.

    NaN if a class has a single patient: its spread is unknown.
    """
    return covariance(*components(sample.labels, sample.scores))


def delong_error(of_mutants: NDArray[np.float64], of_wildtypes: NDArray[np.float64]) -> float:
    """Standard error of the area of one row of components, (1, M) and (1, W)."""
    return float(np.sqrt(covariance(of_mutants, of_wildtypes)[0, 0]))


def no_variance_note(se: float) -> str:
    """A sentence on a standard error that is 0 or NaN."""
    if np.isnan(se):
        return "DeLong's variance does not exist: a class has a single patient."
    return "DeLong's variance is 0: the scores separate the classes, or are all equal."
