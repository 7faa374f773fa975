"""Decision curves: is acting on a model better than treating everyone, or no one?

`Treat` stands for whatever is done to patients who are called mutant. Who would treat at a risk of
20% holds one missed mutant to be as bad as four wildtypes treated in vain; the net benefit counts
the mutants treated, less the wildtypes treated in that exchange, per patient.

Letters: N patients, T thresholds, R resamples. Source: Vickers and Elkin 2006 (Med Decis Making
26:565).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idhray.chance import generator
from idhray.stats.probabilities.logits import probabilities_of
from idhray.stats.sample import Labels, SampleError, labels_of

THRESHOLDS = tuple(percent / 100 for percent in range(1, 100))


@dataclass(frozen=True, kw_only=True)
class NetBenefit:
    """A point of the curve. Treating no one has a net benefit of 0 at every threshold."""

    threshold: float
    """Patients with a probability at or above it are treated."""
    model: float
    model_low: float
    """NaN where no resamples were asked for."""
    model_high: float
    treat_all: float
    over_default: float
    """`model` less the better of treating all and treating no one."""
    over_default_low: float
    over_default_high: float
    avoided_per_100: float
    """Treatments that the model spares per 100 patients compared with treating all; a mutant whom
    it misses is charged at the threshold's rate of exchange. Below 0, treat all instead."""
    true_positives: int
    false_positives: int


@dataclass(frozen=True, kw_only=True)
class DecisionCurve:
    """Net benefit over a range of thresholds."""

    points: tuple[NetBenefit, ...]
    """In the order of the thresholds."""
    prevalence: float
    """Share of mutants for which it holds."""
    n_mutant: int
    n_wildtype: int
    notes: tuple[str, ...]


def decision_curve(
    truth: ArrayLike,
    p: ArrayLike,
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    prevalence: float | None = None,
    resamples: int = 0,
    confidence: float = 0.95,
    seed: int = 0,
) -> DecisionCurve:
    """The net benefit of a model and of treating all: TP / N - FP / N x t / (1 - t).

    It takes the probabilities at their word, so look at their calibration first.

    Args:
        thresholds: The t, above 0 and below 1.
        prevalence: Share of mutants where the model is to be used, if these patients were enriched
            (Park et al. 2021: 30%, against 8%). Each class is weighted to it; the probabilities
            are left as they are.
        resamples: Of patients, for percentile bootstrap intervals; 0 for none. With a prevalence,
            each class is drawn by itself.

    Raises:
        SampleError: one class only, probabilities missing or outside 0..1, or a threshold, the
            prevalence or the number of resamples out of range.
    """
    labels = labels_of(truth)
    given = probabilities_of(p, labels)
    cuts = np.asarray(thresholds, dtype=np.float64)
    _check(cuts, prevalence, resamples)
    odds = cuts / (1 - cuts)
    treated = given[:, None] >= cuts  # (N, T)
    gain = np.where(labels[:, None] == 1, 1.0, -odds) * _weights(labels, prevalence)[:, None]
    model, treat_all = (treated * gain).sum(axis=0), gain.sum(axis=0)
    low_high = np.full((2, 2, len(cuts)), np.nan)
    if resamples:
        counts = _counts(labels, resamples, seed, apart=prevalence is not None)
        drawn = counts @ (treated * gain)  # (R, T)
        over = drawn - np.maximum(counts @ gain, 0)
        ends = [0.5 - confidence / 2, 0.5 + confidence / 2]
        low_high = np.array([np.quantile(one, ends, axis=0) for one in (drawn, over)])
    points = [
        NetBenefit(
            threshold=float(cuts[at]),
            model=float(model[at]),
            model_low=float(low_high[0, 0, at]),
            model_high=float(low_high[0, 1, at]),
            treat_all=float(treat_all[at]),
            over_default=float(model[at] - max(treat_all[at], 0)),
            over_default_low=float(low_high[1, 0, at]),
            over_default_high=float(low_high[1, 1, at]),
            avoided_per_100=float(100 * (model[at] - treat_all[at]) / odds[at]),
            true_positives=int(treated[labels == 1, at].sum()),
            false_positives=int(treated[labels == 0, at].sum()),
        )
        for at in range(len(cuts))
    ]
    return DecisionCurve(
        points=tuple(points),
        prevalence=float(labels.mean()) if prevalence is None else prevalence,
        n_mutant=int(labels.sum()),
        n_wildtype=int((1 - labels).sum()),
        notes=tuple(_notes(labels, prevalence, resamples)),
    )


def _check(cuts: NDArray[np.float64], prevalence: float | None, resamples: int) -> None:
    if cuts.ndim != 1 or not len(cuts) or not ((cuts > 0) & (cuts < 1)).all():
        raise SampleError(f"decision thresholds must lie between 0 and 1, got {cuts.tolist()}")
    if prevalence is not None and not 0 < prevalence < 1:
        raise SampleError(f"the prevalence must lie between 0 and 1, got {prevalence}")
    if resamples < 0:
        raise SampleError(f"resamples must be 0 or more, got {resamples}")


def _weights(labels: Labels, prevalence: float | None) -> NDArray[np.float64]:
    """What each patient stands for, (N,); their sum is 1."""
    share = labels.mean() if prevalence is None else prevalence
    each = np.where(labels == 1, share / labels.sum(), (1 - share) / (1 - labels).sum())
    return np.asarray(each)


def _counts(labels: Labels, resamples: int, seed: int, *, apart: bool) -> NDArray[np.float64]:
    """How often each patient is drawn, (R, N)."""
    rng = generator(seed, "decision curve")
    strata = [labels == 1, labels == 0] if apart else [labels >= 0]
    counts = np.zeros((resamples, len(labels)))
    for own in strata:
        n = int(own.sum())
        counts[:, own] = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    return counts


def _notes(labels: Labels, prevalence: float | None, resamples: int) -> list[str]:
    notes = []
    if prevalence is not None:
        notes.append(
            f"Weighted to a prevalence of {prevalence:.3g}; {labels.mean():.3g} of these patients "
            "are mutant, and the probabilities are not adjusted."
        )
    if resamples:
        drawn = "patients within class" if prevalence is not None else "patients"
        notes.append(f"Intervals by percentile bootstrap, {resamples} resamples of {drawn}.")
    if min(labels.sum(), (1 - labels).sum()) == 1 and prevalence is not None and resamples:
        notes.append("A class has a single patient, whom every resample holds: too narrow.")
    return notes
