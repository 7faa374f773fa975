"""Areas of many readings of the same cases, and the covariance of the areas over cases.

Letters: A readings (a reader under a treatment), N cases, M mutant and W wildtype ones.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from idhray.stats.roc.delong import components, covariance
from idhray.stats.sample import Labels, SampleError, Scores

AreaCovariance = Literal["delong", "jackknife"]


def areas_with_covariance(
    labels: Labels, ratings: Scores, method: AreaCovariance
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas (A,) of (A, N) ratings, and their (A, A) covariance over cases.

    Raises:
        SampleError: a class has a single case, or the method is unknown.
    """
    if method not in ("delong", "jackknife"):
        raise SampleError(f"covariance must be delong or jackknife, got {method!r}")
    mutants, wildtypes = int((labels == 1).sum()), int((labels == 0).sum())
    if min(mutants, wildtypes) < 2:
        raise SampleError(
            f"{mutants} mutant and {wildtypes} wildtype cases: the covariance of areas needs two "
            "or more of each class"
        )
    of_mutants, of_wildtypes = components(labels, ratings)
    areas = of_mutants.mean(axis=1)
    if method == "delong":
        return areas, covariance(of_mutants, of_wildtypes)
    return areas, jackknife_covariance(of_mutants, of_wildtypes)


def jackknife_covariance(
    of_mutants: NDArray[np.float64], of_wildtypes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(A, A) jackknife covariance of areas from DeLong's components, (A, M) and (A, W).

    An area without a case follows from the case's component: without mutant i it is
    (M x area - component i) / (M - 1).

    Source: Efron 1982; its scale is (N - 1) / N.
    """
    without = []  # areas that lack one case, (A, M) and (A, W)
    for side in (of_mutants, of_wildtypes):
        n = side.shape[1]
        without.append((side.sum(axis=1, keepdims=True) - side) / (n - 1))
    areas = np.hstack(without)  # (A, N)
    deviations = areas - areas.mean(axis=1, keepdims=True)
    n = areas.shape[1]
    return np.asarray((n - 1) / n * (deviations @ deviations.T))
