"""Bootstrap intervals over patients, drawn within each class: of any statistic.

Areas under ROC curves have a fast way of their own, in `auc_bootstrap.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from idhray.chance import generator
from idhray.stats.roc.delong import z_of
from idhray.stats.sample import SampleError

Interval = Literal["percentile", "BCa"]
Draws = NDArray[np.float64]  # (draws,), the statistic of each resample

_FEWEST = 100  # draws; fewer say nothing of a tail


@dataclass(frozen=True, kw_only=True)
class Bootstrapped:
    """A statistic with its bootstrap interval, and all that is needed to repeat it."""

    estimate: float
    """On the patients themselves, not the mean of the draws."""
    se: float
    """Standard deviation of the draws."""
    ci_low: float
    ci_high: float
    confidence: float
    p: float | None
    """Two-sided, by inversion of the percentile interval (of whichever interval is given): 1 -
    confidence of the one that just reaches the null value, never below 2 / (draws + 1). None
    where there is no null value."""
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
    draws: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
    null: float | None = None,
) -> Bootstrapped:
    """Percentile interval of `statistic` over patients that are drawn within their stratum.

    Args:
        statistic: From the rows of the drawn patients, (patients,), to a number. A SampleError or
            a NaN is a failed draw.
        strata: (patients,), such as the labels: each draw keeps the size of every stratum.
        null: The value to be tested for a P.

    Raises:
        SampleError: the statistic does not exist on the patients themselves or on most draws.
    """
    check_draws(draws, confidence)
    groups = np.asarray(strata)
    if groups.ndim != 1 or not len(groups):
        raise SampleError(f"strata must be one value per patient, got shape {groups.shape}")
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    estimate = _value(statistic, np.arange(len(groups)))
    if np.isnan(estimate):
        raise SampleError("bootstrap: the statistic does not exist on the patients themselves")
    rng = generator(seed, "bootstrap")
    found = np.array(
        [
            _value(statistic, np.concatenate([rng.choice(rows, len(rows)) for rows in members]))
            for _ in range(draws)
        ]
    )
    smallest = min(len(rows) for rows in members)
    return summary(
        estimate,
        found,
        method="percentile bootstrap, patients within stratum",
        seed=seed,
        confidence=confidence,
        null=null,
        notes=lone_patients(smallest),
    )


def _value(statistic: Callable[[NDArray[np.int64]], float], rows: NDArray[np.int64]) -> float:
    try:
        return float(statistic(rows))
    except SampleError:
        return float("nan")


def summary(
    estimate: float,
    found: Draws,
    *,
    method: str,
    seed: int,
    confidence: float,
    null: float | None = None,
    bias: float = 0.0,
    acceleration: float = 0.0,
    notes: Sequence[str] = (),
) -> Bootstrapped:
    """Interval and P from the draws; `bias` and `acceleration` 0 make it the percentile one.

    Raises:
        SampleError: the statistic exists on less than half of the draws.

    Source: Efron and Tibshirani 1993, An introduction to the bootstrap, equation 14.10.
    """
    kept = found[~np.isnan(found)]
    failed = len(found) - len(kept)
    if 2 * len(kept) < len(found):
        raise SampleError(
            f"bootstrap: the statistic does not exist on {failed} of {len(found)} draws; "
            "too few patients for it"
        )
    said = list(notes)
    half = z_of(confidence)
    shifted = bias + np.array([-half, half])
    stretch = 1 - acceleration * shifted
    if (stretch <= 0).any():
        said.append("BCa's correction breaks down on so few patients: use the percentile interval.")
        stretch = np.maximum(stretch, 1e-9)  # to the lowest or highest draw
    low, high = np.quantile(kept, stats.norm.cdf(bias + shifted / stretch))
    if failed:
        said.append(f"{failed} of {len(found)} draws have no such statistic and are left out.")
    if np.ptp(kept) == 0:
        said.append(
            "Every draw gives the same figure: the bootstrap says nothing of its spread or P."
        )
    return Bootstrapped(
        estimate=estimate,
        se=float(kept.std(ddof=1)),
        ci_low=float(low),
        ci_high=float(high),
        confidence=confidence,
        p=None if null is None else _p_by_inversion(estimate, kept, null),
        method=method,
        draws=len(found),
        failed=failed,
        seed=seed,
        notes=tuple(said),
    )


def bias_of(estimate: float, found: Draws) -> float:
    """BCa's z0: how far the estimate lies from the middle of its draws, equal ones counting half.

    Source: Efron and Tibshirani 1993, equation 14.14.
    """
    below = (found < estimate).mean() + (found == estimate).mean() / 2
    edge = 1 / (len(found) + 1)
    return float(stats.norm.ppf(np.clip(below, edge, 1 - edge)))


def acceleration_of(influences: Sequence[NDArray[np.float64]]) -> float:
    """BCa's a from what each patient adds, one array per stratum; 0 without any spread.

    Source: Davison and Hinkley 1997, Bootstrap methods, equation 5.26.
    """
    skew = sum(float((one**3).sum()) / len(one) ** 3 for one in influences)
    variance = sum(float((one**2).sum()) / len(one) ** 2 for one in influences)
    return skew / (6 * variance**1.5) if variance > 0 else 0.0


def _p_by_inversion(estimate: float, found: Draws, null: float) -> float:
    """Twice the smaller share of draws at or beyond the null value, the estimate counted in.

    NaN where all draws are one other figure: eight patients, well parted, would make it 2 / 2001.

    Source: Davison and Hinkley 1997, section 4.2, for the 1 in both parts of the fraction.
    """
    if np.ptp(found) == 0 and estimate != null:
        return float("nan")
    below, above = (found <= null).sum(), (found >= null).sum()
    return float(min(1.0, 2 * (1 + min(below, above)) / (len(found) + 1)))


def check_draws(draws: int, confidence: float) -> None:
    """Refuse what gives no interval.

    Raises:
        SampleError: fewer than 100 draws, or a confidence that is none.
    """
    z_of(confidence)
    if draws < _FEWEST:
        raise SampleError(f"a bootstrap interval needs {_FEWEST} draws or more, got {draws}")


def lone_patients(smallest: int) -> tuple[str, ...]:
    """A note where the smallest stratum has a single patient, whom every draw holds."""
    if smallest > 1:
        return ()
    return ("A class has a single patient: drawing cannot vary it, so the interval is too narrow.",)
