"""Bootstrap intervals of any statistic over patients, drawn within each class.

Differences of areas under ROC curves have a faster bootstrap in `roc/bootstrap.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from idhray.chance import generator
from idhray.stats.sample import CONFIDENCE, SampleError, z_of

Draws = NDArray[np.float64]  # (draws,), the statistic of each resample

_FEWEST = 100  # draws; fewer say nothing of a tail


@dataclass(frozen=True, kw_only=True)
class Bootstrapped:
    """A statistic with its percentile bootstrap interval, and what is needed to repeat it."""

    estimate: float
    """Statistic of the patients themselves, not the mean of the draws."""
    se: float
    """Standard deviation of the draws."""
    ci_low: float
    ci_high: float
    p: float
    """Two-sided, by inversion of the interval: 1 - confidence of the interval that just reaches
    the null value, never below 2 / (draws + 1)."""
    method: str
    draws: int
    failed: int
    """Draws on which the statistic does not exist; the interval is that of the others."""
    seed: int
    notes: tuple[str, ...] = ()


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    strata: ArrayLike,
    *,
    draws: int,
    seed: int,
    null: float,
) -> Bootstrapped:
    """Percentile interval of `statistic` over patients that are drawn within their stratum.

    Args:
        statistic: Function from the rows of the drawn patients, (patients,), to a number. A
            SampleError or a NaN is a failed draw.
        strata: (patients,), such as the labels: each draw keeps the size of every stratum.
        draws: Number of resamples.
        seed: Seed of the draws.
        null: Value of the statistic under the null hypothesis, for P.

    Raises:
        SampleError: the statistic does not exist on the patients themselves or on most draws.
    """
    check_draws(draws)
    groups = np.asarray(strata)
    if groups.ndim != 1 or not len(groups):
        raise SampleError(f"strata must be one value per patient, got shape {groups.shape}")
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    estimate = _value(statistic, np.arange(len(groups)))
    if np.isnan(estimate):
        raise SampleError("bootstrap: the statistic does not exist on the patients themselves")
    rng = generator(seed, "bootstrap")
    resampled = np.array(
        [
            _value(statistic, np.concatenate([rng.choice(rows, len(rows)) for rows in members]))
            for _ in range(draws)
        ]
    )
    return summary(
        estimate,
        resampled,
        method="percentile bootstrap, patients within stratum",
        seed=seed,
        null=null,
        notes=lone_patient_notes(min(len(rows) for rows in members)),
    )


def _value(statistic: Callable[[NDArray[np.int64]], float], rows: NDArray[np.int64]) -> float:
    try:
        return float(statistic(rows))
    except SampleError:
        return float("nan")


def summary(
    estimate: float,
    resampled: Draws,
    *,
    method: str,
    seed: int,
    null: float,
    notes: Sequence[str] = (),
) -> Bootstrapped:
    """Percentile interval and P from the statistic of every draw; NaN is a failed draw.

    Raises:
        SampleError: the statistic exists on less than half of the draws.

    Source: Efron and Tibshirani 1993, An introduction to the bootstrap, chapter 13.
    """
    existing = resampled[~np.isnan(resampled)]
    failed = len(resampled) - len(existing)
    if 2 * len(existing) < len(resampled):
        raise SampleError(
            f"bootstrap: the statistic does not exist on {failed} of {len(resampled)} draws; "
            "too few patients for it"
        )
    all_notes = list(notes)
    half = z_of(CONFIDENCE)
    low, high = np.quantile(existing, stats.norm.cdf([-half, half]))
    if failed:
        all_notes.append(
            f"{failed} of {len(resampled)} draws have no such statistic and are left out."
        )
    if np.ptp(existing) == 0:
        all_notes.append(
            "Every draw gives the same figure: the bootstrap says nothing of its spread or P."
        )
    return Bootstrapped(
        estimate=estimate,
        se=float(existing.std(ddof=1)),
        ci_low=float(low),
        ci_high=float(high),
        p=_p_by_inversion(estimate, existing, null),
        method=method,
        draws=len(resampled),
        failed=failed,
        seed=seed,
        notes=tuple(all_notes),
    )


def _p_by_inversion(estimate: float, resampled: Draws, null: float) -> float:
    """Twice the smaller share of draws at or beyond the null value, the estimate counted in.

    NaN where all draws are equal but not the null value: eight patients, well separated, would
    make it 2 / 2001.

    Source: Davison and Hinkley 1997, section 4.2, for the 1 in both parts of the fraction.
    """
    if np.ptp(resampled) == 0 and estimate != null:
        return float("nan")
    below, above = (resampled <= null).sum(), (resampled >= null).sum()
    return float(min(1.0, 2 * (1 + min(below, above)) / (len(resampled) + 1)))


def check_draws(draws: int) -> None:
    """Refuse a number of draws that gives no interval.

    Raises:
        SampleError: fewer than 100 draws.
    """
    if draws < _FEWEST:
        raise SampleError(f"a bootstrap interval needs {_FEWEST} draws or more, got {draws}")


def lone_patient_notes(smallest: int) -> tuple[str, ...]:
    """A note if the smallest stratum has a single patient, whom every draw holds."""
    if smallest > 1:
        return ()
    return ("A class has a single patient: drawing cannot vary it, so the interval is too narrow.",)
